/*
 * The version of the library at run time. The number is in the header, where the build reads it.
 */
#include "ft_malloc.h"

const char *ft_malloc_version(void)
{
    return FT_MALLOC_VERSION;
}
