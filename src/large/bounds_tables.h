/*
 * What large_bounds() remembers: see large/bounds.c, which alone writes it. libft_malloc_debug.so
 * finds it in struct outside, and reads it before it asks. Tables are never unmapped. Accesses are
 * relaxed: descriptors are never unmapped either, and each entry and each descriptor says what it
 * is.
 */
#ifndef FT_LARGE_BOUNDS_TABLES_H
#define FT_LARGE_BOUNDS_TABLES_H

#include "base/outside.h"

enum {
    BOUNDS_BLOCK_SHIFT = 18, /* a LARGE chunk is rarely smaller */
    BOUNDS_BLOCKS = 8192,
    BOUNDS_PAGES = 8192,
};

struct large;

struct bounds_of_large {
    /* For 256 KiB: the chunk that begins before them, and the one that begins inside. */
    _Atomic(struct large *) around[BOUNDS_BLOCKS][2];
    /* Pages that no mapping reached: outside_clear_at(). */
    _Atomic uint64_t clear[BOUNDS_PAGES];
};

static inline size_t bounds_hash(uintptr_t number, size_t size)
{
    return (uint64_t)number * UINT64_C(0x9e3779b97f4a7c15) >> 40 & (size - 1);
}

static inline _Atomic(struct large *) *bounds_around(struct bounds_of_large *tables,
                                                     uintptr_t address)
{
    return tables->around[bounds_hash(address >> BOUNDS_BLOCK_SHIFT, BOUNDS_BLOCKS)];
}

static inline _Atomic uint64_t *bounds_page(struct bounds_of_large *tables, uintptr_t address)
{
    return &tables->clear[bounds_hash(address >> OUTSIDE_PAGE_SHIFT, BOUNDS_PAGES)];
}

#endif
