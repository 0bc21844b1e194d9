/*
 * An arena with FT_MALLOC_HARDEN: chunks are handed out in random order, with a canary behind them
 * (base/canary.h); freed ones are wiped, and wait in a quarantine before they can be handed out
 * again. The arena is entered, or locked; owner only.
 */
#ifndef FT_ARENA_HARDENED_H
#define FT_ARENA_HARDENED_H

#include "arena/arena.h"
#include "base/canary.h"
#include "bins/beside.h"

/* Instead of arena_alloc(); the class has at least a byte of slack. */
void *hardened_alloc(struct arena *arena, unsigned size_class, size_t requested);

/* Frees a live chunk of any arena; `arena`, the caller's, may be NULL. */
void hardened_free(struct arena *arena, const struct chunk *chunk, const char *function);

/*
 * Takes a chunk of this arena back that others have freed, and wiped but for `held` bytes of a
 * parcel.
 */
void hardened_arrive(struct arena *arena, const struct chunk *chunk, size_t held);

/* Reports a canary that was destroyed, and puts it in order again for those who go on. */
void hardened_check(const struct chunk *chunk, const char *function);

/* Nothing waits any more. */
void hardened_flush(struct arena *arena);

/* For the repair after fork: what waits is found by its state. */
void hardened_forget(struct arena *arena);

/* The class for a request below SMALL_MAX: it has a byte more than that, and TINY at most 64. */
static inline unsigned hardened_class(size_t size)
{
    return size < TINY_MAX ? tiny_class_by_granule[size / CHUNK_ALIGN + 1] : spaced_class(size + 1);
}

/*
 * The usual cases, for an arena of the thread's own: what misses ends in a tail call, so that the
 * rest needs no stack frame. NULL: a slow call is needed. False: no live chunk of ours is at the
 * address, or, with `sized`, not one of that size; nothing was done.
 */
void *hardened_alloc_small(struct arena *arena, size_t size);
bool hardened_free_small(struct arena *arena, uintptr_t address, bool sized, size_t size);

/* A chunk that was written to while it was free is reported, and handed out to those who go on. */
void *hardened_alloc_written(struct bin *bin, uintptr_t chunk, size_t requested);

/* A chunk whose canary was destroyed is reported, and freed nevertheless. */
void hardened_free_overflowed(struct arena *arena, uintptr_t address, size_t requested,
                              size_t usable);

/*
 * Reports it if free memory beside a chunk was written to. The chunk is one of the arena that the
 * caller owns.
 */
void hardened_look_beside(uintptr_t address, size_t usable);

/* A TINY chunk that is not wiped without a call. */
void hardened_free_longer(struct arena *arena, uintptr_t address, size_t requested,
                          unsigned size_class);

/*
 * A chunk that is wiped, and whose state says FREE, waits; the oldest ones may not have to any
 * longer.
 */
void hardened_put(struct arena *arena, uintptr_t address, unsigned size_class);

static inline void hardened_mark_tiny(uintptr_t chunk, size_t slack)
{
    /*
     * Before there is a canary: what says FREE is zero, also in the child of a fork that another
     * thread makes now.
     */
    tiny_rewrite(chunk, STATE_FREE, STATE_LIVE, slack);
    atomic_signal_fence(memory_order_seq_cst);
}

/* For a size below TINY_MAX. */
static inline void *hardened_alloc_tiny(struct arena *arena, size_t size)
{
    struct bin *bin = arena_tiny_bin(arena, size + 1);
    uintptr_t chunk = (uintptr_t)bin_pop(bin);
    size_t usable = tiny_base_size(bin->live);

    if (unlikely(chunk == 0))
        return NULL;
    /* The one below is next; below the lowest lies another stack, or the arena. */
    __builtin_prefetch(bin->top[-1], 1);
    if (unlikely(!canary_zero(chunk, usable)))
        return hardened_alloc_written(bin, chunk, size);
    hardened_mark_tiny(chunk, usable - size);
    canary_set(chunk, size, usable);
    return pointer_to(chunk);
}

static inline __attribute__((always_inline)) bool
hardened_free_tiny(struct arena *arena, uintptr_t address, bool sized, size_t size)
{
    _Atomic uint8_t *state = tiny_state(address);
    uint8_t seen =
        atomic_load_explicit(state, memory_order_relaxed); /* the caller holds the chunk */
    size_t requested, usable;
    unsigned size_class;

    if (unlikely(!tiny_lives(seen)))
        return false;
    size_class = (unsigned)tiny_class_around(address);
    usable = tiny_base_size(arena->bins.of[size_class].live);
    requested = usable - tiny_slack_hardened(seen);
    if (sized && unlikely(size != requested))
        return false;
    if (unlikely(!canary_intact(address, requested, usable))) {
        hardened_free_overflowed(arena, address, requested, usable);
        return true;
    }
    if (unlikely(beside_tiny(address, usable, state)))
        hardened_look_beside(address, usable);
    if (usable > CANARY_CLEAR_MAX) {
        hardened_free_longer(arena, address, requested, size_class);
    } else {
        canary_clear(address, usable);
        /* Release: what says FREE is zero, also in the child of a fork. */
        tiny_turn(address, seen, STATE_LIVE, STATE_FREE, memory_order_release);
        hardened_put(arena, address, size_class);
    }
    return true;
}

static inline void *hardened_alloc_quick(struct arena *arena, size_t size)
{
    /* Not 0: see bins/empty.h. */
    if (likely(size - 1 < TINY_MAX - 1))
        return hardened_alloc_tiny(arena, size);
    return size - 1 < SMALL_MAX - 1 ? hardened_alloc_small(arena, size) : NULL;
}

static inline __attribute__((always_inline)) bool
hardened_free_quick(struct arena *arena, uintptr_t address, bool sized, size_t size)
{
    /* It is looked at, and so is its state: the processor may fetch both at once. */
    __builtin_prefetch(pointer_to(address), 1);
    if (likely(heap_owned(arena->own_tiny, address, TINY_HEAP_SHIFT)))
        return hardened_free_tiny(arena, address, sized, size);
    return heap_owned(arena->own_small, address, SMALL_HEAP_SHIFT) &&
           hardened_free_small(arena, address, sized, size);
}

#endif
