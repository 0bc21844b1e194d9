/*
 * Which calls get a guarded chunk. The calls of a thread are counted in rounds of N, and one of
 * each round is chosen in advance, at random.
 */
#include "debug/guard.h"

#include "base/clock.h"
#include "base/secret.h"
#include "bins/guard_pool.h"
#include "debug/mode_memory.h"
#include "debug/mode_threads.h"
#include "debug/origin.h"
#include "debug/unwind.h"
#include "os/os.h"

#include <errno.h>

_Atomic unsigned guard_rate;
_Thread_local struct guard_thread guard_self;

/* Any thread writes and reads it; relaxed, because any value will do. */
static _Atomic uint64_t seed_of_all;
/* How many numbers were drawn. Relaxed: only its changes count. */
static _Atomic uint64_t drawn;

/* Returns a random number, in a sequence that the seed determines. Relaxed: see above. */
static uint64_t draw(void)
{
    uint64_t number = atomic_fetch_add_explicit(&drawn, 1, memory_order_relaxed);
    uint64_t seed = atomic_load_explicit(&seed_of_all, memory_order_relaxed);

    return secret_scramble(secret_scramble(seed != 0 ? seed : secret_word) + number);
}

static bool pool_begin(void)
{
    void *memory =
        guard_pool_now() != NULL ? NULL : mode_memory_map(MODE_GUARD, sizeof(struct guard_pool));

    if (memory != NULL && !guard_pool_begin(memory))
        mode_memory_unmap(MODE_GUARD, memory, sizeof(struct guard_pool));
    return guard_pool_now() != NULL;
}

bool guard_begin(unsigned one_in, uint64_t seed)
{
    if (one_in == 0 || !pool_begin())
        return false;
    mode_threads_watch();
    origin_begin();
    atomic_store_explicit(&guard_rate, one_in, memory_order_relaxed); /* see guard_rate */
    atomic_store_explicit(&seed_of_all, seed, memory_order_relaxed);  /* see seed_of_all */
    return true;
}

/* Chooses a call of the next round, of which the first comes after `rest` more calls. */
static void choose(unsigned calls, unsigned rest)
{
    unsigned chosen = (unsigned)(draw() % calls);

    guard_self.rate = calls;
    thread_self.calls_left = (int64_t)rest + chosen;
    guard_self.after = calls - 1 - chosen;
}

bool guard_due(size_t size, size_t align)
{
    unsigned calls = atomic_load_explicit(&guard_rate, memory_order_relaxed); /* see guard_rate */

    if (size > GUARD_SIZE_MAX || align > GUARD_SIZE_MAX)
        return false;
    if (unlikely(guard_self.rate != calls))
        choose(calls, 0);
    if (thread_self.calls_left > 0) {
        thread_self.calls_left--;
        return false;
    }
    choose(calls, guard_self.after);
    return true;
}

static void describe(struct caller *caller, void *frame)
{
    *caller = (struct caller){.time = clock_now(), .thread = caller_thread()};
    if (guard_self.unwinding)
        return;
    guard_self.unwinding = true;
    caller->depth = (uint16_t)unwind_stack(frame, caller->frames, GUARD_DEPTH, &caller->truncated);
    guard_self.unwinding = false;
}

void *guard_take(size_t size, size_t align, void *frame)
{
    /* Most programs that go wrong do so behind their chunks. */
    bool front = draw() % 8 == 0;
    int saved_errno = errno;
    struct caller caller;
    void *chunk;

    describe(&caller, frame);
    chunk = guard_pool_open(size, align, front, &caller);
    if (chunk == NULL)
        mode_memory_drop(MODE_GUARD);
    errno = saved_errno;
    return chunk;
}

bool guard_free(uintptr_t address, const char *function, void *frame)
{
    int saved_errno = errno;
    struct caller caller;
    bool freed;

    if (guard_slot_around(guard_pool_now(), address) == NULL)
        return false;
    describe(&caller, frame);
    freed = guard_pool_close(address, function, &caller);
    errno = saved_errno;
    return freed;
}
