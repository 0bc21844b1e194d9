/*
 * What each unit of the heaps and each LARGE mapping is used for, and the sum of it: where the
 * process's resident memory is. Of a core file or a snapshot nobody knows which pages were in
 * memory; there, what the library has written to counts.
 */
#ifndef FTM_MAP_H
#define FTM_MAP_H

#include "options.h"
#include "pages.h"
#include "territory.h"
#include "view.h"

struct sites;
struct symbols;

/* Bytes in memory. The six parts are all of it. */
struct account {
    uint64_t live;       /* what the program asked for */
    uint64_t slack;      /* the rest of live chunks */
    uint64_t cached;     /* free chunks in caches of threads or on their way; LARGE ones */
    uint64_t unreturned; /* free memory in slabs and heaps */
    uint64_t own;        /* the allocator's headers, tables, data and code */
    uint64_t other;      /* everything that is not the allocator's */
    uint64_t kernel;     /* what the kernel counts; 0 if it is not known */
};

struct map_slab {
    uint64_t start, requested, resident;
    uint64_t age_ns; /* the mean of its live chunks whose age is known; 0 if none is */
    unsigned unit, units, size_class, chunk_size, chunks, live, vacant, cached;
};

struct map_heap {
    uint64_t base, end, size, number, resident;
    enum zone zone;
    unsigned arena, units, first_unit;
    uint64_t *vacant, *dirty, *aged, *reserved; /* bit maps over the units; one allocation */
    uint32_t *page_live;                        /* bytes of live chunks in each page */
    size_t first_slab, slab_count;
};

struct map_large {
    uint64_t start, requested, mapped, reserved, resident, age_ns;
    bool live, vacated;
};

/* Live chunks of one stack, or of one class if nobody knows stacks, in nearly empty slabs. */
struct map_pin {
    size_t site; /* or NO_SITE */
    unsigned size_class;
    uint64_t chunks, slabs;
    uint64_t bytes; /* of those slabs that these chunks alone keep, shared out */
    uint64_t live;  /* of these chunks */
};

struct map {
    struct target target;
    struct pages *pages;     /* NULL if it is not known which are in memory */
    struct sites *sites;     /* NULL if the process has no table of stacks */
    struct symbols *symbols; /* NULL if the process has no table of stacks */
    struct territory territory;
    struct account account;
    struct map_heap *heaps;
    struct map_slab *slabs;
    struct map_large *larges;
    struct map_pin *pins; /* those that keep the most bytes first */
    size_t heap_count, slab_count, large_count, pin_count;
    size_t heap_room, slab_room, large_room, pin_room;
    unsigned nearly_empty; /* percent of a slab's chunks that are live, at most */
    unsigned page;         /* bytes in a page */
};

/* Returns false after a line on stderr, with nothing left open. */
bool map_read(const char *name, unsigned nearly_empty, struct map *map);
void map_free(struct map *map);

/* Returns the slab that the unit of the heap is in, or NULL. */
const struct map_slab *map_slab_at(const struct map *map, const struct map_heap *heap,
                                   unsigned unit);

/* Returns how many bytes of [start, end) are in memory, as far as it is known. */
uint64_t map_resident(const struct map *map, uint64_t start, uint64_t end);

static inline bool map_bit(const uint64_t *bits, unsigned unit)
{
    return (bits[unit / 64] >> unit % 64 & 1) != 0;
}

/* What is drawn. */
enum map_by { MAP_OCCUPANCY, MAP_CLASS, MAP_AGE, MAP_RESIDENT };

struct map_options {
    enum map_by by;
    bool pages; /* a cell is a page and not a unit */
    bool color, json;
    bool summary;   /* only the sum and what pins slabs */
    uint64_t heap;  /* draw only the heap around this address; 0: all */
    unsigned width; /* cells in a line */
    size_t pins;    /* rows at most */
    unsigned nearly_empty;
};

/* Each returns false after a line on stderr if something could not be written. */
bool map_print(const struct map *map, const struct map_options *options);
bool map_print_json(const struct map *map, const struct map_options *options);

#endif
