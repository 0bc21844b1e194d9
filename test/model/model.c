/*
 * The model's own part: slots, checks of new chunks, and the comparison with show_alloc_mem.
 */
#include "model/model.h"

#include "bins/size_class.h"
#include "support/pattern.h"
#include "support/prefixed.h"
#include "support/require.h"

#include <stdlib.h>

struct model *model_create(uint64_t seed, uint64_t stream, size_t slot_count, size_t largest)
{
    struct model *model = malloc(sizeof *model);
    REQUIRE(model != NULL, "no memory for a model");
    *model = (struct model){
        .rng = rng_stream(seed, stream),
        .next_tag = stream << 32,
        .slot_count = slot_count,
        .largest = largest,
        .slots = calloc(slot_count, sizeof *model->slots),
    };
    REQUIRE(model->slots != NULL, "no memory for a model's slots");
    return model;
}

void model_destroy(struct model *model)
{
    free(model->slots);
    free(model);
}

size_t model_random_size(struct model *model)
{
    static const size_t borders[] = {0,    16,   128,   256,    512,    TINY_MAX - 1,
                                     1024, 4096, 65536, 131072, 262144, 524288};
    struct rng *rng = &model->rng;
    size_t kind = rng_below(rng, 100);
    if (kind < 50)
        return rng_below(rng, TINY_MAX + 100);
    if (kind < 65)
        return borders[rng_below(rng, sizeof borders / sizeof *borders)] + rng_below(rng, 3);
    if (kind < 90)
        return rng_below(rng, 9000);
    if (kind < 97)
        return rng_below(rng, 100000);
    return rng_below(rng, model->largest);
}

static void require_no_overlap(const struct model *model, const struct chunk *fresh)
{
    uintptr_t start = (uintptr_t)fresh->start;
    uintptr_t end = start + (fresh->filled > 0 ? fresh->filled : 1);
    for (size_t i = 0; i < model->slot_count; i++) {
        const struct chunk *other = &model->slots[i];
        if (other->start == NULL || other == fresh)
            continue;
        uintptr_t other_start = (uintptr_t)other->start;
        uintptr_t other_end = other_start + (other->filled > 0 ? other->filled : 1);
        REQUIRE(end <= other_start || other_end <= start,
                "%p of %zu bytes overlaps %p of %zu bytes", (void *)fresh->start, fresh->size,
                (void *)other->start, other->size);
    }
}

void model_enter(struct model *model, struct chunk *slot, void *start, size_t size,
                 size_t alignment)
{
    REQUIRE(start != NULL, "no memory for %zu bytes", size);
    REQUIRE((uintptr_t)start % alignment == 0, "%p of %zu bytes is not aligned to %zu", start, size,
            alignment);
    *slot = (struct chunk){start, size, size, alignment, model->next_tag++};
    require_no_overlap(model, slot);
    pattern_write(start, 0, size, slot->tag);
}

void model_check_contents(const struct chunk *chunk, size_t limit)
{
    size_t mismatch = pattern_mismatch(chunk->start, limit, chunk->tag);
    REQUIRE(mismatch == limit, "%p of %zu bytes was changed at offset %zu", (void *)chunk->start,
            chunk->size, mismatch);
}

void model_free_all(struct model *model)
{
    for (size_t i = 0; i < model->slot_count; i++) {
        struct chunk *chunk = &model->slots[i];
        if (chunk->start == NULL)
            continue;
        model_check_contents(chunk, chunk->filled);
        ft_free(chunk->start);
        chunk->start = NULL;
    }
}

void model_require_shown(struct model *const *models, size_t count, const struct shown *shown)
{
    size_t held = 0;
    for (size_t m = 0; m < count; m++) {
        for (size_t i = 0; i < models[m]->slot_count; i++) {
            const struct chunk *chunk = &models[m]->slots[i];
            if (chunk->start == NULL)
                continue;
            const struct shown_chunk *found = shown_find(shown, chunk->start);
            REQUIRE(found != NULL, "%p of %zu bytes is not shown", (void *)chunk->start,
                    chunk->size);
            REQUIRE(found->size == chunk->size, "%p of %zu bytes is shown with %zu",
                    (void *)chunk->start, chunk->size, found->size);
            held++;
        }
    }
    REQUIRE(shown->chunk_count == held, "%zu chunks are shown, %zu are held", shown->chunk_count,
            held);
}
