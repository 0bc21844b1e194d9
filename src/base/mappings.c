/*
 * One counter for the whole process. It is only a figure and orders no other access, so every
 * access is relaxed. The child of a fork has the mappings of its parent and continues with the same
 * value.
 */
#include "base/mappings.h"
#include "os/os.h"

#include <stdatomic.h>

/*
 * A quarter of what the kernel allows. The rest belongs to the program, and covers neighbours that
 * the kernel joins less often than expected.
 */
enum { BOUND = 65530 / 4 };

OS_TOUCHED static _Atomic unsigned used;

#ifdef FT_MALLOC_PREFIXED
static _Atomic unsigned bound_for_tests;

unsigned mappings_used(void)
{
    return atomic_load_explicit(&used, memory_order_relaxed); /* relaxed: a figure */
}

void mappings_bound(unsigned bound)
{
    atomic_store_explicit(&bound_for_tests, bound, memory_order_relaxed); /* relaxed: a figure */
}

static unsigned current_bound(void)
{
    unsigned bound =
        atomic_load_explicit(&bound_for_tests, memory_order_relaxed); /* relaxed: a figure */

    return bound != 0 ? bound : BOUND;
}
#else
static unsigned current_bound(void)
{
    return BOUND;
}
#endif

bool mappings_take(unsigned count)
{
    unsigned now = atomic_load_explicit(&used, memory_order_relaxed); /* relaxed: a figure */

    do
        if (now > current_bound() || count > current_bound() - now)
            return false;
    while (!atomic_compare_exchange_weak_explicit(&used, &now, now + count, memory_order_relaxed,
                                                  memory_order_relaxed)); /* relaxed: a figure */
    return true;
}

void mappings_add(unsigned count)
{
    atomic_fetch_add_explicit(&used, count, memory_order_relaxed); /* relaxed: a figure */
}

void mappings_give(unsigned count)
{
    atomic_fetch_sub_explicit(&used, count, memory_order_relaxed); /* relaxed: a figure */
}

/* Written in the child of a fork, while it has one thread. */
OS_TOUCHED static unsigned generation;

void mappings_after_fork(void)
{
    generation++;
}

unsigned mappings_generation(void)
{
    return generation;
}
