/*
 * Writing the history. A ring belongs to a thread from its first call until it ends. What an ended
 * thread still frees is noted in any ring without an owner, call by call.
 */
#include "debug/history.h"

#include "arena/thread.h"
#include "base/child.h"
#include "debug/mode_memory.h"
#include "debug/mode_threads.h"
#include "debug/origin.h"
#include "debug/unwind.h"
#include "os/os.h"

#include <errno.h>
#include <pthread.h>

enum { EPOCH = 1 << 16, EPOCH_MASK = 0xffff0000 };

/*
 * The sizes that new rings get, as in `format`, without an epoch; 0 before the mode began for the
 * first time. Relaxed: a thread that reads old ones has its ring made anew by a later call.
 */
static _Atomic uint64_t wanted;

/* Guards which ring belongs to whom. Taken with no other lock held; the last in the order. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static uint64_t ends; /* how many rings were released */

/* A few bytes, because static TLS is scarce. */
static _Thread_local struct history_ring *own_ring;
static _Thread_local bool noting; /* unwinding may allocate, and signal handlers may */

static void store(_Atomic uint64_t *word, uint64_t value)
{
    atomic_store_explicit(word, value, memory_order_release); /* see struct history_ring */
}

/* What only this thread writes, or the lock guards. */
static uint64_t own(const _Atomic uint64_t *word)
{
    return atomic_load_explicit(word, memory_order_relaxed);
}

static unsigned stride_of(uint64_t format)
{
    return HISTORY_FRAMES + (unsigned)(format & HISTORY_DEPTH_MASK);
}

static size_t bytes_for(uint64_t format)
{
    return sizeof(struct history_ring) +
           (size_t)(format >> HISTORY_CALLS_SHIFT) * stride_of(format) * sizeof(uint64_t);
}

static bool same_sizes(const struct history_ring *ring, uint64_t sizes)
{
    return (own(&ring->format) & ~(uint64_t)EPOCH_MASK) == sizes;
}

/* Makes a ring anew with other sizes. The lock is held. */
static void format_ring(struct history_ring *ring, uint64_t sizes)
{
    uint64_t epoch = (own(&ring->format) + EPOCH) & EPOCH_MASK;

    store(&ring->format, epoch); /* holds no calls */
    store(&ring->noted, 0);
    for (size_t n = 0; n < (ring->bytes - sizeof *ring) / sizeof(uint64_t); n++)
        store(&ring->words[n], 0);
    store(&ring->format, sizes | epoch);
}

static struct history_ring *new_ring(uint64_t sizes)
{
    size_t bytes = round_up(bytes_for(sizes), os_page_size());
    struct history_ring *ring = mode_memory_map(MODE_HISTORY, bytes);

    if (ring == NULL)
        return NULL;
    ring->bytes = bytes;
    store(&ring->format, sizes);
    /* Relaxed: the lock guards additions. */
    ring->next = atomic_load_explicit(&history.rings, memory_order_relaxed);
    /* Release: see struct history. */
    atomic_store_explicit(&history.rings, ring, memory_order_release);
    return ring;
}

/* The ring that has been without an owner longest, and is large enough; or NULL. */
static struct history_ring *idle_ring(uint64_t sizes)
{
    struct history_ring *found = NULL;
    struct history_ring *ring =
        atomic_load_explicit(&history.rings, memory_order_relaxed); /* relaxed: see new_ring() */

    for (; ring != NULL; ring = ring->next)
        if (own(&ring->owner) == 0 && ring->bytes >= bytes_for(sizes) &&
            (found == NULL || ring->idle_since < found->idle_since))
            found = ring;
    return found;
}

static void lock_rings(void)
{
    child_check();
    os_count_rmw();
    pthread_mutex_lock(&lock);
}

static void unlock_rings(void)
{
    os_count_rmw();
    pthread_mutex_unlock(&lock);
}

/* The lock is held. */
static void release(struct history_ring *ring)
{
    ring->idle_since = ++ends;
    store(&ring->owner, 0);
}

static void take_ring(uint64_t sizes)
{
    struct history_ring *ring;

    lock_rings();
    if (own_ring != NULL)
        release(own_ring);
    ring = idle_ring(sizes);
    if (ring == NULL)
        ring = new_ring(sizes);
    if (ring != NULL) {
        if (!same_sizes(ring, sizes))
            format_ring(ring, sizes);
        ring->began = 0;
        store(&ring->owner, caller_thread());
    }
    own_ring = ring;
    unlock_rings();
}

static void release_own_ring(void)
{
    if (own_ring == NULL)
        return;
    lock_rings();
    release(own_ring);
    own_ring = NULL;
    unlock_rings();
}

static void write_entry(_Atomic uint64_t *entry, const struct event *event,
                        const struct caller *caller)
{
    uint64_t order = history_next_order();

    store(&entry[HISTORY_ORDER], order);
    store(&entry[HISTORY_BEGAN], own_ring->began != 0 ? own_ring->began : order);
    store(&entry[HISTORY_TIME], event->time);
    store(&entry[HISTORY_POINTER], (uintptr_t)event->pointer);
    store(&entry[HISTORY_OLD], (uintptr_t)event->old);
    store(&entry[HISTORY_SIZE], event->size);
    store(&entry[HISTORY_WHO], (uint64_t)caller->thread << HISTORY_THREAD_SHIFT |
                                   (uint64_t)event->kind << HISTORY_KIND_SHIFT |
                                   (caller->truncated ? HISTORY_TRUNCATED : 0) | caller->depth);
    for (unsigned n = 0; n < caller->depth; n++)
        store(&entry[HISTORY_FRAMES + n], caller->frames[n]);
}

static void note_in(struct history_ring *ring, const struct event *event)
{
    uint64_t format = own(&ring->format), number = own(&ring->noted) + 1;
    _Atomic uint64_t *entry =
        &ring->words[(number - 1) % (format >> HISTORY_CALLS_SHIFT) * stride_of(format)];
    struct caller caller = {.thread = caller_thread()};

    caller.depth = (uint16_t)unwind_stack(
        event->frame, caller.frames, (unsigned)(format & HISTORY_DEPTH_MASK), &caller.truncated);
    store(&entry[HISTORY_SEQUENCE], 2 * number - 1);
    write_entry(entry, event, &caller);
    store(&entry[HISTORY_SEQUENCE], 2 * number);
    store(&ring->noted, number);
}

static void note(const struct event *event)
{
    uint64_t sizes = atomic_load_explicit(&wanted, memory_order_relaxed); /* see `wanted` */

    if (unlikely(own_ring == NULL || !same_sizes(own_ring, sizes)))
        take_ring(sizes);
    if (own_ring == NULL) {
        mode_memory_drop(MODE_HISTORY);
    } else if (event->kind == EVENT_REALLOC_BEGINS) {
        own_ring->began = history_next_order();
        own_ring->old = (uintptr_t)event->old;
        own_ring->frame = event->frame;
    } else {
        note_in(own_ring, event);
        own_ring->began = 0;
        /* Nobody will tell that this thread has ended once more. */
        if (unlikely(thread_self.ended))
            release_own_ring();
    }
}

void history_note(const struct event *event)
{
    int saved_errno = errno;

    if (noting)
        return;
    noting = true;
    note(event);
    noting = false;
    errno = saved_errno;
}

static bool current_realloc(struct caller *caller)
{
    *caller = (struct caller){.thread = caller_thread()};
    if (noting)
        return false;
    noting = true;
    caller->depth =
        (uint16_t)unwind_stack(own_ring->frame, caller->frames, HISTORY_DEPTH, &caller->truncated);
    noting = false;
    return true;
}

bool history_current(uintptr_t address, struct caller *caller, uint64_t *order)
{
    struct history_call call;

    if (own_ring == NULL)
        return false;
    if (own_ring->began != 0) {
        *order = own_ring->began;
        return own_ring->old == address && current_realloc(caller);
    }
    if (!history_last(own_ring, &call) || call.kind != EVENT_FREE || call.old != address)
        return false;
    *caller = call.caller;
    *order = call.order;
    return true;
}

void history_thread_end(void)
{
    release_own_ring();
}

bool history_begin(uint64_t calls, uint64_t depth)
{
    if (calls < 1 || calls > HISTORY_CALLS_MAX || depth < 1 || depth > CALLER_DEPTH_MAX)
        return false;
    mode_threads_watch();
    origin_begin();
    /* Relaxed: see `wanted`. */
    atomic_store_explicit(&wanted, calls << HISTORY_CALLS_SHIFT | depth, memory_order_relaxed);
    return true;
}

void history_after_fork(void)
{
    struct history_ring *ring =
        atomic_load_explicit(&history.rings, memory_order_relaxed); /* relaxed: one thread only */

    pthread_mutex_init(&lock, NULL);
    for (; ring != NULL; ring = ring->next)
        if (ring == own_ring)
            store(&ring->owner, caller_thread());
        else if (own(&ring->owner) != 0)
            release(ring);
}
