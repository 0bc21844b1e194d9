/*
 * The version of the library at run time. The header holds the number, and the build reads it there.
 */
#include "ft_malloc.h"

const char *ft_malloc_version(void)
{
    return FT_MALLOC_VERSION;
}
