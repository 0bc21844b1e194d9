/*
 * A bin: an arena's state for one size class. In front, a bounded stack of free chunks (the chunk
 * freed last is warm); behind it the slabs: the current one, from which the stack is filled, a ring
 * of partial ones, and an empty one in reserve. Full slabs are in no list. Owner only, all of it.
 *
 *   malloc: stack -> current slab -> the fullest of a few partial slabs -> spare slab
 *           -> a chunk of a larger class -> what was never touched: of the current slab, of a new
 * one free:   stack; when that is full, the half of it that lay there longest goes to the slabs
 */
#ifndef FT_BINS_BIN_H
#define FT_BINS_BIN_H

#include "bins/slab.h"

struct bin {
    /*
     * The stack of free chunks, slots[0] .. top[-1]. All zero, as in an arena that has no chunk, it
     * is empty and full.
     */
    _Alignas(64) void **top;
    void **end; /* where top is when the stack is full */
    void **slots;
    /* Constant: see state_live_base(). */
    uint32_t live;
    uint8_t size_class;
    uint8_t refills : 7;
    /* Filled or emptied since stacks that were not used were emptied. */
    bool used : 1;
    /* For how many there is room at `slots`. */
    uint16_t capacity;
    struct slab *current;
    struct slab *partial;
    struct slab *spare;
};

static_assert(sizeof(struct bin) == 64, "one cache line, and found by a shift");

enum { BINS_FLUSH_TICKS = 2 };
#define BINS_NO_TICKS UINT64_MAX

/* The bins of an arena. */
struct bins {
    struct bin of[SIZE_CLASSES];
    struct heap_set *tiny, *small;
    /*
     * Memory for the stacks, one behind the other; what is not taken into use yet begins at
     * next_slots.
     */
    void **slots;
    void **next_slots;
    /*
     * By how many bytes the stacks of SMALL chunks may still be lengthened, all together. When
     * nothing is left, there is what all arenas have in common: see bin.c.
     */
    size_t room;
    /* The bin that is the next to give up some of its length. */
    unsigned hand;
    /*
     * When the next tick is due (BINS_NO_TICKS: never, for tests); at every BINS_FLUSH_TICKS-th,
     * stacks that were not used are emptied.
     */
    uint64_t next_tick;
    unsigned ticks;
    /* A tick, or a piece of one, was made since arena_make_way() looked. */
    bool ticked;
    /* What is left to do of a tick: from which class on stacks are looked at, and whose heaps. */
    unsigned flush_next;
    bool tiny_ages, small_ages;
};

/*
 * Where the bin of a TINY size stands in an array of bins, by the size in units of CHUNK_ALIGN,
 * rounded up.
 */
extern const uint16_t tiny_bin_offsets[TINY_MAX / CHUNK_ALIGN + 1];

/*
 * How many slots all bins of an arena need, if each stack becomes as long as it may, step by step.
 */
size_t bins_slots(void);

/* Sets up the bins of an arena over `slots`, bins_slots() of them, zero-filled. */
void bins_init(struct bins *bins, void **slots, struct heap_set *tiny, struct heap_set *small);

static inline unsigned bin_count(const struct bin *bin)
{
    return (unsigned)(bin->top - bin->slots);
}

/* How many chunks the stack holds when it is full. */
static inline unsigned bin_limit(const struct bin *bin)
{
    return (unsigned)(bin->end - bin->slots);
}

/* How many that may become. */
unsigned bin_limit_max(const struct bin *bin);

/*
 * At the beginning of a slow call, and by whoever has the time: how much may go back to the kernel
 * in it.
 */
static inline void bins_allow(struct bins *bins, unsigned allowance)
{
    heap_set_allow(bins->tiny, allowance);
    heap_set_allow(bins->small, allowance);
}

/* All that is free in the heaps goes back, a piece now and the others with the next slow calls. */
void bins_trim(struct bins *bins);

/* For the repair after fork: nothing is cached and no slab is known. */
void bins_reset(struct bins *bins);

/*
 * Fills the empty stack with at least one chunk; with `random`, by random choice. False: no memory.
 */
bool bin_refill(struct bin *bin, uint64_t *random);

/*
 * One chunk straight from a slab, for an empty stack; sets *clean if its memory is zero. NULL: no
 * memory.
 */
void *bin_take_one(struct bin *bin, bool *clean);

/*
 * For a bin whose stack is empty: the bin that should serve the request: itself, or one of the next
 * larger classes, if that spares memory that was never touched; with `anything`, because there is
 * no more of that.
 */
struct bin *bin_lender(struct bin *bin, bool anything);

/* Makes room in a full stack, for one chunk at least. */
void bin_spill(struct bin *bin);

/* NULL: the stack is empty. */
static inline void *bin_pop(struct bin *bin)
{
    void **top = bin->top;

    if (unlikely(top == bin->slots))
        return NULL;
    bin->top = top - 1;
    /* No NULL is ever pushed: the caller's test of the result is the one above. */
    if (top[-1] == NULL)
        __builtin_unreachable();
    return top[-1];
}

/* False: the stack is full. */
static inline bool bin_push(struct bin *bin, void *chunk)
{
    void **top = bin->top;

    if (unlikely(top >= bin->end))
        return false;
    *top = chunk;
    bin->top = top + 1;
    return true;
}

/* Takes back a chunk whose state says so already. */
static inline void bin_free(struct bin *bin, void *chunk)
{
    if (unlikely(bin->top == bin->end))
        bin_spill(bin);
    *bin->top++ = chunk;
}

/* Stores the state of a chunk that is being handed out. */
static inline void bin_mark_live(const struct bin *bin, uintptr_t address, size_t requested)
{
    if (bin->size_class < TINY_CLASSES)
        tiny_mark_live(address, bin->live, requested);
    else
        small_mark_live(address, bin->live, requested);
}

/* Enters a slab that a rebuild found, wherever its number of vacant chunks puts it. */
void bin_adopt(struct bin *bin, struct slab *slab);

/*
 * Gives the stack's chunks to their slabs and all empty slabs to their heaps; the stack gets short
 * again.
 */
void bin_flush(struct bin *bin);

#endif
