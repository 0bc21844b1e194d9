/*
 * The model's operations. Each draws its arguments, calls the allocator, and checks what the
 * contract says.
 */
#include "model/model.h"

#include "support/page.h"
#include "support/pattern.h"
#include "support/prefixed.h"
#include "support/require.h"

#include <errno.h>
#include <stdint.h>

enum { MINIMUM_ALIGNMENT = 16 };

typedef void operation(struct model *model, struct chunk *slot);

static void allocate_plain(struct model *model, struct chunk *slot)
{
    size_t size = model_random_size(model);
    void *start = rng_below(&model->rng, 4) == 0 ? ft_realloc(NULL, size) : ft_malloc(size);
    model_enter(model, slot, start, size, MINIMUM_ALIGNMENT);
}

static void allocate_zeroed(struct model *model, struct chunk *slot)
{
    size_t size = model_random_size(model);
    size_t count = rng_between(&model->rng, 1, 9);
    void *start = ft_calloc(count, size / count);
    size = size / count * count;
    REQUIRE(start != NULL, "no memory for %zu bytes", size);
    size_t nonzero = pattern_first_nonzero(start, size);
    REQUIRE(nonzero == size, "calloc: %p of %zu bytes is not zero at offset %zu", start, size,
            nonzero);
    model_enter(model, slot, start, size, MINIMUM_ALIGNMENT);
}

static void allocate_array(struct model *model, struct chunk *slot)
{
    size_t count = rng_between(&model->rng, 1, 40);
    size_t size = rng_between(&model->rng, 1, 3000);
    model_enter(model, slot, ft_reallocarray(NULL, count, size), count * size, MINIMUM_ALIGNMENT);
}

static void allocate_aligned(struct model *model, struct chunk *slot)
{
    struct rng *rng = &model->rng;
    size_t size = model_random_size(model);
    size_t alignment =
        (size_t)16 << (rng_below(rng, 50) == 0 ? rng_below(rng, 18) : rng_below(rng, 9));
    void *start = NULL;
    switch (rng_below(rng, 3)) {
    case 0:
        start = ft_aligned_alloc(alignment, size);
        break;
    case 1:
        start = ft_memalign(alignment, size);
        break;
    default:
        REQUIRE(ft_posix_memalign(&start, alignment, size) == 0, "posix_memalign(%zu, %zu)",
                alignment, size);
    }
    model_enter(model, slot, start, size, alignment);
}

static void allocate_pages(struct model *model, struct chunk *slot)
{
    size_t size = model_random_size(model);
    size_t page = page_size();
    if (rng_below(&model->rng, 2) == 0) {
        model_enter(model, slot, ft_valloc(size), size, page);
    } else {
        size_t rounded = (size + page) / page * page;
        model_enter(model, slot, ft_pvalloc(size + 1), rounded, page);
    }
}

static void release(struct model *model, struct chunk *slot)
{
    model_check_contents(slot, slot->filled);
    errno = 4242;
    switch (rng_below(&model->rng, 6)) {
    case 0:
        ft_cfree(slot->start);
        break;
    case 1:
        if (slot->alignment == MINIMUM_ALIGNMENT) {
            ft_free_sized(slot->start, slot->size);
            break;
        }
        ft_free_aligned_sized(slot->start, slot->alignment, slot->size);
        break;
    case 2:
        REQUIRE(ft_realloc(slot->start, 0) == NULL, "realloc(p, 0) does not free");
        break;
    default:
        ft_free(slot->start);
    }
    REQUIRE(errno == 4242, "free changes errno");
    slot->start = NULL;
}

static void resize(struct model *model, struct chunk *slot)
{
    struct rng *rng = &model->rng;
    size_t size = model_random_size(model);
    if (rng_below(rng, 3) == 0)
        size = slot->size + rng_below(rng, slot->size / 4 + 20);
    size += size == 0;
    struct chunk old = *slot;
    void *start = NULL;
    if (rng_below(rng, 5) == 0) {
        size_t count = rng_between(rng, 1, 5);
        size = size / count + 1;
        start = ft_reallocarray(old.start, size, count);
        size *= count;
    } else {
        start = ft_realloc(old.start, size);
    }
    REQUIRE(start != NULL, "no memory for %zu bytes", size);
    size_t kept = old.filled < size ? old.filled : size;
    size_t mismatch = pattern_mismatch(start, kept, old.tag);
    REQUIRE(mismatch == kept, "realloc of %p from %zu to %zu bytes lost offset %zu",
            (void *)old.start, old.size, size, mismatch);
    slot->start = NULL;
    model_enter(model, slot, start, size, MINIMUM_ALIGNMENT);
}

static void use_slack(struct model *model, struct chunk *slot)
{
    (void)model;
    size_t usable = ft_malloc_usable_size(slot->start);
    REQUIRE(usable >= slot->size, "%zu bytes usable of %zu", usable, slot->size);
    model_check_contents(slot, slot->filled);
    pattern_write(slot->start, slot->size, usable, slot->tag);
    slot->filled = usable;
}

static void refuse_impossible(struct model *model, struct chunk *slot)
{
    size_t size = SIZE_MAX - rng_below(&model->rng, (size_t)1 << 40);
    errno = 0;
    switch (rng_below(&model->rng, 5)) {
    case 0:
        REQUIRE(ft_malloc(size) == NULL && errno == ENOMEM, "malloc(%zu)", size);
        break;
    case 1:
        REQUIRE(ft_calloc(size, 3) == NULL && errno == ENOMEM, "calloc(%zu, 3)", size);
        break;
    case 2:
        REQUIRE(ft_realloc(slot->start, size) == NULL && errno == ENOMEM, "realloc(%zu)", size);
        break;
    case 3:
        REQUIRE(ft_reallocarray(slot->start, size, 2) == NULL && errno == ENOMEM,
                "reallocarray(%zu, 2)", size);
        break;
    default:
        REQUIRE(ft_memalign(64, size) == NULL && errno == ENOMEM, "memalign(64, %zu)", size);
    }
    model_check_contents(slot, slot->filled);
}

static void look_around(struct model *model, struct chunk *slot)
{
    if (rng_below(&model->rng, 40) == 0)
        ft_malloc_trim(0);
    REQUIRE(ft_mallinfo2().uordblks + ft_mallinfo2().hblkhd >= slot->size,
            "mallinfo2 misses a live chunk");
    model_check_contents(slot, slot->filled);
}

static operation *pick(struct rng *rng, operation *const *operations, const unsigned *weights)
{
    size_t total = 0;
    for (size_t i = 0; operations[i] != NULL; i++)
        total += weights[i];
    size_t drawn = rng_below(rng, total);
    while (drawn >= *weights) {
        drawn -= *weights++;
        operations++;
    }
    return *operations;
}

void model_step(struct model *model)
{
    static operation *const on_empty[] = {allocate_plain,   allocate_zeroed, allocate_array,
                                          allocate_aligned, allocate_pages,  NULL};
    static const unsigned empty_weights[] = {50, 20, 5, 15, 2};
    static operation *const on_live[] = {release,           resize,      use_slack,
                                         refuse_impossible, look_around, NULL};
    static const unsigned live_weights[] = {60, 30, 8, 2, 1};
    struct chunk *slot = &model->slots[rng_below(&model->rng, model->slot_count)];
    if (slot->start == NULL)
        pick(&model->rng, on_empty, empty_weights)(model, slot);
    else
        pick(&model->rng, on_live, live_weights)(model, slot);
}
