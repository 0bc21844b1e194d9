/*
 * Size classes: the sizes that chunks really have. They grow in steps of 16 up to 128 bytes, then
 * in eight steps to a doubling, so that at most 1/8 is added to a request. Pure functions and
 * constant tables; everything about a class (chunk size, slab size, chunks per slab) is derived
 * here.
 */
#ifndef FT_BINS_SIZE_CLASS_H
#define FT_BINS_SIZE_CLASS_H

#include "base/zone.h"

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

enum {
    CHUNK_ALIGN = 16,
    TINY_MAX = 960,
    SMALL_MAX = 256 * 1024,
    TINY_CLASSES = 31,
    SIZE_CLASSES = 96,
    /* The unit in which a heap hands out memory: a slab is one or more units. */
    UNIT_SHIFT = 14,
    UNIT_SIZE = 1 << UNIT_SHIFT,
    SLAB_UNITS_MAX = SMALL_MAX / UNIT_SIZE,
    TINY_SLAB_CHUNKS_MAX = UNIT_SIZE / CHUNK_ALIGN,
    SMALL_SLAB_CHUNKS_MAX = 64,
};

/* Everything about a class, in the order in which free() reads it. */
struct size_class {
    uint32_t size;
    /* ceil(2^32 / size): offset * inverse >> 32 is the index of the chunk that starts at offset. */
    uint32_t inverse;
    uint16_t chunks;
    uint16_t units;
};

extern const struct size_class size_classes[SIZE_CLASSES];
extern const uint8_t tiny_class_by_granule[TINY_MAX / CHUNK_ALIGN + 1];

/* For size <= TINY_MAX. */
static inline unsigned tiny_class(size_t size)
{
    return tiny_class_by_granule[(size + CHUNK_ALIGN - 1) / CHUNK_ALIGN];
}

/* For 128 < size <= SMALL_MAX. */
static inline unsigned spaced_class(size_t size)
{
    /*
     * An exclusive or, not a difference, because compilers see that it undoes the one by which bsr
     * became clz.
     */
    unsigned log2 = 63 ^ (unsigned)__builtin_clzl(size - 1);

    return (log2 - 7) * 8 + (unsigned)((size - 1) >> (log2 - 3));
}

/* For 0 < size <= SMALL_MAX, without a branch and without a table. */
static inline unsigned any_class(size_t size)
{
    /* Up to 128 bytes the steps are those of the doubling above. */
    unsigned log2 = 63 ^ (unsigned)__builtin_clzl((size - 1) | 128);

    return (log2 - 7) * 8 + (unsigned)((size - 1) >> (log2 - 3));
}

/* Returns the zone that a request belongs to by its size. */
static inline enum zone zone_of_size(size_t size)
{
    return size <= TINY_MAX ? ZONE_TINY : size <= SMALL_MAX ? ZONE_SMALL : ZONE_LARGE;
}

/* For size <= SMALL_MAX. */
static inline unsigned size_class_of(size_t size)
{
    return size <= TINY_MAX ? tiny_class(size) : spaced_class(size);
}

#endif
