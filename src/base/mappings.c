/*
 * One number for the whole process. It says what is in use at some moment and orders nothing, so
 * every access is relaxed. The child of a fork has the mappings of its parent, and goes on with the
 * number.
 */
#include "base/mappings.h"

#include <stdatomic.h>

/*
 * A quarter of what the kernel allows: the rest is the program's, and for what is joined less often
 * than we think.
 */
enum { BOUND = 65530 / 4 };

static _Atomic unsigned used;

#ifdef FT_MALLOC_PREFIXED
static _Atomic unsigned bound_for_tests;

unsigned mappings_used(void)
{
    return atomic_load_explicit(&used, memory_order_relaxed); /* see above */
}

void mappings_bound(unsigned bound)
{
    atomic_store_explicit(&bound_for_tests, bound, memory_order_relaxed); /* see above */
}

static unsigned most(void)
{
    unsigned bound = atomic_load_explicit(&bound_for_tests, memory_order_relaxed); /* see above */

    return bound != 0 ? bound : BOUND;
}
#else
static unsigned most(void)
{
    return BOUND;
}
#endif

bool mappings_take(unsigned count)
{
    unsigned now = atomic_load_explicit(&used, memory_order_relaxed); /* see above */

    do
        if (now > most() || count > most() - now)
            return false;
    while (!atomic_compare_exchange_weak_explicit(&used, &now, now + count, memory_order_relaxed,
                                                  memory_order_relaxed)); /* see above */
    return true;
}

void mappings_add(unsigned count)
{
    atomic_fetch_add_explicit(&used, count, memory_order_relaxed); /* see above */
}

void mappings_give(unsigned count)
{
    atomic_fetch_sub_explicit(&used, count, memory_order_relaxed); /* see above */
}

/* Written in the child while it has one thread. */
static unsigned generation;

void mappings_after_fork(void)
{
    generation++;
}

unsigned mappings_generation(void)
{
    return generation;
}
