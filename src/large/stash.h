/*
 * A thread's stash: a few freed LARGE chunks, which the thread can take again without the
 * registry's lock, and hints for finding the descriptors of chunks that it allocated. Each cache
 * has a stash. Its owner is the thread of the cache. Any thread that holds the registry's lock may
 * empty the stash.
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
     * a slot with release. Whoever exchanges its pointer with NULL, with acquire, owns the chunk:
     * either the owner of the stash, or any thread that holds the registry's lock.
     */
    _Atomic(struct large *) freed[STASH_SLOTS];
    _Atomic bool fresh[STASH_SLOTS];
    /*
     * The size of the chunk that the owner put into the slot. Any thread may read it; relaxed,
     * because it is a figure.
     */
    _Atomic size_t mapped[STASH_SLOTS];
    /*
     * Owner only. The sum of `mapped`. Others may have emptied a slot; the owner notices when it
     * wants to fill one.
     */
    size_t bytes;
    /*
     * Owner only. The descriptor that is being freed or taken out of a slot. If a signal handler
     * forks meanwhile, the child continues to use it, so the repair leaves it alone.
     */
    struct large *hand;
    /*
     * Owner only. Hints by address: the descriptor itself says whether it still describes a live
     * chunk there.
     */
    struct large *handed[STASH_HANDED];
    bool entered;
    /* Constant once `entered`. */
    struct large_stash *next;
};

/*
 * Takes a chunk, whose memory is not zero, out of the stash. Returns NULL if none fits. Owner only,
 * like the functions below.
 */
void *large_stash_take(struct large_stash *stash, size_t size);

/*
 * Frees the live chunk at the address if this thread allocated it. Returns false, and does nothing,
 * if the stash does not know the chunk.
 */
bool large_stash_free(struct large_stash *stash, uintptr_t address);

/* Remembers that this thread allocated the chunk at the address, so that it can free it quickly. */
void large_stash_hand_out(struct large_stash *stash, uintptr_t address);

#endif
