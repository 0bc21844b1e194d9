/*
 * The sums over all sets of heaps of a process.
 */
#include "bins/kept.h"

#include "base/clock.h"
#include "base/options.h"
#include "bins/size_class.h"
#include "os/os.h"

enum {
    /*
     * What a process may keep whatever it uses, and which part of what is in its slabs. With less,
     * threads that end and begin would touch the same memory anew each time.
     */
    LEAST = (8 << 20) / UNIT_SIZE,
    SHARE = 8,
    /*
     * What a regretted unit costs, in the clock's unit: the time for which it counts. The page
     * faults of a unit take some 5 microseconds, so at most about a hundredth of the time is lost
     * to them, beside what is tried anyway. In a hardened process, more than ten times as much time
     * is spent on other checks, and freed chunks in quarantine take room already.
     */
    REGRET = CLOCK_TENTH / 200,
    REGRET_HARDENED = REGRET / 8,
    REGRETS_TRIED = 64,
};

/* Any thread adds to them. Relaxed, here and below: a sum orders nothing. */
OS_TOUCHED static _Atomic size_t all_kept, all_used;

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

/*
 * The time at which all regrets will be forgotten. Any thread changes it. Relaxed, here and below:
 * it orders nothing.
 */
static _Atomic uint64_t regretted_until;

static uint64_t cost_of_regret(void)
{
    return policy_quarantine() ? REGRET_HARDENED : REGRET;
}

void kept_regret(unsigned units)
{
    uint64_t now = clock_now();
    uint64_t until = atomic_load_explicit(&regretted_until, memory_order_relaxed);

    /* After a jump of the clock, or a long time without regrets, it begins anew. */
    if (until - now > (uint64_t)100 * CLOCK_TENTH)
        atomic_compare_exchange_strong_explicit(&regretted_until, &until, now, memory_order_relaxed,
                                                memory_order_relaxed);
    atomic_fetch_add_explicit(&regretted_until, (uint64_t)units * cost_of_regret(),
                              memory_order_relaxed);
}

bool kept_is_wanted(void)
{
    uint64_t ahead = atomic_load_explicit(&regretted_until, memory_order_relaxed) - clock_now();

    return ahead > (uint64_t)REGRETS_TRIED * cost_of_regret() && ahead <= INT64_MAX;
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
