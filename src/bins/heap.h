/*
 * A heap is one aligned mmap that an arena cuts into slabs. TINY and SMALL have heaps of their own.
 * The first units hold what the allocator knows about the heap, so that nothing of the allocator is
 * stored between the chunks.
 *
 *   TINY, 4 MiB
 *     16 KiB   the class of each unit, a byte each, in the window that the address selects (2 KiB)
 *     19 KiB   a state byte for each 16 bytes of the heap (state of p: base + (p - base) / 16)
 *     256 KiB  a struct slab for each unit; struct heap in place of the first ones
 *     304 KiB  slabs of one unit each
 *   SMALL, 32 MiB
 *     0        four bytes of state for each 512 bytes of the heap
 *     256 KiB  struct heap
 *     258 KiB  the slab number + 1 of each unit, 16 bits each
 *     264 KiB  a struct slab for each slab number
 *     336 KiB  slabs of 2 to 16 units
 *
 * A pointer into the first 304 KiB of a TINY heap has its "state" in the first 19 KiB. What is
 * stored there must never look like the state of a live chunk, so classes have the upper bit set.
 * In a SMALL heap those states stay zero.
 *
 * Only the owner of the arena cuts and joins runs (in the pool, the holder of the arena's lock). A
 * heap is added and removed under the structure lock, and it is not removed while a walker is in it
 * (heap_walk.h), so that walkers find all of it.
 */
#ifndef FT_BINS_HEAP_H
#define FT_BINS_HEAP_H

#include "bins/heap_map.h"
#include "bins/size_class.h"

enum {
    TINY_HEAP_SIZE = 4 << 20,
    TINY_HEAP_SHIFT = 22,
    SMALL_HEAP_SIZE = 32 << 20,
    SMALL_HEAP_SHIFT = 25,
    TINY_WINDOWS_OFFSET = 16 << 10,
    TINY_WINDOWS_SIZE = 2 << 10,
    TINY_SLABS_OFFSET = 256 << 10,
    TINY_HEADER_OFFSET = TINY_SLABS_OFFSET,
    TINY_FIRST_UNIT = 19,
    TINY_UNITS = TINY_HEAP_SIZE / UNIT_SIZE,
    /* Every SMALL chunk is larger, so each starts in a granule of its own. */
    SMALL_GRANULE = 512,
    SMALL_HEADER_OFFSET = 256 << 10,
    SMALL_NUMBERS_OFFSET = 258 << 10,
    SMALL_SLABS_OFFSET = 264 << 10,
    SMALL_FIRST_UNIT = 21,
    SMALL_UNITS = SMALL_HEAP_SIZE / UNIT_SIZE,
    SMALL_SLABS = SMALL_UNITS / 2,
    UNIT_WORDS = SMALL_UNITS / 64,
    /*
     * Where address space is short, a heap covers only the first part of its aligned range; not
     * less than this.
     */
    TINY_HEAP_LEAST = 512 << 10,
    SMALL_HEAP_LEAST = 1 << HEAP_SHIFT,
};

/*
 * What a heap is for the kernel: its memory, and the guards around it, of which neighbours have one
 * together.
 */
enum { HEAP_MAPPINGS = 2 };

struct arena;
struct heap_set;

struct heap {
    /* Constant; on a line that only other threads' frees look at. */
    struct arena *arena;
    struct heap_set *set;
    uintptr_t base;
    /*
     * Of its address space, a power of two, at most the zone's; and the end of its units, before
     * the guard.
     */
    size_t size;
    unsigned units;
    /* mappings_generation() when it was made. */
    unsigned generation;
    /* The heaps of a set are numbered as they come, so the list of them is in falling order. */
    uint64_t number;

    /*
     * All heaps of the set. Structure lock to write; the owner and readers with the lock may read.
     */
    _Alignas(64) struct heap *next;
    struct heap *prev;
    /* Walkers that are in the heap: see heap_walk.c. */
    _Atomic uint32_t pins;
    /* The heaps of the set that have free units. Owner only, like all below. */
    struct heap *next_open, *prev_open;
    /* Units in no slab. */
    uint32_t free_units;
    /* Wholly free, and not in reserve: it waits at the end of the open list to be unmapped. */
    bool leaving;
    /*
     * Bit maps over the units: in no slab; written to since they came from the kernel; free for one
     * tick; lost when the kernel failed to renew them (a heap with lost units is never unmapped).
     */
    uint64_t vacant[UNIT_WORDS];
    uint64_t dirty[UNIT_WORDS];
    uint64_t aged[UNIT_WORDS];
    uint64_t lost[UNIT_WORDS];
    /* Renewed in a child of the fork that came after the heap was made: see heap_return.c. */
    uint64_t renewed[UNIT_WORDS];
    /*
     * Of a heap that is committed in steps: guards, which are in no slab ever, and how many there
     * are; and address space that is not memory yet, vacant nevertheless. See heap_guards.h.
     */
    uint64_t guards[UNIT_WORDS];
    uint64_t reserved[UNIT_WORDS];
    unsigned guard_units;
    /* SMALL: the slab numbers that are free. */
    uint64_t free_numbers[SMALL_SLABS / 64];
};

/*
 * The heaps of a set by address, for the fast path of free(): own[number % OWN_HEAPS] == base,
 * where base is where the heap of an address would begin, and number that in units of a heap's
 * size, says in one comparison that the address lies in a heap of ours, and is aligned as a chunk
 * is. Of heaps that fall on the same place one is in the table; the others are found by the heap
 * map. An entry that holds none holds what no heap in its place has: 0, and in the first place
 * OWN_NONE, which is no base at all.
 */
enum { OWN_HEAPS = 128, OWN_NONE = CHUNK_ALIGN };

static inline bool heap_owned(const uintptr_t *own, uintptr_t address, unsigned shift)
{
    uintptr_t misaligned = CHUNK_ALIGN - 1;

    return own[address >> shift & (OWN_HEAPS - 1)] ==
           (address & (~(uintptr_t)0 << shift | misaligned));
}

/*
 * A place in the list of a set's heaps, and in a heap of it: all that comes after a unit. No heap:
 * the end of all.
 */
struct heap_place {
    struct heap *heap;
    uint64_t number; /* the heap's */
    unsigned unit;
};

/* An arena's heaps of one zone. */
struct heap_set {
    struct arena *arena;
    uintptr_t *own;
    uint16_t tag;
    bool small;
    /*
     * Structure lock to write; owner and lock holders read. Release: a fork may come between any
     * two stores.
     */
    _Atomic(struct heap *) heaps;
    /* Owner only: heaps with free units; one that is wholly free is kept in reserve. */
    struct heap *open, *open_last;
    struct heap *idle;
    /*
     * A round over the open heaps, at a tick: which one is next; for malloc_trim, which wants all
     * of it. Whether heaps that leave are to be tried again at the next slow call. And how many
     * units may still go back in this one: that takes the kernel long.
     */
    struct heap *age_next;
    bool in_round, thorough, waiting;
    unsigned allowance;
    /* How many there ever were. */
    uint64_t count;
    /*
     * In the child of a fork: from which place on chunks may be in state REMOTE that are in no
     * parcel, and from which on nothing is known but the states: see recover.h. Who writes them has
     * arena->repair_lock; the owner reads them.
     */
    struct heap_place unswept;
    struct heap_place unknown;
};

void heap_set_init(struct heap_set *set, struct arena *arena, uintptr_t *own, uint16_t tag,
                   bool small);

/*
 * A run of units from some heap of the set, a new one if need be; its first one's number is a
 * multiple of `align`, a power of two and at most SLAB_UNITS_MAX. Sets *clean when all of it is
 * still as the kernel gave it. Returns the heap and the first unit, or NULL: no memory, and nothing
 * has changed.
 */
struct heap *heap_set_take_aligned(struct heap_set *set, unsigned units, unsigned align,
                                   unsigned *first, bool *clean);

static inline struct heap *heap_set_take(struct heap_set *set, unsigned units, unsigned *first,
                                         bool *clean)
{
    return heap_set_take_aligned(set, units, 1, first, clean);
}

/*
 * Takes a run back, of which the first `touched` units may have been written to; may give a heap
 * that is wholly free to the kernel.
 */
void heap_give_touched(struct heap *heap, unsigned first, unsigned units, unsigned touched);

static inline void heap_give(struct heap *heap, unsigned first, unsigned units)
{
    heap_give_touched(heap, first, units, units);
}

/*
 * How many units a slow call may give back: 8 MiB, which take the kernel about half a millisecond.
 * ALL: for whoever has the time, or will not come again.
 */
enum { HEAP_ALLOWANCE = 512 };
#define HEAP_ALLOWANCE_ALL UINT32_MAX

static inline void heap_set_allow(struct heap_set *set, unsigned allowance)
{
    set->allowance = allowance;
}

/*
 * Once a tick: the larger runs that were free at the last tick and still are go back to the kernel;
 * what is free now is next. Goes on with what the call before did not get to. False: something is
 * left to do, for another call.
 */
bool heap_set_age(struct heap_set *set);

/* At the end of slow calls, if set->waiting: goes on with heaps that are wholly free. */
void heap_set_let_go(struct heap_set *set);

/*
 * Bytes of units that are in no slab, and that the kernel has memory behind, because they were
 * written to.
 */
size_t heap_set_unused(const struct heap_set *set);

/* Gives the larger free runs to the kernel, whatever their age. */
void heap_set_purge(struct heap_set *set);

/*
 * Gives the heaps of the set that are wholly free to the kernel, with the one in reserve. Returns
 * their bytes.
 */
size_t heap_set_release(struct heap_set *set);

/* Gives all free memory of the set to the kernel. Returns the bytes given. */
size_t heap_set_trim(struct heap_set *set);

/* The same, as far as the allowance goes. False: more is left; heap_set_age() goes on with it. */
bool heap_set_trim_step(struct heap_set *set);

/*
 * For the repair after fork. No heap is known; a heap's units are all free, and dirty; then each
 * surviving slab is claimed; then the heap is one like others.
 */
void heap_set_forget(struct heap_set *set);
void heap_forget(struct heap *heap);
void heap_adopt(struct heap *heap);
bool heap_claim(struct heap *heap, unsigned first, unsigned units);

/* Vacant units that may be a hole now: they are never used again. */
void heap_lose(struct heap *heap, unsigned first, unsigned units);

/*
 * How many units, with those of the header, lie in so much address space: one guard is in front of
 * it, one in it.
 */
static inline unsigned heap_units_in(size_t size)
{
    return (unsigned)((size - 2 * os_page_size()) / UNIT_SIZE);
}

static inline unsigned heap_units(const struct heap *heap)
{
    return heap->units;
}

static inline unsigned heap_first_unit(const struct heap *heap)
{
    return heap->set->small ? SMALL_FIRST_UNIT : TINY_FIRST_UNIT;
}

static inline size_t heap_size(const struct heap *heap)
{
    return heap->size;
}

/* The header of the heap that a tag of the heap map says is there. */
static inline struct heap *heap_at(uintptr_t address, uint16_t tag)
{
    uintptr_t size = tag & TAG_SMALL ? SMALL_HEAP_SIZE : TINY_HEAP_SIZE;
    uintptr_t offset = tag & TAG_SMALL ? SMALL_HEADER_OFFSET : TINY_HEADER_OFFSET;

    return pointer_to((address & ~(size - 1)) + offset);
}

#endif
