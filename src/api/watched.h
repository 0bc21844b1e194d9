/*
 * The slow halves of the doors while a mode is on (base/modes.h). A call that allocates takes these
 * steps:
 *
 *   1. limit, fail    the mode refuses it: NULL and ENOMEM;
 *   2. guard          if (mode_is_on(MODE_GUARD) && guard_due(size, align))
 *                         chunk = guard_take(size, align, frame);
 *   3. profile        if (mode_is_on(MODE_PROFILE) && profile_due(size) && chunk == NULL)
 *                         chunk = profile_take(size, align, frame);
 *   4. the service    that allocates as if no mode were on: hardened or not, from the thread's own
 *                     cache if it may use one;
 *   5. fill           the new bytes, except for calloc, which clears what step 2, 3 or 4 returned;
 *   6. the event      (debug/event.h).
 *
 * Steps 2 and 3 are in take() of watched.c. Each may return NULL, and then the next one serves. A
 * free emits its event, is filled, and is freed by the service, which knows the chunks of steps 2
 * and 3: see api_free_any() and free_unknown().
 *
 * Each door ends in a tail call of one of these, so the frame here is the one that the program's
 * call made: see `frame` in struct event. The functions that take a frame are for doors that cannot
 * end so.
 */
#ifndef FT_API_WATCHED_H
#define FT_API_WATCHED_H

#include "api/api.h"
#include "debug/event.h"
#include "debug/guard.h"
#include "debug/profile.h"
#include "debug/stats.h"

#include <stdbool.h>
#include <stddef.h>

/* Whether a call that allocates so many bytes, at most SMALL_MAX, need only be counted. */
static inline bool watched_may_count(size_t size)
{
    return likely(thread_self.calls_left > 0) && likely((int64_t)size < thread_self.bytes_left);
}

static inline void watched_count(size_t size)
{
    thread_self.calls_left--;
    thread_self.bytes_left -= (int64_t)size + 1;
}

/*
 * While only a profile and guards are on, nearly every call is counted and then served from a
 * stack. Does that, for a size of at most TINY_MAX. Returns NULL, having done nothing, if the call
 * has more steps.
 */
static inline __attribute__((always_inline)) void *watched_take_tiny(size_t size)
{
    void *chunk = NULL;

    if (watched_may_count(size))
        chunk = tiny_take(tiny_stack_at(&thread_self.counted, size), size);
    if (likely(chunk != NULL))
        watched_count(size);
    return chunk;
}

/* The same for any size. */
static inline __attribute__((always_inline)) void *watched_take_counted(size_t size)
{
    void *chunk = NULL;

    if (likely(size <= TINY_MAX))
        return watched_take_tiny(size);
    if (size <= SMALL_MAX && watched_may_count(size))
        chunk = small_take(small_stack_at(&thread_self.counted, size), size);
    if (likely(chunk != NULL))
        watched_count(size);
    return chunk;
}

/* relaxed: counting has nothing to prepare */
static inline bool watched_for_stats(void)
{
    return atomic_load_explicit(&modes_on, memory_order_relaxed) == MODE_STATS;
}

/*
 * With counting alone, nearly every call is served from a stack and then counted. Does that.
 * Returns NULL, having done nothing, if the call has more steps.
 */
static inline __attribute__((always_inline)) void *watched_take_for_stats(enum event_kind kind,
                                                                          size_t size)
{
    void *chunk = watched_for_stats() ? api_take(thread_self.cache, size) : NULL;

    if (likely(chunk != NULL))
        stats_count_taken(kind, size);
    return chunk;
}

/* With counting alone, counts a free. Returns false, having done nothing, if it has more steps. */
static inline __attribute__((always_inline)) bool watched_free_for_stats(const void *pointer)
{
    if (unlikely(!watched_for_stats()) || unlikely(pointer == NULL))
        return false;
    stats_add(stats_stripe(), EVENT_FREE, 1);
    return true;
}

/* `size` of calloc is the product. All set errno to ENOMEM if they return NULL. */
void *watched_malloc(size_t size);
void *watched_calloc(size_t size);
void *watched_aligned(size_t align, size_t size);
void *watched_realloc(void *pointer, size_t size);
/* If watched_may_count(), for an address in an own heap: counts the call, and does the rest. */
void *watched_realloc_counted(void *pointer, size_t size);
int watched_posix_memalign(void **result, size_t align, size_t size);
void watched_free(void *pointer);

/*
 * A free whose caller says the size, the alignment, or both. `told` says which of them; `function`
 * is for the report.
 */
enum { TOLD_SIZE = 1, TOLD_ALIGN = 2 };
void watched_free_told(void *pointer, size_t size, size_t align, unsigned told,
                       const char *function);

/*
 * One attempt to allocate, which emits an event only if it succeeds; and the event of a call that
 * fails. For operator new, which tries again. `align` is 0 or 1 for no particular alignment.
 */
void *watched_attempt(enum event_kind kind, size_t align, size_t size, void *frame);
void watched_failed(enum event_kind kind, size_t size, void *frame);

#endif
