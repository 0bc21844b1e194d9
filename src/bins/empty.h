/*
 * Chunks of 0 bytes in hardened mode: addresses that nobody can read or write, 16 bytes apart, in
 * regions of address space without memory. Bit maps in other memory say which of them are live, and
 * which ever were. An address that was freed is handed out again only after many others.
 *
 * Any thread may call any function here; no lock is taken. Every change is one atomic operation, so
 * a fork at any moment leaves everything in order.
 */
#ifndef FT_BINS_EMPTY_H
#define FT_BINS_EMPTY_H

#include "bins/chunk.h"

#include <stdatomic.h>

/* A region. It is declared here for readers outside of the process (debug/layout.h). */
struct empty_region {
    /* Constant. */
    uintptr_t base;
    size_t places;
    struct empty_region *next;
    /*
     * The place where the last search began. Written and read by any thread; relaxed, because it is
     * a hint.
     */
    _Atomic size_t hint;
    /*
     * Bits by place: the address was handed out before, and it is live. Any thread sets and clears
     * them; relaxed, because there is no memory behind an address whose accesses they could order.
     */
    _Atomic uint64_t *was;
    _Atomic uint64_t live[];
};

/*
 * The newest region first. Added to with release and read with acquire: whoever finds a region
 * finds it complete.
 */
extern _Atomic(struct empty_region *) empty_regions;

/*
 * Returns an address at a multiple of `align`, a power of two. Returns NULL if there is no such
 * address, or no memory.
 */
void *empty_alloc(size_t align);

/* Frees the live chunk at the address. Returns false if there is none; nothing has changed then. */
bool empty_free(uintptr_t address);

/* Like chunk_find(), for any value. Returns CHUNK_NONE for an address outside all regions. */
enum verdict empty_find(uintptr_t address, struct chunk *chunk);

/*
 * Calls visit_region for each region, then visit_chunk for its live chunks, in the order of
 * addresses. A chunk that is live all the while is visited.
 */
void empty_walk(void (*visit_region)(void *context, uintptr_t start, size_t size),
                void (*visit_chunk)(void *context, uintptr_t address), void *context);

#endif
