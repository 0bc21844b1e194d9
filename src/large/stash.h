/*
 * A few freed LARGE chunks of one thread, which it can take again without the registry's lock; and
 * where it finds the descriptors of chunks that it handed out. One is in each arena, for the thread
 * that owns it. Anybody who holds the registry's lock may empty it.
 */
#ifndef FT_LARGE_STASH_H
#define FT_LARGE_STASH_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct large;

enum { STASH_SLOTS = 12, STASH_HANDED = 64 };

struct large_stash {
    /*
     * Freed chunks, and whether they were put in since the last look at their age. The owner fills
     * a slot, release; whoever exchanges its pointer with NULL, acquire, has the chunk: the owner,
     * or anyone with the registry's lock.
     */
    _Atomic(struct large *) freed[STASH_SLOTS];
    _Atomic bool fresh[STASH_SLOTS];
    /* The size of what the owner put in the slot; read by anyone, relaxed, for a figure. */
    _Atomic size_t mapped[STASH_SLOTS];
    /*
     * Owner only. Their sum. Others may have emptied a slot: the owner finds out when it wants to
     * fill one.
     */
    size_t bytes;
    /*
     * Owner only. The descriptor that is being taken out of a slot, or freed. If a signal handler
     * forks meanwhile, the child goes on with it, so the repair leaves it alone.
     */
    struct large *hand;
    /*
     * Owner only. Hints by address: the descriptor itself says whether it still is that of a live
     * chunk there.
     */
    struct large *handed[STASH_HANDED];
    bool entered;
    /* Constant once `entered`. */
    struct large_stash *next;
};

/* A chunk that is not zero, or NULL if none fits. Owner only, like the next. */
void *large_stash_take(struct large_stash *stash, size_t size);

/*
 * Frees the live chunk at the address if this thread got it. False: it is not known here, and
 * nothing was done.
 */
bool large_stash_free(struct large_stash *stash, uintptr_t address);

/* The thread got the chunk at the address, so it may free it quickly. */
void large_stash_hand_out(struct large_stash *stash, uintptr_t address);

#endif
