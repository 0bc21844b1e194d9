/*
 * FT_MALLOC_HARDEN=1: the public calls, hardened. The doors call these functions after their fast
 * path has missed, which it always does: in a hardened process the paths name no cache.
 * Chunks are handed out in random order, with a canary behind them (base/canary.h). Freed chunks
 * are wiped, and wait in a quarantine (arena/chunk_quarantine.h). The layers below do not know the
 * mode, only its mitigations: see policy_guards() and the others in base/options.h.
 *
 * Each call has a hit path of its own, for a cache that is the thread's own while no mode is on:
 * thread_self.hardened. A miss ends in a tail call, so that the hit needs no stack frame.
 */
#ifndef FT_API_HARDENED_H
#define FT_API_HARDENED_H

#include "api/api.h"
#include "arena/chunk_quarantine.h"
#include "base/canary.h"
#include "base/options.h"
#include "bins/beside.h"

#include <string.h>

/* Returns whether the process runs hardened, also if this is the first call of all. */
static inline bool hardened(void)
{
    if (unlikely(thread_hardened() != NULL))
        return true;
    if (unlikely(thread_self.home == NULL))
        thread_runtime_init(NULL);
    return unlikely(options.harden);
}

/* What the doors continue with when the hit path misses. A mode may want to see the call. */
void *hardened_malloc_slow(size_t size);
void *hardened_calloc_slow(size_t size);
void hardened_free_slow(void *pointer);

/* Services of the calls. */
void hardened_free_any(void *pointer);
void hardened_free_told(void *pointer, const size_t *size, const size_t *align,
                        const char *function);
void *hardened_realloc(void *pointer, size_t size);
size_t hardened_usable_size(const struct chunk *chunk);

/*
 * Services. `align` is a power of two. Return NULL, with errno set to ENOMEM, if there is no
 * memory. The second clears the memory.
 */
void *hardened_alloc(size_t size, size_t align);
void *hardened_alloc_clear(size_t size);

/*
 * Service: allocates room for a LARGE chunk that moves because it grows, and that can go on growing
 * there.
 */
void *hardened_alloc_growing(size_t size);

/*
 * Frees a live chunk that was looked up. The report names `function` if the canary is not intact.
 */
void hardened_free_found(const struct chunk *chunk, const char *function);

/* Reports a canary that was destroyed, and restores it for programs that continue. */
void hardened_check(const struct chunk *chunk, const char *function);

/*
 * Both require that the arena is entered. The first takes a chunk of the class, which has at least
 * one byte of slack. The second frees a live chunk of the arena.
 */
void *hardened_take(struct cache *cache, unsigned size_class, size_t requested);
void hardened_give(struct cache *cache, const struct chunk *chunk, const char *function);

/*
 * Returns the class for a request below SMALL_MAX. It has at least one byte more than that, and a
 * TINY one at most 64.
 */
static inline unsigned hardened_class(size_t size)
{
    return size < TINY_MAX ? tiny_class_by_granule[size / CHUNK_ALIGN + 1] : spaced_class(size + 1);
}

/*
 * The hit paths above TINY are out of line. The first returns NULL if a slow call is needed. The
 * second does nothing and returns false if no live chunk of this arena is at the address, or, with
 * `sized`, not one of that size.
 */
void *hardened_take_small(struct cache *cache, size_t size);
bool hardened_free_small(struct cache *cache, uintptr_t address, bool sized, size_t size);

/*
 * Reports a chunk that was written to while it was free, and hands it out to programs that
 * continue.
 */
void *hardened_take_written(struct stack *stack, uintptr_t chunk, size_t requested);

/* Reports a chunk whose canary was destroyed, and frees it nevertheless. */
void hardened_free_overflowed(struct cache *cache, uintptr_t address, size_t requested,
                              size_t usable);

/* Frees a TINY chunk that is too long to be wiped without a call. */
void hardened_free_longer(struct cache *cache, uintptr_t address, size_t requested,
                          unsigned size_class);

static inline void hardened_mark_tiny(uintptr_t chunk, size_t slack)
{
    /*
     * Stored before the canary: a chunk in state FREE is zero, also in the child of a fork that
     * another thread makes now.
     */
    tiny_rewrite(chunk, STATE_FREE, STATE_LIVE, slack);
    atomic_signal_fence(memory_order_seq_cst);
}

/* For a size below TINY_MAX. */
static inline void *hardened_take_tiny(struct cache *cache, size_t size)
{
    struct stack *stack = cache_tiny_stack(cache, size + 1);
    uintptr_t chunk = (uintptr_t)stack_pop(stack);
    size_t usable = tiny_base_size(stack->live);

    if (unlikely(chunk == 0))
        return NULL;
    /* The chunk below is the next one. Below the lowest chunk is another stack, or the cache. */
    __builtin_prefetch(stack->top[-1], 1);
    if (unlikely(!canary_zero(chunk, usable)))
        return hardened_take_written(stack, chunk, size);
    hardened_mark_tiny(chunk, usable - size);
    canary_set(chunk, size, usable);
    return pointer_to(chunk);
}

static inline __attribute__((always_inline)) bool
hardened_free_tiny(struct cache *cache, uintptr_t address, bool sized, size_t size)
{
    _Atomic uint8_t *state = tiny_chunk_state(address);
    uint8_t seen =
        atomic_load_explicit(state, memory_order_relaxed); /* relaxed: the caller holds the chunk */
    size_t requested, usable;
    unsigned size_class;

    if (unlikely(!tiny_lives(seen)))
        return false;
    size_class = (unsigned)tiny_chunk_class(address);
    usable = tiny_base_size(cache->stacks.of[size_class].live);
    requested = usable - tiny_slack_with_canary(seen);
    if (sized && unlikely(size != requested))
        return false;
    if (unlikely(!canary_intact(address, requested, usable))) {
        hardened_free_overflowed(cache, address, requested, usable);
        return true;
    }
    if (unlikely(beside_tiny(address, usable, state)))
        beside_check(address, usable);
    if (usable > CANARY_CLEAR_MAX) {
        hardened_free_longer(cache, address, requested, size_class);
    } else {
        canary_clear(address, usable);
        /* Release: a chunk in state FREE is zero, also in the child of a fork. */
        tiny_turn(address, seen, STATE_LIVE, STATE_FREE, memory_order_release);
        chunk_quarantine_add(cache, address, size_class);
    }
    return true;
}

static inline void *hardened_take_any(struct cache *cache, size_t size)
{
    /* Excludes 0: see bins/empty.h. */
    if (likely(size - 1 < TINY_MAX - 1))
        return hardened_take_tiny(cache, size);
    return size - 1 < SMALL_MAX - 1 ? hardened_take_small(cache, size) : NULL;
}

static inline __attribute__((always_inline)) bool
hardened_free_quick(struct cache *cache, uintptr_t address, bool sized, size_t size)
{
    /* Both the chunk and its state will be read, and the processor may fetch them at once. */
    __builtin_prefetch(pointer_to(address), 1);
    if (likely(heap_owned(&cache->own_tiny, address, TINY_HEAP_SHIFT)))
        return hardened_free_tiny(cache, address, sized, size);
    return heap_owned(&cache->own_small, address, SMALL_HEAP_SHIFT) &&
           hardened_free_small(cache, address, sized, size);
}

/*
 * Returns the cache if it is the thread's own and nothing has to be done for it first, else NULL.
 */
static inline struct cache *hardened_cache(void)
{
    struct cache *cache = thread_hardened();

    return cache == NULL || unlikely(arena_is_damaged(cache->arena)) ? NULL : cache;
}

static inline void *hardened_take_hit(size_t size)
{
    struct cache *cache = hardened_cache();

    return cache == NULL ? NULL : hardened_take_any(cache, size);
}

/* With `sized`, frees only a chunk of that size. */
static inline __attribute__((always_inline)) bool hardened_free_hit(void *pointer, bool sized,
                                                                    size_t size)
{
    struct cache *cache = hardened_cache();

    return cache != NULL && likely(hardened_free_quick(cache, (uintptr_t)pointer, sized, size));
}

static inline void *hardened_malloc(size_t size)
{
    void *chunk = hardened_take_hit(size);

    return likely(chunk != NULL) ? chunk : hardened_malloc_slow(size);
}

static inline void *hardened_calloc(size_t size)
{
    void *chunk = hardened_take_hit(size);

    if (unlikely(chunk == NULL))
        return hardened_calloc_slow(size);
    /* The chunk was checked up to that length. */
    if (size > CANARY_ZERO_MAX)
        memset((char *)chunk + CANARY_ZERO_MAX, 0, size - CANARY_ZERO_MAX);
    return chunk;
}

static inline void hardened_free(void *pointer)
{
    if (!hardened_free_hit(pointer, false, 0))
        hardened_free_slow(pointer);
}

#endif
