/*
 * With FT_MALLOC_HARDEN, chunks of 0 bytes: addresses that nobody can read or write, 16 bytes
 * apart, in regions of address space without memory. Which of them are live, and which ever were,
 * is said by bit maps elsewhere. An address that was freed is not handed out again before many
 * others were.
 *
 * Any thread may call anything here; no lock is taken. Every change is one atomic operation, so a
 * fork at any moment leaves all of it in order.
 */
#ifndef FT_BINS_EMPTY_H
#define FT_BINS_EMPTY_H

#include "bins/chunk.h"

/* `align`: a power of two. NULL: there is no address so aligned, or no memory. */
void *empty_alloc(size_t align);

/* False: no live chunk starts at the address, and nothing was done. */
bool empty_free(uintptr_t address);

/* As chunk_find(), for any value; what is in no region is CHUNK_NONE. */
enum verdict empty_find(uintptr_t address, struct chunk *chunk);

/*
 * Calls visit_region for each region, then visit_chunk for its live chunks, in the order of
 * addresses. What is live all the while is seen.
 */
void empty_walk(void (*visit_region)(void *context, uintptr_t start, size_t size),
                void (*visit_chunk)(void *context, uintptr_t address), void *context);

#endif
