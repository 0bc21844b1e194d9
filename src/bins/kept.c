/*
 * The sums over all sets of heaps of a process.
 */
#include "bins/kept.h"

#include "bins/size_class.h"

enum {
    /*
     * What a process may keep whatever it uses, and which part of what is in its slabs. With less,
     * threads that end and begin would touch the same memory anew each time.
     */
    LEAST = (8 << 20) / UNIT_SIZE,
    SHARE = 8,
};

/* Any thread adds to them. Relaxed, here and below: a sum orders nothing. */
static _Atomic size_t all_kept, all_used;

static void add(_Atomic size_t *sum, unsigned now, unsigned *told)
{
    /* The sum is modulo 2^64, so a difference below zero is added correctly, too. */
    if (now != *told)
        atomic_fetch_add_explicit(sum, (size_t)now - *told, memory_order_relaxed);
    *told = now;
}

void kept_tell(struct kept *kept)
{
    add(&all_kept, kept_units(kept), &kept->told_units);
    add(&all_used, kept->used, &kept->told_used);
}

size_t kept_sum(void)
{
    return atomic_load_explicit(&all_kept, memory_order_relaxed);
}

bool kept_is_much(void)
{
    size_t kept = kept_sum();

    return kept > LEAST &&
           kept - LEAST > atomic_load_explicit(&all_used, memory_order_relaxed) / SHARE;
}

void kept_after_fork(void)
{
    atomic_store_explicit(&all_kept, 0, memory_order_relaxed);
    atomic_store_explicit(&all_used, 0, memory_order_relaxed);
}

void kept_tell_anew(struct kept *kept)
{
    kept->told_units = kept->told_used = 0;
    kept_tell(kept);
}
