/*
 * FT_MALLOC_GUARD=N: one in N chunks is a guarded one (bins/guard_pool.h). Of each N calls of a
 * thread one is chosen at random. Of eight of these chunks about seven end at a guard, the others
 * begin at one.
 *
 * Only allocating is slow in this mode: a guarded chunk is in no heap and in no registry, so a free
 * finds out last that it is one.
 */
#ifndef FT_DEBUG_GUARD_H
#define FT_DEBUG_GUARD_H

#include "arena/thread.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Starts the mode, or changes N. `seed` determines the choices, which are different ones in each
 * process if it is 0. Returns false if there is no memory for the pool.
 */
bool guard_begin(unsigned one_in, uint64_t seed);

/*
 * A few bytes, because static TLS is scarce. thread_self.calls_left is how many calls come before
 * the one that is chosen next.
 */
struct guard_thread {
    unsigned after; /* calls of its round that come after that */
    unsigned rate;  /* of the round; 0 before the first one */
    bool unwinding; /* which may allocate */
};
extern _Thread_local struct guard_thread guard_self;

/* One in so many calls is chosen. Any thread writes and reads it; relaxed: any value will do. */
extern _Atomic unsigned guard_rate;

/*
 * Prepares thread_self.calls_left for calls that are only counted; `on` says whether the mode is.
 * Returns false if the next call has to pass guard_due().
 */
static inline bool guard_may_count(bool on)
{
    if (on)
        return guard_self.rate == atomic_load_explicit(&guard_rate, memory_order_relaxed);
    guard_self.rate = 0;
    thread_self.calls_left = INT64_MAX;
    return true;
}

/*
 * Counts one call of the thread, and returns whether it is to get a guarded chunk. Calls for which
 * no slot is large enough are not counted.
 */
bool guard_due(size_t size, size_t align);

/*
 * Returns a guarded chunk, whose memory is zero; or NULL, with errno left alone, if there is none
 * to be had. `align` is a power of two. `frame` is described at struct event.
 */
void *guard_take(size_t size, size_t align, void *frame);

/*
 * Frees the guarded chunk at the address. Returns false, having done nothing, if no live one starts
 * there. Reports name `function`.
 */
bool guard_free(uintptr_t address, const char *function, void *frame);

#endif
