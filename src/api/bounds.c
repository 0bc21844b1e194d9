/*
 * ft_malloc_bounds(): what libft_malloc_debug.so asks with each checked call.
 */
#include "ft_malloc.h"

#include "bins/bounds.h"
#include "bins/heap_map.h"
#include "large/large.h"

struct ft_malloc_extent ft_malloc_bounds(const void *pointer)
{
    uintptr_t address = (uintptr_t)pointer;
    uint16_t tag = heap_map_tag(address);

    return tag != TAG_NONE ? chunk_bounds(address, tag) : large_bounds(address);
}
