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
enum { KNOWN_SMALL_SHIFT = 5 }; /* of the size of an entry */

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
 * A SMALL chunk. The start itself would seem to be a reference to the chunk. Aligned so that an
 * entry is found by a shift and a mask.
 */
struct bounds_small {
    _Alignas(1 << KNOWN_SMALL_SHIFT) uintptr_t minus_start;
    uint32_t size, state; /* the requested size */
    uint32_t state_at;    /* where the state is, from the start of the heap */
};

/*
 * What this thread has found since outside.changes had the value `changes`: TINY heaps and SMALL
 * chunks. A signal handler may look up and note something between any two steps: a heap is one
 * word, and a SMALL chunk is only believed if the address is inside and its state is the same,
 * which implies the class and the requested size. Descriptors of LARGE chunks are never unmapped,
 * and say themselves what they are.
 */
struct bounds_known {
    uint64_t changes;
    uintptr_t tiny[KNOWN_HEAPS];            /* starts of TINY heaps, by themselves */
    struct bounds_small small[KNOWN_SMALL]; /* by page */
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

#define BOUNDS_INLINE static inline __attribute__((always_inline))

/*
 * What this thread knows. The compiler does not see that it is the same everywhere; so functions
 * pass it on, and do not ask for the thread's memory again.
 */
BOUNDS_INLINE struct bounds_known *bounds_of_thread(void)
{
    struct bounds_known *known = &bounds_known;

    __asm__("" : "+r"(known));
    return known;
}

/* Relaxed: see outside_change(). */
BOUNDS_INLINE uint64_t bounds_changes(void)
{
    return atomic_load_explicit(&bounds_tables.outside->changes, memory_order_relaxed);
}

/*
 * Like tiny_bounds() of bins/bounds.h, given the start of the heap. What a division leaves is found
 * by the fraction that the multiplication by the inverse leaves, which is exact for such numbers.
 */
BOUNDS_INLINE bool bounds_tiny_allows(uintptr_t address, uintptr_t heap, size_t size)
{
    _Atomic uint8_t *states = pointer_to(heap);
    /* Relaxed, here and below: the holder of the chunk received it together with its state. */
    uint8_t class_byte = atomic_load_explicit(
        &states[TINY_WINDOWS_OFFSET + (address >> UNIT_SHIFT & (TINY_WINDOWS_SIZE - 1))],
        memory_order_relaxed);
    uint32_t within = address & (UNIT_SIZE - 1);
    size_t room = bounds_tables.tiny[class_byte].size;
    uint8_t seen;

    within *= bounds_tables.tiny[class_byte].inverse;
    within = (uint32_t)(within * room >> 32);
    seen = atomic_load_explicit(&states[(address - within - heap) / CHUNK_ALIGN],
                                memory_order_relaxed);
    return likely(size + within + bounds_tables.slack[seen] <= room);
}

BOUNDS_INLINE const struct bounds_small *bounds_small_at(const struct bounds_known *known,
                                                         uintptr_t address)
{
    uintptr_t at = address >> (OUTSIDE_PAGE_SHIFT - KNOWN_SMALL_SHIFT) & (KNOWN_SMALL - 1)
                                                                             << KNOWN_SMALL_SHIFT;

    return (const void *)((const char *)known->small + at);
}

BOUNDS_INLINE bool bounds_allow_small(const struct bounds_known *known, const void *pointer,
                                      size_t size)
{
    uintptr_t address = (uintptr_t)pointer, offset, state;
    const struct bounds_small *chunk = bounds_small_at(known, address);

    offset = address + chunk->minus_start;
    if (offset >= chunk->size || size > chunk->size - offset)
        return false;
    state = ((address - offset) & ~(uintptr_t)(SMALL_HEAP_SIZE - 1)) + chunk->state_at;
    return atomic_load_explicit((_Atomic uint32_t *)pointer_to(state), memory_order_relaxed) ==
           chunk->state;
}

BOUNDS_INLINE bool bounds_large_allows(const struct bounds_known *known, uintptr_t address,
                                       size_t size)
{
    const struct large *large = known->large[address >> BOUNDS_BLOCK_SHIFT & (KNOWN_LARGE - 1)];
    size_t offset = address - atomic_load_explicit(&large->address, memory_order_relaxed);
    /* One more than the size, or 0. */
    size_t requested = atomic_load_explicit(&large->requested, memory_order_relaxed);

    return offset < requested && size < requested - offset;
}

/* The numbers of this thread and of the process are the same: see bounds_current(). */
BOUNDS_INLINE bool bounds_clear_at(const struct bounds_known *known, uintptr_t address)
{
    return atomic_load_explicit(&bounds_clear[address >> OUTSIDE_PAGE_SHIFT & (KNOWN_CLEAR - 1)],
                                memory_order_relaxed) == outside_clear_at(address, known->changes);
}

/*
 * Returns true if what this thread has found is as good as new, and the size is none that would
 * make a sum overflow.
 */
BOUNDS_INLINE bool bounds_current(const struct bounds_known *known, size_t size)
{
    return likely(known->changes == bounds_changes()) && likely(size <= SIZE_MAX / 2);
}

/* The start of the heap if the address is in a TINY heap. */
BOUNDS_INLINE uintptr_t bounds_tiny_heap(uintptr_t address)
{
    return address & ~(uintptr_t)(TINY_HEAP_SIZE - 1);
}

/* Whether the address is in a TINY heap that the thread remembers. */
BOUNDS_INLINE bool bounds_is_tiny(const struct bounds_known *known, const void *pointer)
{
    uintptr_t address = (uintptr_t)pointer;

    return likely(known->tiny[address >> HEAP_SHIFT & (KNOWN_HEAPS - 1)] ==
                  bounds_tiny_heap(address));
}

/*
 * The following return true if the access is certainly allowed. They call nothing, so that a
 * function which ends in a call needs no frame. bounds_current() must have been asked before, and
 * for bounds_allow_tiny() also bounds_is_tiny().
 */
BOUNDS_INLINE bool bounds_allow_tiny(const void *pointer, size_t size)
{
    uintptr_t address = (uintptr_t)pointer;

    return bounds_tiny_allows(address, bounds_tiny_heap(address), size);
}

/* For an address in no heap. */
BOUNDS_INLINE bool bounds_allow_outside(const struct bounds_known *known, const void *pointer,
                                        size_t size)
{
    return bounds_clear_at(known, (uintptr_t)pointer) ||
           bounds_large_allows(known, (uintptr_t)pointer, size);
}

BOUNDS_INLINE bool bounds_allow(struct bounds_known *known, const void *pointer, size_t size)
{
    if (bounds_is_tiny(known, pointer))
        return bounds_allow_tiny(pointer, size);
    return bounds_allow_small(known, pointer, size) || bounds_allow_outside(known, pointer, size);
}

#endif
