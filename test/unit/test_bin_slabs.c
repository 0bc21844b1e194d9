/*
 * The slabs behind a bin's stack: which partial slab comes first, which empty one is kept, and what
 * is known to be zero.
 */
#include "unit/unit.h"

#include "bins/bin_slabs.h"
#include "os/os.h"
#include "support/rng.h"

#include <string.h>

/*
 * Classes whose slabs have one unit, a few units, many units; many chunks, a few chunks, one chunk.
 */
static const unsigned some_classes[] = {0,  5,  12, TINY_CLASSES - 1, TINY_CLASSES, 36, 50,
                                        66, 75, 84, SIZE_CLASSES - 1};

enum { SOME_CLASSES = sizeof some_classes / sizeof some_classes[0], MANY = 3000 };

/* Makes three slabs partial, in a known order, and frees `vacant[i]` chunks of slab i. */
static void make_partial(struct arena *arena, unsigned size_class, const unsigned *vacant,
                         uintptr_t *starts)
{
    struct stack *stack = &cache_first(arena)->stacks.of[size_class];
    unsigned chunks = size_classes[size_class].chunks;
    static char *all[3][TINY_SLAB_CHUNKS_MAX];

    for (unsigned slab = 0; slab < 3; slab++)
        for (unsigned n = 0; n < chunks; n++)
            all[slab][n] = unit_alloc(arena, unit_bin_size(stack));
    unit_alloc(arena, unit_bin_size(stack)); /* Here the bin moves on to another current slab. */
    for (unsigned slab = 0; slab < 3; slab++) {
        starts[slab] = (uintptr_t)all[slab][0];
        for (unsigned n = 0; n < vacant[slab]; n++)
            unit_free(arena, all[slab][n]);
        stack_flush(stack);
    }
}

static void test_the_fullest_partial_slab_comes_first(void **state)
{
    (void)state;
    static const unsigned vacant[3] = {9, 2, 5};
    struct arena *arena = unit_arena();
    struct stack *stack = &cache_first(arena)->stacks.of[15];
    uintptr_t starts[3];

    make_partial(arena, 15, vacant, starts);
    assert_int_equal(unit_ring_length(stack), 3);
    while (slab_start(bin_of(stack)->current) != starts[1])
        unit_alloc(arena, unit_bin_size(stack));
    while (slab_start(bin_of(stack)->current) == starts[1])
        unit_alloc(arena, unit_bin_size(stack));
    assert_int_equal(slab_start(bin_of(stack)->current), starts[2]);
    while (slab_start(bin_of(stack)->current) == starts[2])
        unit_alloc(arena, unit_bin_size(stack));
    assert_int_equal(slab_start(bin_of(stack)->current), starts[0]);
}

/*
 * Allocates three slabs' worth of chunks and frees them, with enough others to push them through
 * the stack.
 */
static void fill_and_drain(struct arena *arena, unsigned size_class)
{
    static void *all[MANY];
    struct stack *stack = &cache_first(arena)->stacks.of[size_class];
    unsigned count = 3U * size_classes[size_class].chunks + 2U * stack_limit_max(stack);

    assert_true(count <= MANY);
    for (unsigned n = 0; n < count; n++)
        all[n] = unit_alloc(arena, unit_bin_size(stack));
    for (unsigned n = 0; n < count; n++)
        unit_free(arena, all[n]);
    unit_check_bin(arena, stack, 0);
}

static void test_one_short_empty_slab_is_kept(void **state)
{
    (void)state;
    struct arena *arena = unit_arena();

    fill_and_drain(arena, 15);
    assert_non_null(arena->bins.of[15].spare);
    assert_null(arena->bins.of[15].spare->next);
    assert_int_equal(arena->bins.spare_units, 0);
}

/* Allocates and frees 32 MiB of each class whose slabs have one chunk. */
static void fill_and_drain_long(struct arena *arena)
{
    for (unsigned size_class = SIZE_CLASSES - 8; size_class < SIZE_CLASSES; size_class++) {
        static void *all[MANY];
        unsigned count = (32U << 20) / size_classes[size_class].size;

        for (unsigned n = 0; n < count; n++)
            all[n] = unit_alloc(arena, size_classes[size_class].size);
        for (unsigned n = 0; n < count; n++)
            unit_free(arena, all[n]);
        unit_check_bin(arena, &cache_first(arena)->stacks.of[size_class], 0);
    }
}

static unsigned spare_units(const struct arena *arena)
{
    unsigned units = 0;

    for (unsigned size_class = SIZE_CLASSES - 8; size_class < SIZE_CLASSES; size_class++)
        for (struct slab *slab = arena->bins.of[size_class].spare; slab != NULL; slab = slab->next)
            units += size_classes[size_class].units;
    return units;
}

static void test_long_empty_slabs_of_all_bins_share_a_bound(void **state)
{
    (void)state;
    struct arena *arena = unit_arena();

    fill_and_drain_long(arena);
    assert_int_equal(spare_units(arena), arena->bins.spare_units);
    assert_true(spare_units(arena) > SPARE_ROOM - SLAB_UNITS_MAX &&
                spare_units(arena) <= SPARE_ROOM);
    stacks_flush(&cache_first(arena)->stacks);
    assert_int_equal(spare_units(arena), 0);
    assert_int_equal(arena->bins.spare_units, 0);
}

/* A program that has freed much of some sizes, and wants another size, gets memory it has used. */
static void test_long_empty_slabs_make_way_for_other_classes(void **state)
{
    (void)state;
    enum { COUNT = 4000 };
    struct arena *arena = unit_arena();
    static void *all[COUNT];
    unsigned count = 0;
    size_t fresh;

    fill_and_drain_long(arena);
    assert_true(spare_units(arena) > 0);
    do {
        fresh = arena->small.fresh;
        assert_true(count < COUNT);
        all[count++] = unit_alloc(arena, 16 << 10);
    } while (arena->small.fresh == fresh);
    assert_int_equal(spare_units(arena), 0);
    while (count > 0)
        unit_free(arena, all[--count]);
}

static bool was_seen(const uint64_t *identities, const struct slab *slab)
{
    for (unsigned n = 0; n < 12; n++)
        if (identities[n] == atomic_load(&slab->identity))
            return true;
    return false;
}

/* A program that allocates and frees more than its stack holds makes a slab for each chunk once. */
static void test_a_long_empty_slab_serves_the_next_request(void **state)
{
    (void)state;
    struct arena *arena = unit_arena();
    struct stack *stack = &cache_first(arena)->stacks.of[SIZE_CLASSES - 1];
    void *chunks[12];
    uint64_t identity[12];

    for (unsigned time = 0; time < 2; time++) {
        for (unsigned n = 0; n < 12; n++) {
            chunks[n] = unit_alloc(arena, SMALL_MAX);
            if (time == 1)
                assert_true(was_seen(identity, small_slab((uintptr_t)chunks[n])));
        }
        for (unsigned n = 0; n < 12; n++)
            identity[n] = atomic_load(&small_slab((uintptr_t)chunks[n])->identity);
        for (unsigned n = 0; n < 12; n++)
            unit_free(arena, chunks[n]);
    }
    unit_check_bin(arena, stack, 0);
}

static void test_a_refill_takes_used_chunks_of_several_slabs(void **state)
{
    (void)state;
    struct arena *arena = unit_arena();
    struct stack *stack = &cache_first(arena)->stacks.of[SIZE_CLASSES - 1];
    void *chunks[16];

    /* The stack is lengthened every other time. */
    for (unsigned time = 0; time < 12; time++) {
        for (unsigned n = 0; n < 16; n++)
            chunks[n] = unit_alloc(arena, SMALL_MAX);
        for (unsigned n = 0; n < 16; n++)
            unit_free(arena, chunks[n]);
    }
    while (stack_count(stack) > 0)
        unit_alloc(arena, SMALL_MAX);
    assert_true(stack_limit(stack) >= 4 && bin_of(stack)->spare != NULL);
    unit_alloc(arena, SMALL_MAX);
    assert_int_equal(stack_count(stack) + 1, stack_limit(stack) / 2);
}

/* The next thread of the cache then writes to the same pages for the class. */
static void test_thinned_stacks_leave_a_class_its_slab(void **state)
{
    (void)state;
    struct arena *arena = unit_arena();

    for (unsigned size_class = 0; size_classes[size_class].size <= 2 << 10; size_class++) {
        struct stacks *stacks = &cache_first(arena)->stacks;
        struct stack *stack = &stacks->of[size_class];
        void *chunk = unit_alloc(arena, unit_bin_size(stack));
        const struct slab *slab = bin_of(stack)->current;

        unit_free(arena, chunk);
        stacks_thin(stacks);
        assert_ptr_equal(bin_of(stack)->current, slab);
        assert_ptr_equal(unit_alloc(arena, unit_bin_size(stack)), chunk);
        unit_free(arena, chunk);
        stacks_flush(stacks);
        assert_null(bin_of(stack)->current);
    }
}

static void test_without_memory_a_bin_stays_as_it_is(void **state)
{
    (void)state;
    struct arena *arena = unit_arena();

    for (unsigned i = 0; i < SOME_CLASSES; i++) {
        struct stack *stack = &cache_first(arena)->stacks.of[some_classes[i]];

        os_fail_after(1, true);
        /* If an earlier class has made the heap, its free units are used up first. */
        while (stack_pop(stack) != NULL || stack_refill(stack, NULL))
            continue;
        assert_false(stack_refill(stack, NULL));
        os_fail_after(0, false);
        assert_int_equal(stack_count(stack), 0);
        assert_null(bin_of(stack)->current);
        assert_true(stack_refill(stack, NULL));
        assert_true(stack_count(stack) > 0);
    }
}

enum order { UPWARD, DOWNWARD, NEAR, ANYWHERE, ORDERS };

/* Takes all chunks of three slabs except the last one of each. Returns how many. */
static unsigned take_three_slabs(struct bin *bin, void **chunks, void **last)
{
    static void *taken[TINY_SLAB_CHUNKS_MAX];
    unsigned count = 0;

    for (unsigned i = 0; i < 3; i++) {
        unsigned from_slab = slab_take(bin_next_current(bin), taken, TINY_SLAB_CHUNKS_MAX);

        assert_int_equal(from_slab, size_classes[bin->size_class].chunks);
        last[i] = taken[0];
        while (from_slab > 1)
            chunks[count++] = taken[--from_slab];
    }
    return count;
}

static void swap(void **one, void **other)
{
    void *chunk = *one;

    *one = *other;
    *other = chunk;
}

/* Brings chunks that are in the order of their addresses into another one. */
static void arrange(void **chunks, unsigned count, enum order order, struct rng *rng)
{
    unsigned group = order == NEAR ? 10 : count;

    if (order == DOWNWARD)
        for (unsigned n = 0; n < count / 2; n++)
            swap(&chunks[n], &chunks[count - 1 - n]);
    if (order == NEAR || order == ANYWHERE)
        for (unsigned n = 0; n < count; n++) {
            unsigned start = n - n % group, end = start + group < count ? start + group : count;

            swap(&chunks[n], &chunks[rng_between(rng, n, end - 1)]);
        }
}

static bool is_vacant(const struct bin *bin, const void *chunk)
{
    uintptr_t at = (uintptr_t)chunk;
    const struct slab *slab = bin->size_class < TINY_CLASSES ? tiny_slab(at) : small_slab(at);
    unsigned index = chunk_index(&size_classes[bin->size_class], (uint32_t)(at - slab_start(slab)));

    return (slab->vacant[index / 64] >> (index % 64) & 1) != 0;
}

/* Returns the chunks of three slabs in the order, in two parts, and looks for the others' bits. */
static void return_three_slabs(struct arena *arena, struct bin *bin, enum order order,
                               struct rng *rng)
{
    static void *chunks[3 * TINY_SLAB_CHUNKS_MAX];
    void *last[3];
    unsigned count = take_three_slabs(bin, chunks, last);
    unsigned part = (unsigned)rng_between(rng, 0, count);

    arrange(chunks, count, order, rng);
    bin_to_slabs(bin, chunks, part);
    for (unsigned n = 0; n < count; n++)
        assert_int_equal(is_vacant(bin, chunks[n]), n < part);
    for (unsigned i = 0; i < 3; i++)
        assert_false(is_vacant(bin, last[i]));
    bin_to_slabs(bin, chunks + part, count - part);
    for (unsigned n = 0; n < count; n++)
        assert_true(is_vacant(bin, chunks[n]));
    bin_to_slabs(bin, last, 3);
    unit_check_bin(arena, &cache_first(arena)->stacks.of[bin->size_class], 0);
}

static void test_chunks_return_to_their_slabs_in_any_order(void **state)
{
    (void)state;
    struct rng rng = rng_stream(1, 3);
    struct arena *arena = unit_arena();

    for (unsigned size_class = 0; size_class < SIZE_CLASSES; size_class++)
        for (enum order order = UPWARD; order < ORDERS; order++)
            for (unsigned time = 0; time < 3; time++) {
                return_three_slabs(arena, &arena->bins.of[size_class], order, &rng);
                /* Another time, all chunks are vacant again. */
                stack_flush(&cache_first(arena)->stacks.of[size_class]);
            }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_the_fullest_partial_slab_comes_first, unit_flush_all),
        cmocka_unit_test_teardown(test_one_short_empty_slab_is_kept, unit_flush_all),
        cmocka_unit_test_teardown(test_long_empty_slabs_of_all_bins_share_a_bound, unit_flush_all),
        cmocka_unit_test_teardown(test_long_empty_slabs_make_way_for_other_classes, unit_flush_all),
        cmocka_unit_test_teardown(test_a_long_empty_slab_serves_the_next_request, unit_flush_all),
        cmocka_unit_test_teardown(test_a_refill_takes_used_chunks_of_several_slabs, unit_flush_all),
        cmocka_unit_test_teardown(test_thinned_stacks_leave_a_class_its_slab, unit_flush_all),
        cmocka_unit_test_teardown(test_without_memory_a_bin_stays_as_it_is, unit_flush_all),
        cmocka_unit_test_teardown(test_chunks_return_to_their_slabs_in_any_order, unit_flush_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
