/*
 * Visits: what threads do for arenas that are not theirs, whose own threads may sleep or find all
 * they need in their caches. They empty the inbox, and give back what has been unused for about a
 * second. A visitor holds no other lock, and only tries to get the arena's, except for
 * malloc_trim().
 */
#ifndef FT_ARENA_VISIT_H
#define FT_ARENA_VISIT_H

#include "arena/arena.h"

/* When so many bytes have gathered in an inbox, the thread that pushes looks after it. */
enum { VISIT_INBOX_BYTES = 384 << 10 };

/* Relaxed: what is missed now is seen by the next thread that pushes or leaves the arena. */
static inline bool visit_inbox_is_full(struct arena *arena)
{
    return atomic_load_explicit(&arena->inbox_bytes, memory_order_relaxed) >= VISIT_INBOX_BYTES;
}

/*
 * Returns the inbox to the slabs. Called after the lock was given up, if the inbox is full: whoever
 * pushed meanwhile could not get the lock, and may not come again.
 */
void visit_inbox(struct arena *arena);

/*
 * Called after a parcel with so many bytes was pushed to the arena's inbox. If much has gathered
 * there, returns it to the slabs; and if the arena's threads have not entered it meanwhile, bounds
 * what all such arenas keep.
 */
void visit_after_push(struct arena *arena, size_t bytes);

/*
 * Called when a thread enters its arena, and `returned` is not 0: what was returned for it is its
 * own to use again. The arena is locked.
 */
void visit_settle(struct arena *arena);

/*
 * Looks at some arenas, and gives back memory of one whose threads have made no slow call for about
 * a second. Called by threads that hold no lock, at ticks and if `visit_unfinished` says that there
 * is more to do.
 */
void visit_others(void);

/*
 * Does the same whenever it is called, and looks at all arenas. Returns true if it visited one and
 * is to be called again soon.
 */
bool visit_one(void);

/* Any thread reads and writes it; relaxed, because it is a hint. */
extern _Atomic bool visit_unfinished;

/*
 * Called by a thread that holds no lock, before it touches so many bytes of fresh memory. If the
 * process keeps much memory that is free, about as many bytes of it are given back, in the arena
 * that keeps most among some.
 */
void visit_make_way(size_t fresh);

/*
 * Gives back everything that is unused in all arenas but the caller's own, or NULL. Returns the
 * bytes.
 */
size_t visit_to_trim(const struct arena *own);

/* In the child of a fork. */
void visit_after_fork(void);

#endif
