/*
 * A heap is one aligned range of address space that an arena cuts into slabs. TINY and SMALL have
 * heaps of their own. The first units hold what the allocator knows about the heap, so that nothing
 * of the allocator is stored between the chunks. heap_steps.h says when it becomes memory.
 *
 *   TINY, 4 MiB
 *     16 KiB   the class of each unit, a byte each, in the window that the address selects (2 KiB)
 *     19 KiB   a state byte for each 16 bytes of the heap (state of p: base + (p - base) / 16)
 *     256 KiB  struct heap
 *     258 KiB  a struct slab for each unit
 *     304 KiB  slabs of one unit each
 *   SMALL, 32 MiB
 *     0        four bytes of state for each 512 bytes of the heap
 *     257 KiB  the slab number + 1 of each unit, 16 bits each, the last unit first
 *     261 KiB  struct heap
 *     263 KiB  a struct slab for each slab number
 *     336 KiB  slabs of 2 to 16 units
 *
 * The "state" of a pointer into the first 304 KiB of a TINY heap is in the first 19 KiB. What is
 * stored there must never look like the state of a live chunk, so classes have the upper bit set.
 * In a SMALL heap those states stay zero.
 *
 * Only the holder of the arena's lock cuts and joins runs. A heap is added and removed under the
 * structure lock, and is not removed while a walker is in it (heap_walk.h), so that walkers find
 * all of it.
 */
#ifndef FT_BINS_HEAP_H
#define FT_BINS_HEAP_H

#include "bins/heap_ageing.h"
#include "bins/heap_map.h"
#include "bins/kept.h"
#include "bins/size_class.h"
#include "bins/space.h"

enum {
    TINY_HEAP_SIZE = 4 << 20,
    TINY_HEAP_SHIFT = 22,
    SMALL_HEAP_SIZE = 32 << 20,
    SMALL_HEAP_SHIFT = 25,
    TINY_WINDOWS_OFFSET = 16 << 10,
    TINY_WINDOWS_SIZE = 2 << 10,
    /*
     * struct heap and the records of the first slabs share a page, so that a heap of which little
     * is used touches few pages.
     */
    TINY_HEADER_OFFSET = 256 << 10,
    TINY_SLABS_OFFSET = TINY_HEADER_OFFSET - 1472,
    TINY_FIRST_UNIT = 19,
    TINY_UNITS = TINY_HEAP_SIZE / UNIT_SIZE,
    /* OS_PAGE of states describes so many units, as a power of two: 4 in TINY, 32 in SMALL. */
    TINY_STATES_SHIFT = 2,
    SMALL_STATES_SHIFT = 5,
    /* Every SMALL chunk is larger than a granule, so each chunk starts in a granule of its own. */
    SMALL_GRANULE = 512,
    /*
     * The numbers of the first units are used first, and the header behind them always is. So the
     * numbers are stored in falling order, the first unit's last, next to the header.
     */
    SMALL_NUMBERS_END = 261 << 10,
    SMALL_HEADER_OFFSET = SMALL_NUMBERS_END,
    SMALL_SLABS_OFFSET = 263 << 10,
    SMALL_FIRST_UNIT = 21,
    SMALL_UNITS = SMALL_HEAP_SIZE / UNIT_SIZE,
    SMALL_SLABS = SMALL_UNITS / 2,
    UNIT_WORDS = SMALL_UNITS / 64,
    /*
     * If address space is short, a heap covers only the first part of its aligned range, but no
     * less than this.
     */
    TINY_HEAP_LEAST = 512 << 10,
    SMALL_HEAP_LEAST = 1 << HEAP_SHIFT,
};

/*
 * How many mappings a heap is for the kernel: its memory, which grows by steps that the kernel
 * joins, and the address space around it. What is reserved behind the memory, the guard behind that
 * and the guard in front of the next heap are one mapping.
 */
enum { HEAP_MAPPINGS = 2 };

struct arena;
struct heap_set;

struct heap {
    /* Constant. On a cache line that only the frees of other threads read. */
    struct arena *arena;
    struct heap_set *set;
    uintptr_t base;
    /*
     * The size of its address space, a power of two and at most that of the zone; and the end of
     * its units, before the guard.
     */
    size_t size;
    unsigned units;
    /* The value of mappings_generation() when the heap was made. */
    unsigned generation;
    /*
     * The heaps of a set are numbered in the order of their creation, so the list of them is in
     * falling order.
     */
    uint64_t number;

    /*
     * All heaps of the set. Written under both the arena's lock and the structure lock; read under
     * one of them.
     */
    _Alignas(64) struct heap *next;
    struct heap *prev;
    /* How many walkers are in the heap: see heap_walk.c. */
    _Atomic uint32_t pins;
    /*
     * The heaps of the set that have free units. This and all fields below are guarded by the
     * arena's lock.
     */
    struct heap *next_open, *prev_open;
    /* How many units are in no slab. */
    uint32_t free_units;
    /* True if anything is noted of its pages: see heap_pages.h. */
    bool noted;
    /*
     * True if the heap is wholly free and not the one in reserve: it waits at the end of the open
     * list to be unmapped.
     */
    bool leaving;
    /* Which pages of states may have been written to: see heap_states.h. */
    uint64_t states_written;
    /*
     * Bit maps over the units: in no slab; written to since the kernel gave them; free for one
     * tick; lost because the kernel failed to renew them. A heap with lost units is never unmapped.
     */
    uint64_t vacant[UNIT_WORDS];
    uint64_t dirty[UNIT_WORDS];
    uint64_t aged[UNIT_WORDS];
    uint64_t lost[UNIT_WORDS];
    /* Vacant units whose memory made way for other fresh memory: see heap_set_make_way(). */
    uint64_t made_way[UNIT_WORDS];
    /*
     * Vacant units that are address space without memory, to be committed (heap_steps.h). And, in
     * hardened mode, guards (heap_guards.h), which are never in a slab, and their number.
     */
    uint64_t reserved[UNIT_WORDS];
    uint64_t guards[UNIT_WORDS];
    unsigned guard_units;
    /* How many units have states that can be written to: see heap_steps.h. */
    unsigned state_units;
    /* SMALL: the free slab numbers. */
    uint64_t free_numbers[SMALL_SLABS / 64];
};

/*
 * The own-heap table: the heaps of a set by address, for the fast path of free(). Each cache of the
 * arena has one. One comparison, own[number % OWN_HEAPS] == base, tells that an address lies in one
 * of our heaps and is aligned as a chunk is. There `base` is where a heap that contains the address
 * would begin, and `number` is that in units of a heap's size. If several heaps fall on the same
 * entry, one of them is in the table, and the heap map finds the others. An unused entry holds a
 * value that no heap in its place has: 0, and in the first entry OWN_NONE, which is no heap's base.
 *
 * Only the thread of the cache touches its table: it enters a heap that it made, and one in which
 * it frees a chunk. So a heap may be unmapped only by a thread that is alone with its arena,
 * because no other thread then has the heap in its table: see heap_set_enter().
 */
enum { OWN_HEAPS = 128, OWN_NONE = CHUNK_ALIGN };

struct own_heaps {
    uintptr_t of[OWN_HEAPS];
};

static inline bool heap_owned(const struct own_heaps *own, uintptr_t address, unsigned shift)
{
    return own->of[address >> shift & (OWN_HEAPS - 1)] == heap_key(address, shift);
}

/* Empties the table. */
void own_heaps_clear(struct own_heaps *own);

/* Enters the heap in which the address is, which is not in the table. */
static inline void own_heaps_enter(struct own_heaps *own, uintptr_t address, unsigned shift)
{
    own->of[address >> shift & (OWN_HEAPS - 1)] = address & ~(uintptr_t)0 << shift;
}

/*
 * A place in the list of a set's heaps, and in a heap of it; it stands for all that comes after a
 * unit. Without a heap, it is the end of the list.
 */
struct heap_place {
    struct heap *heap;
    uint64_t number; /* the number of the heap */
    unsigned unit;
};

/* A place in a round over all heaps of a set. Without a heap, no round is going on. */
struct page_place {
    struct heap *heap;
    unsigned page;
};

/* How free pages inside slabs are given back: see slab_pages.h. */
struct page_rounds {
    /* The round for old pages or malloc_trim(); and the one that makes way for fresh memory. */
    struct page_place age, way;
    bool trims;
    /* How many rounds for old pages are worth while if no more chunks are returned. */
    uint8_t rounds;
    /* Pages wait for 2^patience times the usual time. */
    uint8_t patience;
    /* When the last round for old pages began. */
    uint64_t began;
    /* Pages given back, and those wanted again; both are halved at every round for old pages. */
    unsigned given, wanted;
    /* Bytes of chunks and units that were returned; and the values when the rounds last began. */
    size_t returned, returned_age, returned_way;
    /* Bytes of fresh memory that no other memory made way for yet. */
    size_t fresh;
};

/* An arena's heaps of one zone. */
struct heap_set {
    /* Constant, down to `reclaim`. Everything below is guarded by the arena's lock. */
    struct arena *arena;
    uint16_t tag;
    bool small;
    heap_reclaim *reclaim;
    /*
     * The own-heap table of the thread that has the lock, or NULL if it has none for this arena;
     * and whether no other thread has one.
     */
    struct own_heaps *own;
    bool alone;
    /*
     * Written under the structure lock, too; read under one of the locks. Release: a fork may come
     * between any two stores.
     */
    _Atomic(struct heap *) heaps;
    /*
     * Heaps with free units; and one of them that is wholly free and kept in reserve.
     */
    struct heap *open, *open_last;
    struct heap *idle;
    /*
     * The state of a round over the open heaps, made at a tick: the next heap; whether a round is
     * going on; whether it is for malloc_trim(), which gives back everything; and whether the next
     * slow call should try again to unmap leaving heaps. `allowance` is how many units this call
     * may still give back, since that takes the kernel long.
     */
    struct heap *age_next;
    bool in_round, thorough, waiting;
    unsigned allowance;
    /* How many heaps the set ever had. */
    uint64_t count;
    /*
     * In the child of a fork: the place from which on chunks may be in state REMOTE without being
     * in a parcel, and the place from which on only the states are known: see recover.h. Written
     * with arena->repair_lock, too; read with one of the locks.
     */
    struct heap_place unswept;
    struct heap_place unknown;
    struct page_rounds pages;
    struct ageing ageing;
    /* Bytes of units that were handed out clean since arena_make_way() last looked. */
    size_t fresh;
    struct kept kept;
};

void heap_set_init(struct heap_set *set, struct arena *arena, uint16_t tag, bool small,
                   heap_reclaim *reclaim);

/*
 * Called by whoever has got the arena's lock: says which own-heap table is the caller's, if any,
 * and whether no other thread has one. Only then heaps are unmapped; otherwise all of their memory
 * is given back, and their address space serves the set again. `allowance` is how much may be given
 * back to the kernel until the lock is given back.
 */
static inline void heap_set_enter(struct heap_set *set, struct own_heaps *own, bool alone,
                                  unsigned allowance)
{
    set->own = own;
    set->alone = alone;
    set->allowance = allowance;
}

/*
 * Takes a run of units from a heap of the set, or from a new one; if possible, one that is memory
 * already. The number of the first unit is a multiple of `align`, a power of two and at most
 * SLAB_UNITS_MAX. Sets *clean if all of the run is still as the kernel gave it. Returns the heap
 * and the first unit. Returns NULL if there is no memory; nothing has changed then.
 */
struct heap *heap_set_take_aligned(struct heap_set *set, unsigned units, unsigned align,
                                   unsigned *first, bool *clean);

static inline struct heap *heap_set_take(struct heap_set *set, unsigned units, unsigned *first,
                                         bool *clean)
{
    return heap_set_take_aligned(set, units, 1, first, clean);
}

/* Returns whether heap_set_take_aligned() would find a run that is memory already. */
bool heap_set_keeps(const struct heap_set *set, unsigned units, unsigned align);

/*
 * Returns a run to its heap; its first `touched` units may have been written to. If the heap is
 * then wholly free, it may be unmapped.
 */
void heap_give_touched(struct heap *heap, unsigned first, unsigned units, unsigned touched);

static inline void heap_give(struct heap *heap, unsigned first, unsigned units)
{
    heap_give_touched(heap, first, units, units);
}

/*
 * How many units a slow call may give back: 8 MiB, which takes the kernel about half a millisecond.
 * HEAP_ALLOWANCE_ALL is for callers that have the time, or will not come again.
 */
enum { HEAP_ALLOWANCE = 512 };
#define HEAP_ALLOWANCE_ALL UINT32_MAX

/*
 * To be called once a tick: gives back the longer runs that were free at the last tick and still
 * are. What is free now may be given back at the next one. Continues where the call before stopped.
 * Returns false if something is left to do for another call.
 */
bool heap_set_age(struct heap_set *set);

/*
 * To be called at the end of slow calls if set->waiting: continues to unmap heaps that are wholly
 * free.
 */
void heap_set_let_go(struct heap_set *set);

/*
 * Unmaps the heaps of the set that are wholly free, including the one in reserve. Returns their
 * bytes.
 */
size_t heap_set_release(struct heap_set *set);

/* Gives all free memory of the set back to the kernel. Returns the bytes given back. */
size_t heap_set_trim(struct heap_set *set);

/*
 * Like heap_set_trim(), as far as the allowance permits. Returns false if more is left;
 * heap_set_age() continues with it.
 */
bool heap_set_trim_step(struct heap_set *set);

/*
 * Gives back up to so many units that are kept, the highest of each heap first, because the lowest
 * ones are used first. Returns how many it gave back.
 */
unsigned heap_set_make_way(struct heap_set *set, unsigned units);

/*
 * For the repair after a fork. heap_set_forget() empties the set. heap_forget() makes all units of
 * a heap free and dirty; heap_claim() then claims the units of a surviving slab; finally
 * heap_adopt() makes the heap one like the others.
 */
void heap_set_forget(struct heap_set *set);
void heap_forget(struct heap *heap);
void heap_adopt(struct heap *heap);
bool heap_claim(struct heap *heap, unsigned first, unsigned units);

/* Marks vacant units that may be a hole now: they are never used again. */
void heap_lose(struct heap *heap, unsigned first, unsigned units);

/*
 * Returns how many units, including those of the header, fit in this much address space: one guard
 * is in front of it, and one at its end.
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

/* Returns the header of the heap to which a tag of the heap map belongs. */
static inline struct heap *heap_at(uintptr_t address, uint16_t tag)
{
    uintptr_t size = tag & TAG_SMALL ? SMALL_HEAP_SIZE : TINY_HEAP_SIZE;
    uintptr_t offset = tag & TAG_SMALL ? SMALL_HEADER_OFFSET : TINY_HEADER_OFFSET;

    return pointer_to((address & ~(size - 1)) + offset);
}

#endif
