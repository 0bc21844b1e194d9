/*
 * The sum and the count are changed by any thread. They order nothing, so each access is relaxed.
 * The sum may be negative for a moment, when a chunk is freed that was not counted.
 */
#include "debug/limit.h"

#include "base/modes.h"
#include "base/secret.h"
#include "debug/census.h"

#include <stdatomic.h>
#include <stdint.h>

static _Atomic int64_t live;
static _Atomic uint64_t calls;

void limit_begin(void)
{
    struct census census;
    size_t sum = 0;

    census_take(&census);
    for (unsigned zone = 0; zone < ZONES; zone++)
        sum += census.zone[zone].requested;
    atomic_store_explicit(&live, (int64_t)sum, memory_order_relaxed);
}

bool limit_take(size_t size)
{
    int64_t most = (int64_t)mode_number(MODE_LIMIT, 0);
    int64_t now = atomic_load_explicit(&live, memory_order_relaxed);

    do
        if (size > (uint64_t)most || now > most - (int64_t)size)
            return false;
    while (!atomic_compare_exchange_weak_explicit(&live, &now, now + (int64_t)size,
                                                  memory_order_relaxed, memory_order_relaxed));
    return true;
}

void limit_give(size_t size)
{
    atomic_fetch_sub_explicit(&live, (int64_t)size, memory_order_relaxed);
}

void fail_begin(void)
{
    atomic_store_explicit(&calls, 0, memory_order_relaxed);
}

/* With a seed, whether a call fails depends on its number alone. */
bool fail_due(void)
{
    uint64_t number = atomic_fetch_add_explicit(&calls, 1, memory_order_relaxed) + 1;
    uint64_t first = mode_number(MODE_FAIL, 0), one_in = mode_number(MODE_FAIL, 1);

    if (one_in == 0)
        return number == first;
    return secret_scramble(secret_scramble(first) + number) % one_in == 0;
}
