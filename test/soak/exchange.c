/*
 * The exchange of chunks between threads. A cell holds a finished chunk, described by a chunk of
 * its own; whoever takes it out owns both. So the child of a fork can continue with the cells at
 * any moment.
 */
#include "soak/soak.h"

#include "support/require.h"

#include <stdlib.h>

enum { CELLS = 300 };

static _Atomic(struct chunk *) cells[CELLS];

static void verify_and_free(struct chunk *chunk)
{
    if (chunk == NULL)
        return;
    model_check_contents(chunk, chunk->filled);
    free(chunk->start);
    free(chunk);
}

static void pass_on(struct model *model)
{
    struct chunk *slot = &model->slots[rng_below(&model->rng, model->slot_count)];
    if (slot->start == NULL)
        return;
    struct chunk *passed = malloc(sizeof *passed);
    REQUIRE(passed != NULL, "no memory for a chunk's description");
    *passed = *slot;
    slot->start = NULL;
    verify_and_free(atomic_exchange(&cells[rng_below(&model->rng, CELLS)], passed));
}

static void receive(struct model *model)
{
    struct chunk *taken = atomic_exchange(&cells[rng_below(&model->rng, CELLS)], NULL);
    struct chunk *slot = &model->slots[rng_below(&model->rng, model->slot_count)];
    if (taken == NULL || slot->start != NULL) {
        verify_and_free(taken);
        return;
    }
    model_check_contents(taken, taken->filled);
    *slot = *taken;
    free(taken);
}

void exchange_step(struct model *model)
{
    if (rng_below(&model->rng, 2) == 0)
        pass_on(model);
    else
        receive(model);
}

void exchange_empty(void)
{
    for (size_t n = 0; n < CELLS; n++)
        verify_and_free(atomic_exchange(&cells[n], NULL));
}
