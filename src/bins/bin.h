/*
 * A bin: an arena's chunks of one size class. In front is a bounded stack of free chunks (the chunk
 * freed last is in the processor's cache). Behind it are slabs: the current one, from which the
 * stack is filled, a ring of partial ones, and an empty spare one. Full slabs are in no list. Owner
 * only.
 *
 *   malloc: stack -> current slab -> the fullest of a few partial slabs -> spare slab
 *           -> a chunk of a larger class -> memory never touched, of the current slab or a new one
 *   free:   stack; if it is full, the half that has been in it longest is returned to the slabs
 */
#ifndef FT_BINS_BIN_H
#define FT_BINS_BIN_H

#include "bins/slab.h"

struct bin {
    /*
     * The stack of free chunks, slots[0] .. top[-1]. If all is zero, as in an arena that has no
     * chunk, the stack is both empty and full.
     */
    _Alignas(64) void **top;
    void **end; /* the value of `top` when the stack is full */
    void **slots;
    /* Constant: see state_live_base(). */
    uint32_t live;
    uint8_t size_class;
    uint8_t refills : 7;
    /* True if the stack was filled or emptied since unused stacks were last emptied. */
    bool used : 1;
    /* How many chunks there is room for at `slots`. */
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
     * Memory for the stacks, one behind the other. The part that is not used yet begins at
     * next_slots.
     */
    void **slots;
    void **next_slots;
    /*
     * By how many bytes all stacks of SMALL chunks together may still be lengthened. When nothing
     * is left, a sum that all arenas share is used: see bin.c.
     */
    size_t room;
    /* The next bin that will be asked to shorten its stack. */
    unsigned hand;
    /*
     * When the next tick is due, or BINS_NO_TICKS for never, in tests. At every BINS_FLUSH_TICKS-th
     * tick, unused stacks are emptied.
     */
    uint64_t next_tick;
    unsigned ticks;
    /* True if a tick, or a piece of one, was made since arena_make_way() last looked. */
    bool ticked;
    /*
     * What is left to do of a tick: the class from which on stacks have to be checked, and the sets
     * of heaps that have to be aged.
     */
    unsigned flush_next;
    bool tiny_ages, small_ages;
};

/*
 * The offset of the bin of a TINY size in an array of bins, by the size in units of CHUNK_ALIGN,
 * rounded up.
 */
extern const uint16_t tiny_bin_offsets[TINY_MAX / CHUNK_ALIGN + 1];

/*
 * Returns how many slots all bins of an arena need, if each stack becomes as long as it may, step
 * by step.
 */
size_t bins_slots(void);

/* Sets up the bins of an arena. `slots` are bins_slots() slots, zero-filled. */
void bins_init(struct bins *bins, void **slots, struct heap_set *tiny, struct heap_set *small);

static inline unsigned bin_count(const struct bin *bin)
{
    return (unsigned)(bin->top - bin->slots);
}

/* Returns how many chunks a full stack holds. */
static inline unsigned bin_limit(const struct bin *bin)
{
    return (unsigned)(bin->end - bin->slots);
}

/* Returns the most that this may become. */
unsigned bin_limit_max(const struct bin *bin);

/*
 * Sets how much may be given back to the kernel from now on. Called at the beginning of a slow
 * call, and by callers that have the time.
 */
static inline void bins_allow(struct bins *bins, unsigned allowance)
{
    heap_set_allow(bins->tiny, allowance);
    heap_set_allow(bins->small, allowance);
}

/*
 * Gives back everything that is free in the heaps: a piece now, and the rest in the next slow
 * calls.
 */
void bins_trim(struct bins *bins);

/* For the repair after a fork: empties all stacks and forgets all slabs. */
void bins_reset(struct bins *bins);

/*
 * Fills the empty stack with at least one chunk; with `random`, with randomly chosen ones. Returns
 * false if there is no memory.
 */
bool bin_refill(struct bin *bin, uint64_t *random);

/*
 * For an empty stack: takes one chunk from a slab. Sets *clean if its memory is zero. Returns NULL
 * if there is no memory.
 */
void *bin_take_one(struct bin *bin, bool *clean);

/*
 * For a bin whose stack is empty: returns the bin that should serve the request. This is the bin
 * itself, or one of the next larger classes if that spares memory that was never touched; or, with
 * `anything`, because there is no such memory any more.
 */
struct bin *bin_lender(struct bin *bin, bool anything);

/* Makes room in a full stack, for at least one chunk. */
void bin_spill(struct bin *bin);

/* Returns NULL if the stack is empty. */
static inline void *bin_pop(struct bin *bin)
{
    void **top = bin->top;

    if (unlikely(top == bin->slots))
        return NULL;
    bin->top = top - 1;
    /* No NULL is ever pushed, so the caller's test of the result is the same as the one above. */
    if (top[-1] == NULL)
        __builtin_unreachable();
    return top[-1];
}

/* Returns false if the stack is full. */
static inline bool bin_push(struct bin *bin, void *chunk)
{
    void **top = bin->top;

    if (unlikely(top >= bin->end))
        return false;
    *top = chunk;
    bin->top = top + 1;
    return true;
}

/* Takes back a chunk whose state already is FREE. */
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

/* Adds a slab that was rebuilt, in the place for its number of vacant chunks. */
void bin_adopt(struct bin *bin, struct slab *slab);

/*
 * Returns the stack's chunks to their slabs and all empty slabs to their heaps, and shortens the
 * stack.
 */
void bin_flush(struct bin *bin);

#endif
