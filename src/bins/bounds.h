/*
 * The bounds of the chunk around an address, for callers that ask with each copy a program makes
 * (ft_malloc_bounds()). Looks at the same tables as bins/chunk.h, and at nothing else; no lock.
 */
#ifndef FT_BINS_BOUNDS_H
#define FT_BINS_BOUNDS_H

#include "ft_malloc.h"

#include <stdint.h>

/*
 * `tag` is heap_map_tag(address), and not TAG_NONE. Any thread may call this. The caller is about
 * to access the memory at the address, so that a heap which is unmapped meanwhile was his mistake.
 */
struct ft_malloc_extent chunk_bounds(uintptr_t address, uint16_t tag);

#endif
