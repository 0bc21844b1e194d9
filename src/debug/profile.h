/*
 * FT_MALLOC_PROFILE=BYTES[,SEED] and FT_MALLOC_RECORD=1: who allocates how much, by stack.
 *
 * A profile samples: each thread counts the bytes that it allocates, and looks at the chunk with
 * which a random distance is over (poisson.h). What it finds is added to the chunk's site
 * (stack_table.h), multiplied by what it stands for, and the chunk is noted (live_table.h), so that
 * its free is seen. For that, a sampled chunk is in the arena apart (arena/apart.h), or it is
 * LARGE, or the process is hardened, where all frees are slow. A record does the same with each
 * call, so that its figures are exact; while it is on, nothing is sampled.
 *
 * Chunks that live since before a mode began are not known, and their free is ignored. realloc()
 * counts as a free and an allocation.
 *
 * Any thread may call anything here unless a comment says otherwise. Nothing here allocates from a
 * heap but profile_take(), or changes errno. Locks are held for a few stores, never while a stack
 * is walked. A call that interrupts another one of the same thread, in a signal handler or in an
 * unwinder that allocates, is not noted.
 */
#ifndef FT_DEBUG_PROFILE_H
#define FT_DEBUG_PROFILE_H

#include "arena/thread.h"
#include "base/modes.h"
#include "debug/profile_thread.h"

struct event;

/*
 * True once a profile has begun: from then on a chunk outside of the arena apart may be a sample,
 * so frees of LARGE chunks, and all frees of a hardened process, are looked up. Written once;
 * relaxed, because who frees a sample has got it from the thread that saw the value.
 */
extern _Atomic bool profile_began;

/*
 * Begin the modes, or change what a profile samples. `mean` is from POISSON_MIN to POISSON_MAX; a
 * seed that is not 0 makes the draws the same in each run, as far as threads do the same. Return
 * false if there is no memory. One thread at a time, with no lock. The caller then sets the mode's
 * bit in modes_on.
 */
bool profile_begin(uint64_t mean, uint64_t seed);
bool profile_record_begin(void);

/*
 * thread_self.bytes_left is the distance: a chunk of this many bytes is sampled, or a larger one;
 * smaller ones shorten it. Above this, nothing was drawn, because no profile was on.
 */
#define PROFILE_DRAWN_MAX (INT64_MAX / 2)

/* For profile_due(): the distance is over, or was never drawn. */
bool profile_due_slow(size_t size);

/*
 * While a profile is on, called once for each chunk that is to be allocated, which counts its
 * bytes. Returns whether it is a sample; then profile_take() is called.
 */
static inline bool profile_due(size_t size)
{
    uint64_t distance = (uint64_t)thread_self.bytes_left;

    if (unlikely(size >= distance) || unlikely(distance > PROFILE_DRAWN_MAX))
        return profile_due_slow(size);
    thread_self.bytes_left -= (int64_t)size + 1;
    return false;
}

/* What guard_may_count() does, for thread_self.bytes_left and profile_due(). */
static inline bool profile_may_count(bool on)
{
    if (on)
        return thread_self.bytes_left <= PROFILE_DRAWN_MAX;
    thread_self.bytes_left = INT64_MAX;
    return true;
}

/*
 * Allocates a chunk that is a sample, at a multiple of `align`, a power of two. Returns NULL if the
 * chunk has to come from elsewhere; then the event of the allocation must be emitted, which notes
 * it. The memory is not clean. `frame` is as in struct event.
 */
void *profile_take(size_t size, size_t align, void *frame);

/* Called with each event while one of the modes is on. */
void profile_note(const struct event *event);

/* Called before a chunk is freed that may be a sample. Does nothing if none is noted there. */
void profile_freed(uintptr_t address);

/* Does so for a chunk outside of the arena apart, if there ever was a profile. */
static inline void profile_freed_elsewhere(uintptr_t address)
{
    if (unlikely(atomic_load_explicit(&profile_began, memory_order_relaxed)))
        profile_freed(address);
}

/* Runs in the child of a fork. */
void profile_after_fork(void);

#endif
