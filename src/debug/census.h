/*
 * Sums over everything that is allocated, for mallinfo2(), malloc_info(), malloc_stats(),
 * ft_malloc_stats() and the line at exit. Other threads go on meanwhile (debug/walk.h), so the sums
 * may describe no single moment; each chunk that is live throughout is counted exactly once.
 */
#ifndef FT_DEBUG_CENSUS_H
#define FT_DEBUG_CENSUS_H

#include "base/zone.h"

#include <stddef.h>

/* Figures of one zone. */
struct census_zone {
    size_t heaps; /* LARGE: live mappings */
    size_t chunks;
    size_t requested; /* bytes that the program asked for */
    size_t usable;    /* bytes in live chunks */
    size_t slabs;     /* bytes in slabs (LARGE: as usable) */
    size_t vacant;    /* chunks of those slabs that are not live */
    size_t mapped;    /* bytes of the heaps, their headers among them (LARGE: as usable) */
};

struct census {
    struct census_zone zone[ZONES];
    size_t arenas;
    size_t cached; /* bytes in freed LARGE mappings that are kept */
};

/* Takes the structure lock for reading, now and then; the caller holds no lock. */
void census_take(struct census *census);

#endif
