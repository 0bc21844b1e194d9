/*
 * Walking over everything that is allocated, while all threads go on: the states and the identities
 * of slabs are atomic, and the heap that is looked at stays in its place (bins/heap_walk.h). A
 * chunk that is live during the whole walk is seen, one that is free during the whole walk is not.
 */
#ifndef FT_DEBUG_CENSUS_H
#define FT_DEBUG_CENSUS_H

#include "bins/chunk.h"

/* Figures of one zone. */
struct census_zone {
    size_t heaps; /* LARGE: live mappings */
    size_t chunks;
    size_t requested; /* bytes that the program asked for */
    size_t usable;    /* bytes in live chunks */
    size_t slabs;     /* bytes in slabs (LARGE: as usable) */
    size_t vacant;    /* chunks of those slabs that are not live */
};

struct census {
    struct census_zone zone[ZONE_LARGE + 1];
    size_t arenas;
    size_t cached; /* bytes in freed LARGE mappings that are kept */
};

/* Takes the structure lock for reading, now and then; the caller holds none. */
void census_take(struct census *census);

/* A live chunk. */
struct census_chunk {
    uintptr_t start;
    size_t requested;
};

/*
 * The live chunks of one slab, in the order of addresses, into out[] (of TINY_SLAB_CHUNKS_MAX).
 * Returns their number. `identity`: of the slab, as read before; 0 chunks if the slab is not the
 * same any more.
 */
unsigned census_slab(struct heap *heap, struct slab *slab, uint64_t identity,
                     struct census_chunk *out);

/*
 * The next slab of a heap at or after unit *at, in the order of addresses; advances *at. NULL at
 * the end.
 */
struct slab *census_next_slab(struct heap *heap, unsigned *at, uint64_t *identity);

#endif
