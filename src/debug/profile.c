/*
 * Notes allocations and frees: the stack, the chunk, the figures of the site, the probe.
 */
#include "debug/profile.h"

#include "arena/apart.h"
#include "arena/thread.h"
#include "base/caller.h"
#include "base/clock.h"
#include "base/options.h"
#include "base/secret.h"
#include "debug/event.h"
#include "debug/mode_memory.h"
#include "debug/mode_threads.h"
#include "debug/poisson.h"
#include "debug/probe.h"
#include "debug/site_figures.h"
#include "debug/stack_table.h"
#include "debug/unwind.h"
#include "os/os.h"

#include <string.h>

OS_TOUCHED _Atomic bool profile_began;

/*
 * How a profile draws. Written by profile_begin(), read by any thread; relaxed, because threads may
 * begin with a new value at any time. `threads` counts those that have drawn.
 */
static struct {
    _Atomic uint64_t mean, seed, threads;
} sampling;

static struct stack_totals *totals(void)
{
    /* Acquire: the table is complete. */
    return &atomic_load_explicit(&stack_table, memory_order_acquire)->totals;
}

static void count(_Atomic uint64_t *figure)
{
    atomic_fetch_add_explicit(figure, 1, memory_order_relaxed); /* a figure */
}

/*
 * Returns false if the thread is noting another call, or there is no memory. Otherwise leave() must
 * follow.
 */
static bool enter(void)
{
    struct profile_thread *self = profile_thread_get();

    if (self == PROFILE_NONE || self->noting) {
        count(self == PROFILE_NONE ? &totals()->dropped : &totals()->nested);
        return false;
    }
    self->noting = true;
    /* A signal handler sees it before any change. */
    atomic_signal_fence(memory_order_seq_cst);
    return true;
}

static void leave(void)
{
    atomic_signal_fence(memory_order_seq_cst);
    profile_self->noting = false;
    if (unlikely(thread_self.ended))
        profile_thread_end();
}

/* Returns NULL if there is no memory. A profile takes few stacks, and has little memory. */
static struct stack_last *last_stack(void)
{
    struct profile_thread *self = profile_self;

    if (self->stack == NULL && mode_is_on(MODE_RECORD))
        self->stack = mode_memory_map(MODE_RECORD, sizeof *self->stack);
    return self->stack;
}

static uint32_t site_of(void *frame)
{
    struct stack_last *last = last_stack();
    uintptr_t pcs[STACK_DEPTH_MAX];
    bool truncated;
    unsigned depth = unwind_stack(frame, pcs, STACK_DEPTH_MAX, &truncated);

    count(&totals()->stacks);
    if (truncated)
        count(&totals()->truncated);
    return last == NULL ? stack_table_site(pcs, depth, truncated)
                        : stack_table_site_from(last, pcs, depth, truncated);
}

static uint32_t this_thread(void)
{
    if (profile_self->thread == 0)
        profile_self->thread = caller_thread();
    return profile_self->thread;
}

static struct poisson_weight weigh(size_t size)
{
    struct profile_thread *self = profile_self;

    return mode_is_on(MODE_RECORD) ? (struct poisson_weight){.count = 1, .bytes = size}
                                   : poisson_weigh(&self->random, size, self->taken_mean);
}

/* Ends the life of a chunk whose free nobody noted, because the thread was noting something else
 * or the record was off. */
static void note_lost(const struct live_chunk *chunk)
{
    site_figures_free(chunk, chunk->time, false);
}

/* Between enter() and leave(), like all below. */
static void note_alloc(void *pointer, size_t size, void *frame, uint64_t time)
{
    struct poisson_weight weight = weigh(size);
    struct live_chunk chunk = {.address = (uintptr_t)pointer,
                               .size = size,
                               .bytes = weight.bytes,
                               .count = weight.count,
                               .time = time,
                               .thread = this_thread(),
                               .site = site_of(frame)},
                      lost;

    if (!live_table_add(&chunk, &lost)) {
        count(&totals()->dropped);
        return;
    }
    if (unlikely(lost.address != 0))
        note_lost(&lost);
    site_figures_alloc(&chunk);
    profile_self->last = chunk.address;
    profile_self->last_distance = thread_self.bytes_left;
    probe_alloc(chunk.address, size, weight.bytes);
}

static void note_free(const struct live_chunk *chunk, uint64_t time)
{
    struct profile_thread *self = profile_self;
    bool temporary = self->last == chunk->address && self->last_distance == thread_self.bytes_left;

    self->last = 0;
    site_figures_free(chunk, time, temporary);
    probe_free(chunk->address);
}

void profile_freed(uintptr_t address)
{
    struct live_chunk chunk;

    if (!enter())
        return;
    if (live_table_remove(address, &chunk))
        note_free(&chunk, clock_now());
    leave();
}

/* Returns whether the free of a chunk at the address is looked up. */
static bool free_is_seen(uintptr_t address)
{
    return mode_is_on(MODE_RECORD) || options.harden || heap_map_tag(address) == TAG_NONE ||
           apart_has(address);
}

/*
 * Takes the chunk out of the table before another thread can get its address. The event that
 * follows puts it back if realloc() fails.
 */
static void begin_move(const struct event *event)
{
    struct profile_thread *self = profile_self;
    uintptr_t address = (uintptr_t)event->old;

    if (self->moving.address != 0 || !free_is_seen(address) ||
        !live_table_remove(address, &self->moving))
        return;
    /* The record will be another thread's before the next event. */
    if (unlikely(thread_self.ended)) {
        note_free(&self->moving, event->time);
        self->moving.address = 0;
    }
}

static void end_move(const struct event *event)
{
    struct live_chunk moving = profile_self->moving, none;

    /* A signal handler may have interrupted another realloc(). */
    if (moving.address == 0 || moving.address != (uintptr_t)event->old)
        return;
    profile_self->moving.address = 0;
    if (event->pointer != NULL || event->size == 0)
        note_free(&moving, event->time);
    else if (!live_table_add(&moving, &none))
        note_lost(&moving);
}

static void note_free_event(const struct event *event)
{
    struct live_chunk chunk;

    /* While only a profile is on, profile_freed() is told. */
    if (event->old == NULL || !mode_is_on(MODE_RECORD))
        return;
    if (live_table_remove((uintptr_t)event->old, &chunk))
        note_free(&chunk, event->time);
    else
        profile_self->last = 0;
}

static void note_alloc_event(const struct event *event, bool pending)
{
    if (event->pointer == NULL || (!pending && !mode_is_on(MODE_RECORD)))
        return;
    if (free_is_seen((uintptr_t)event->pointer))
        note_alloc(event->pointer, event->size, event->frame, event->time);
    else
        count(&totals()->dropped);
}

static void note(const struct event *event)
{
    bool pending = profile_self->pending;

    if (event->kind == EVENT_REALLOC_BEGINS) {
        begin_move(event);
    } else if (event->kind == EVENT_FREE) {
        note_free_event(event);
    } else {
        profile_self->pending = false;
        if (event->kind == EVENT_REALLOC)
            end_move(event);
        note_alloc_event(event, pending);
    }
}

void profile_note(const struct event *event)
{
    if (!enter())
        return;
    note(event);
    leave();
}

/* Returns a state for the draws of this thread. */
static uint64_t first_random(void)
{
    uint64_t seed = atomic_load_explicit(&sampling.seed, memory_order_relaxed);
    uint64_t thread = atomic_fetch_add_explicit(&sampling.threads, 1, memory_order_relaxed);

    if (seed == 0)
        seed = secret_word ^ clock_now();
    return secret_scramble(seed ^ secret_scramble(thread + 1)) | 1;
}

static void draw(void)
{
    struct profile_thread *self = profile_self;

    self->mean = atomic_load_explicit(&sampling.mean, memory_order_relaxed);
    thread_self.bytes_left = (int64_t)poisson_gap(&self->random, self->mean) - 1;
}

/* Sees to it that the thread has a record and a distance. Returns false without memory. */
static bool has_drawn(void)
{
    struct profile_thread *self = profile_thread_get();

    if (self == PROFILE_NONE)
        return false;
    if (self->random == 0 || thread_self.bytes_left > PROFILE_DRAWN_MAX) {
        if (self->random == 0)
            self->random = first_random();
        draw();
    }
    return true;
}

bool profile_due_slow(size_t size)
{
    struct profile_thread *self = profile_self;

    /* A record notes everything; and a request that nobody can serve is no chunk. */
    if (thread_self.ended || self->noting || size > PTRDIFF_MAX || mode_is_on(MODE_RECORD))
        return false;
    if (!has_drawn())
        return false;
    /* It may be another one than before. */
    if ((int64_t)size < thread_self.bytes_left) {
        thread_self.bytes_left -= (int64_t)size + 1;
        return false;
    }
    self = profile_self;
    self->taken_mean = self->mean;
    draw();
    return true;
}

void *profile_take(size_t size, size_t align, void *frame)
{
    void *chunk = options.harden ? NULL : apart_alloc(align, size);

    if (chunk != NULL && enter()) {
        note_alloc(chunk, size, frame, clock_now());
        leave();
    } else if (chunk == NULL) {
        profile_self->pending = true;
    }
    return chunk;
}

static bool begin(enum mode mode, uint64_t mean)
{
    mode_threads_watch();
    if (!stack_table_begin(mode) || !live_table_begin(mode))
        return false;
    /* relaxed: a figure */
    atomic_store_explicit(&totals()->interval, mean, memory_order_relaxed);
    return true;
}

bool profile_begin(uint64_t mean, uint64_t seed)
{
    if (!begin(MODE_PROFILE, mean) || !apart_begin())
        return false;
    atomic_store_explicit(&profile_began, true, memory_order_relaxed);
    atomic_store_explicit(&sampling.seed, seed, memory_order_relaxed);
    atomic_store_explicit(&sampling.threads, 0, memory_order_relaxed);
    atomic_store_explicit(&sampling.mean, mean, memory_order_relaxed);
    return true;
}

bool profile_record_begin(void)
{
    if (!begin(MODE_RECORD, 1))
        return false;
    /* Frees of these may not have been seen since a record was on before. */
    live_table_clear(note_lost);
    return true;
}

void profile_after_fork(void)
{
    profile_thread_after_fork();
    stack_table_after_fork();
    live_table_after_fork();
    site_figures_after_fork();
}
