/*
 * The table consists of atomic pointers. A chunk begins with its size.
 */
#include "faults/slots.h"

#include "support/pattern.h"
#include "support/require.h"

#include <stdatomic.h>
#include <stdlib.h>

enum { SLOTS = 400 };

static _Atomic(size_t *) slots[SLOTS];

static size_t random_size(struct rng *rng)
{
    static const size_t limits[] = {100, 600, 9000, 70000, 600000};
    size_t limit = limits[rng_below(rng, 100) < 98 ? rng_below(rng, 3) : 3 + rng_below(rng, 2)];
    return sizeof(size_t) + rng_below(rng, limit);
}

size_t *slots_make(struct rng *rng)
{
    size_t size = random_size(rng);
    size_t *chunk = malloc(size);
    REQUIRE(chunk != NULL, "no memory for %zu bytes", size);
    *chunk = size;
    pattern_write(chunk + 1, 0, size - sizeof size, size);
    return chunk;
}

void slots_discard(size_t *chunk)
{
    size_t filled = *chunk - sizeof *chunk;
    REQUIRE(pattern_mismatch(chunk + 1, filled, *chunk) == filled, "%p of %zu bytes was changed",
            (void *)chunk, *chunk);
    free(chunk);
}

size_t *slots_exchange(size_t *chunk, struct rng *rng) // NOLINT: others write to it
{
    return atomic_exchange(&slots[rng_below(rng, SLOTS)], chunk);
}

void slots_change(struct rng *rng)
{
    size_t *chunk = slots_exchange(rng_below(rng, 2) == 0 ? slots_make(rng) : NULL, rng);
    if (chunk != NULL)
        slots_discard(chunk);
}

void slots_change_until(const atomic_bool *stop, struct rng *rng)
{
    while (!atomic_load_explicit(stop, memory_order_relaxed))
        slots_change(rng);
}

size_t slots_discard_all(void)
{
    size_t count = 0;
    for (size_t n = 0; n < SLOTS; n++) {
        size_t *chunk = atomic_exchange(&slots[n], NULL);
        if (chunk == NULL)
            continue;
        slots_discard(chunk);
        count++;
    }
    return count;
}
