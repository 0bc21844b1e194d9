/*
 * FT_MALLOC_HISTORY=N[,DEPTH]: the last N calls of each thread, each with up to DEPTH callers. A
 * thread has a ring of its own, which only it writes to, without a lock. When the thread ends, its
 * ring stays readable, until a new thread needs one: rings are reused in the order in which their
 * threads ended.
 *
 * Any thread, or a process outside, may read all rings while their threads go on.
 */
#ifndef FT_DEBUG_HISTORY_H
#define FT_DEBUG_HISTORY_H

#include "base/caller.h"
#include "debug/event.h"

#include <stdatomic.h>

enum {
    HISTORY_CALLS_MAX = 1 << 20,
    HISTORY_DEPTH = 16, /* if the option does not say it */
};

/* The words of an entry. It has as many of HISTORY_FRAMES as the ring's depth says. */
enum history_word {
    /*
     * Twice the number of the call in its ring, counted from 1; one less while the entry is being
     * written; 0 if there is none.
     */
    HISTORY_SEQUENCE,
    /*
     * The number of the call in the process, which orders calls of all threads; and the same for
     * its beginning. They differ for realloc: the old chunk is free at some moment in between.
     */
    HISTORY_ORDER,
    HISTORY_BEGAN,
    HISTORY_TIME, /* clock_now() */
    HISTORY_POINTER,
    HISTORY_OLD,
    HISTORY_SIZE,
    /*
     * The thread, the kind (enum event_kind), whether there were more callers, and how many there
     * are in the entry: see below.
     */
    HISTORY_WHO,
    HISTORY_FRAMES
};
enum {
    HISTORY_THREAD_SHIFT = 32,
    HISTORY_KIND_SHIFT = 24,
    HISTORY_KIND_MASK = 0xff,
    HISTORY_TRUNCATED = 1 << 16,
    /* Also in `format`. */
    HISTORY_DEPTH_MASK = 0xffff,
    HISTORY_CALLS_SHIFT = 32,
};

/*
 * A ring. All words are atomic, because any thread reads them while the owner writes. Each store is
 * a release and each load an acquire: a reader that has seen a word of the entry's next call sees a
 * newer sequence afterwards, so one that finds the same even sequence before and after has read one
 * call. `format` protects a whole ring in the same way.
 */
struct history_ring {
    /* Constant. */
    struct history_ring *next;
    uint64_t bytes; /* of the mapping */
    /*
     * The number of calls that it holds, shifted by HISTORY_CALLS_SHIFT, plus its depth, plus
     * 0x10000 for each time that the ring was made anew. Written with the lock of the history.
     */
    _Atomic uint64_t format;
    /* How many calls were noted in it. Written by the owner. */
    _Atomic uint64_t noted;
    /* The kernel's number of the thread that it belongs to; 0 if that has ended. */
    _Atomic uint64_t owner;
    /* When the owner ended, as a number that grows. Guarded by the lock of the history. */
    uint64_t idle_since;
    /*
     * For the owner alone: the realloc that it is in. Its order, or 0; its chunk, and where it was
     * called.
     */
    uint64_t began, old;
    void *frame;
    _Atomic uint64_t words[];
};

/* The root, for readers outside too. */
struct history {
    /* The newest ring. Added to with release, read with acquire; a ring is never unmapped. */
    _Atomic(struct history_ring *) rings;
    /* The number of the last call. Any thread adds to it; relaxed, see HISTORY_ORDER. */
    _Atomic uint64_t order;
    /* Calls that were not noted because there was no memory for a ring. Relaxed: a figure. */
    _Atomic uint64_t dropped;
};
extern struct history history;

/* Relaxed: see `order`. */
static inline uint64_t history_next_order(void)
{
    return atomic_fetch_add_explicit(&history.order, 1, memory_order_relaxed) + 1;
}

/*
 * Starts the mode, or changes its sizes. Rings with other sizes stay readable, and are made anew
 * when their thread makes its next call. Returns false if the sizes are not possible.
 */
bool history_begin(uint64_t calls, uint64_t depth);

/* Notes a call. Called by the thread that makes it. */
void history_note(const struct event *event);

/* A call as a reader sees it. */
struct history_call {
    uint64_t order, began;
    enum event_kind kind;
    uintptr_t pointer, old;
    size_t size;
    struct caller caller;
};

/* A place in a ring; `format` is what it was when the reader came to the ring. */
struct history_place {
    const struct history_ring *ring;
    const _Atomic uint64_t *entry;
    uint64_t format;
    uint64_t number; /* of the call */
};

/* Like history_each(), for a visitor that wants to know the place, and no frames. */
typedef bool history_visit(void *context, const struct history_place *place,
                           const struct history_call *head);
void history_each_place(history_visit *visit, void *context);

/* Returns how many calls there are at most, if no more are made. */
size_t history_count(void);

/*
 * Copies entries of a ring that was made as `format` says, from number `first` on, counted from 0,
 * and returns how many; 0 if none are left. One that its thread has written to meanwhile gets the
 * sequence 0 in the copy: it is none.
 */
size_t history_copy(const struct history_ring *ring, uint64_t format, size_t first, void *copy,
                    size_t room);

/* Reads a call by its number. Returns false if it was overwritten. */
bool history_read(const struct history_ring *ring, uint64_t number, struct history_call *call);

/* Reads the last call of a ring. Returns false if there is none, or if it is being overwritten. */
bool history_last(const struct history_ring *ring, struct history_call *call);

/* Return whether the call handed out the address, or freed it. */
bool history_allocates(const struct history_call *call, uintptr_t address);
bool history_frees(const struct history_call *call, uintptr_t address);

/*
 * Calls `visit` for each call that can be read, ring by ring, the newest of a ring first. It may
 * stop at a call of a ring by returning false; then the next ring follows. Takes no lock.
 */
void history_each(bool (*visit)(void *context, const struct history_call *call), void *context);

/*
 * Finds out who allocated the chunk that is or was at the address, and who freed it first after
 * that. Calls with an order of `before` or more are left out. Returns which of the two are known.
 */
struct history_chunk {
    bool allocated_known, freed_known;
    struct history_call allocated, freed;
};
void history_find(uintptr_t address, uint64_t before, struct history_chunk *chunk);

/*
 * Describes the call that the calling thread is in, if that was given the address, to free it or to
 * change its size. *order becomes its number, so that history_find() can leave it out.
 */
bool history_current(uintptr_t address, struct caller *caller, uint64_t *order);

/* Called when the thread ends; and in the child of a fork. */
void history_thread_end(void);
void history_after_fork(void);

#endif
