/*
 * ft_malloc_bounds(): what libft_malloc_debug.so asks with each checked call.
 */
#include "arena/lookup.h"

struct ft_malloc_extent ft_malloc_bounds(const void *pointer)
{
    return lookup_bounds((uintptr_t)pointer);
}
