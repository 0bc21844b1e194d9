/*
 * A list of the live chunks of the process, sorted by address: what show_alloc_mem() writes and
 * ft_malloc_visit() visits. It is collected into memory mapped for the purpose, while other threads
 * go on (debug/walk.h). Once it is collected nothing is held any more, so whoever reads it may take
 * as long as needed, allocate and free.
 */
#ifndef FT_DEBUG_LISTING_H
#define FT_DEBUG_LISTING_H

#include "base/zone.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A growing array in a mapping of its own. */
struct list {
    char *items;
    size_t item_size;
    size_t count;
    size_t size; /* of the mapping */
    bool failed;
};

struct listing {
    struct list places;
    struct list chunks;
};

struct listed_chunk {
    enum zone zone;
    /*
     * Where the heap, the region of empty chunks, the slot of the guarded chunk or the mapping
     * begins that the chunk is in.
     */
    uintptr_t place;
    uintptr_t start;
    size_t requested;
    size_t usable;
};

/*
 * Collects the list. Returns false if there was not enough memory; then the list has what fitted.
 * Either way listing_end() unmaps it.
 */
bool listing_collect(struct listing *listing);
void listing_end(struct listing *listing);

/*
 * Calls `visit` for each chunk of the list, in the order of addresses, until it returns another
 * value than 0. Returns that value, or 0 at the end.
 */
int listing_each(const struct listing *listing,
                 int (*visit)(void *context, const struct listed_chunk *chunk), void *context);

#endif
