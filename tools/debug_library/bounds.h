/*
 * Where chunks begin and end, for the checks. Most programs copy small pieces all the time, so the
 * usual cases are decided here, in a few instructions, with the tables of libft_malloc.so and with
 * what earlier look-ups found. These quick tests only ever say that an access is allowed; whatever
 * they do not allow is looked up, by bounds_room(), which is exact.
 *
 * ft_malloc_layout tells where the tables are and how they are made. If they are not made as this
 * library was compiled for, the heap map seems to be empty, and each address is asked about. Before
 * the constructor has run, or without libft_malloc.so, no address is in a chunk.
 */
#ifndef FT_DEBUG_LIBRARY_BOUNDS_H
#define FT_DEBUG_LIBRARY_BOUNDS_H

#include "base/outside.h"
#include "bins/slab.h"
#include "ft_malloc.h"
#include "large/bounds_tables.h"
#include "large/registry.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { KNOWN_HEAPS = 32, KNOWN_SMALL = 64, KNOWN_LARGE = 16, KNOWN_CLEAR = 4096 };

/* So the compiler addresses them directly, and not by the table of the dynamic linker. */
#define BOUNDS_HIDDEN __attribute__((visibility("hidden")))

/* As in struct size_class. */
struct bounds_class {
    uint32_t size, inverse;
};

struct bounds_tables {
    const struct heap_map *map;
    const struct outside *outside;
    struct ft_malloc_extent (*ask)(const void *pointer);
    struct bounds_class of[SIZE_CLASSES];
    /* By what a TINY heap has for the unit. Without a class, also behind the last unit, zeros. */
    struct bounds_class tiny[UINT8_MAX + 1];
    /* The slack of a TINY chunk by its state; more than any size if it is not live. */
    uint16_t slack[UINT8_MAX + 1];
};

/* Written once, by the constructor, while there is one thread. */
extern struct bounds_tables bounds_tables BOUNDS_HIDDEN;

/*
 * What this thread has found since outside.changes had the value `changes`: 4 MiB of address space
 * that are of a heap, and SMALL chunks. A signal handler may look up and note something between
 * any two steps: a heap is one word, and a SMALL chunk is only believed if its state is as in `is`,
 * which implies the class and the requested size. Descriptors of LARGE chunks are never unmapped,
 * and say themselves what they are.
 */
struct bounds_known {
    uint64_t changes;
    uint32_t heaps[KNOWN_HEAPS]; /* address >> HEAP_SHIFT; plus HEAP_IS_SMALL in SMALL heaps */
    struct {
        uintptr_t minus_start; /* the start itself would seem to be a reference to the chunk */
        uint64_t is; /* the requested size in the upper half, the state in the lower one */
    } small[KNOWN_SMALL];
    const struct large *large[KNOWN_LARGE]; /* by 256 KiB of address space */
};

extern _Thread_local struct bounds_known bounds_known BOUNDS_HIDDEN;

/* Pages in which there is no chunk, of all threads: each is outside_clear_at(). Relaxed. */
extern _Atomic uint64_t bounds_clear[KNOWN_CLEAR] BOUNDS_HIDDEN;

/* Called once, by the constructor. Returns false, and changes nothing, without libft_malloc.so. */
bool bounds_begin(void);

/* Returns how many bytes of the chunk begin at the address: SIZE_MAX if it is in no chunk. */
size_t bounds_room(const void *pointer);

/* Returns whether the access is allowed. */
bool bounds_hold(const void *pointer, size_t size);

/*
 * Like bounds_hold(), but the access may go on into the next chunk if that is live and begins just
 * behind the last byte of this one. Chunks that fill their class lie side by side, and programs
 * such as nginx hand two buffers to the kernel as one if one ends where the other begins.
 */
bool bounds_hold_joined(const char *from, size_t size);

#define HEAP_IS_SMALL (UINT32_C(1) << 31)
#define BOUNDS_INLINE static inline __attribute__((always_inline))

/* What bounds_allow() is to be given. Relaxed: see outside_change(). */
BOUNDS_INLINE uint64_t bounds_changes(void)
{
    return atomic_load_explicit(&bounds_tables.outside->changes, memory_order_relaxed);
}

/* Like tiny_bounds() of bins/bounds.h. */
BOUNDS_INLINE bool bounds_tiny_allows(uintptr_t address, size_t size)
{
    uintptr_t offset = address & (TINY_HEAP_SIZE - 1), within = address & (UNIT_SIZE - 1);
    /* Relaxed, here and below: the holder of the chunk received it together with its state. */
    uint8_t class_byte = atomic_load_explicit(tiny_unit_class(address), memory_order_relaxed);
    size_t room = bounds_tables.tiny[class_byte].size;
    uint8_t seen;

    within -= (within * bounds_tables.tiny[class_byte].inverse >> 32) * room;
    seen = atomic_load_explicit(tiny_heap(address) + (offset - within) / CHUNK_ALIGN,
                                memory_order_relaxed);
    return likely(!__builtin_sub_overflow(room, within + bounds_tables.slack[seen], &room)) &&
           likely(size <= room);
}

BOUNDS_INLINE bool bounds_small_allows(uintptr_t address, size_t size)
{
    size_t number = address >> OUTSIDE_PAGE_SHIFT & (KNOWN_SMALL - 1);
    uintptr_t offset = address + bounds_known.small[number].minus_start;
    uint64_t is = bounds_known.small[number].is;
    size_t whole = is >> 32;

    return offset < whole && size <= whole - offset &&
           atomic_load_explicit(small_state(address - offset), memory_order_relaxed) ==
               (uint32_t)is;
}

BOUNDS_INLINE bool bounds_large_allows(uintptr_t address, size_t size)
{
    const struct large *large =
        bounds_known.large[address >> BOUNDS_BLOCK_SHIFT & (KNOWN_LARGE - 1)];
    size_t offset = address - atomic_load_explicit(&large->address, memory_order_relaxed);
    /* One more than the size, or 0. */
    size_t requested = atomic_load_explicit(&large->requested, memory_order_relaxed);

    return offset < requested && size < requested - offset;
}

/*
 * Returns true if the access is certainly allowed. It calls nothing, so that a function which ends
 * in a call needs no frame. bounds_current() must have been asked before.
 */
BOUNDS_INLINE bool bounds_allow(const void *pointer, size_t size, uint64_t changes)
{
    uintptr_t address = (uintptr_t)pointer;
    uint32_t heap = (uint32_t)(address >> HEAP_SHIFT);

    heap ^= bounds_known.heaps[heap & (KNOWN_HEAPS - 1)];
    if (likely(heap == 0))
        return bounds_tiny_allows(address, size);
    if (heap == HEAP_IS_SMALL)
        return bounds_small_allows(address, size);
    if (likely(
            atomic_load_explicit(&bounds_clear[address >> OUTSIDE_PAGE_SHIFT & (KNOWN_CLEAR - 1)],
                                 memory_order_relaxed) == outside_clear_at(address, changes)))
        return true;
    return bounds_large_allows(address, size);
}

/* Returns true if what this thread has found is as good as new. */
BOUNDS_INLINE bool bounds_current(uint64_t changes)
{
    return likely(bounds_known.changes == changes);
}

#endif
