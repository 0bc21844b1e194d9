/*
 * How many units of heaps are in slabs, and how many are *kept*: free, and still memory. Memory is
 * kept because it will probably be wanted again. If the process keeps much, a thread that takes
 * fresh memory has other memory given back (arena/visit.h), in whichever arena it is kept.
 *
 * A set of heaps counts its own units exactly, with the arena's lock held. The sums of the process
 * lag behind by up to KEPT_TELL units for each set.
 */
#ifndef FT_BINS_KEPT_H
#define FT_BINS_KEPT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

/* A change of the sums may take their cache line from other threads. 8 units are 128 KiB. */
enum { KEPT_TELL = 8 };

struct kept {
    /*
     * Written with the arena's lock. Any thread reads it, relaxed, to find an arena that keeps
     * much.
     */
    _Atomic unsigned units;
    unsigned used;
    /* What of both is in the sums of the process. */
    unsigned told_units, told_used;
};

/* Adds what is not in the sums of the process yet. */
void kept_tell(struct kept *kept);

/* Returns about how many units the process keeps. */
size_t kept_sum(void);

/* Returns whether the process keeps more than it should while it takes fresh memory. */
bool kept_is_much(void);

/*
 * Notes that units that were given back to make way are in use again: it would have been better to
 * keep them.
 */
void kept_regret(unsigned units);

/* Returns whether so much was regretted lately that nothing should make way now. */
bool kept_is_wanted(void);

/*
 * In the child of a fork, where the sums may miss a change that another thread was making: empties
 * them. Each set has to tell its numbers anew.
 */
void kept_after_fork(void);
void kept_tell_anew(struct kept *kept);

static inline unsigned kept_units(const struct kept *kept)
{
    return atomic_load_explicit(&kept->units, memory_order_relaxed); /* relaxed: see above */
}

static inline bool kept_differs(unsigned now, unsigned told)
{
    return now - told + KEPT_TELL > 2 * KEPT_TELL;
}

/* Adds to both numbers. A difference below zero is added as an unsigned one, modulo 2^32. */
static inline void kept_change(struct kept *kept, unsigned units, unsigned used)
{
    units += kept_units(kept);
    kept->used += used;
    /* Relaxed: the arena's lock orders it. */
    atomic_store_explicit(&kept->units, units, memory_order_relaxed);
    if (kept_differs(units, kept->told_units) || kept_differs(kept->used, kept->told_used))
        kept_tell(kept);
}

#endif
