/*
 * Bins: how the stack of free chunks fills, spills and grows; which slab is current, partial or
 * spare; and that no chunk is lost between them, whatever the order of calls.
 */
#include "unit/unit.h"

#include "base/clock.h"
#include "bins/bin.h"
#include "os/os.h"
#include "support/rng.h"

#include <string.h>

/*
 * Classes whose slabs have one unit, a few units, many units; many chunks, a few chunks, one chunk.
 */
static const unsigned some_classes[] = {0,  5,  12, TINY_CLASSES - 1, TINY_CLASSES, 36, 50,
                                        66, 75, 84, SIZE_CLASSES - 1};

enum { SOME_CLASSES = sizeof some_classes / sizeof some_classes[0], MANY = 3000 };

static void test_tiny_sizes_find_their_bin(void **state)
{
    (void)state;
    struct arena *arena = unit_arena();

    for (size_t size = 0; size <= TINY_MAX; size++)
        assert_ptr_equal(arena_tiny_bin(arena, size), &arena->bins.of[size_class_of(size)]);
    for (unsigned size_class = 0; size_class < SIZE_CLASSES; size_class++) {
        assert_int_equal(arena->bins.of[size_class].size_class, size_class);
        assert_true(bin_limit(&arena->bins.of[size_class]) >= 1);
    }
}

static void test_the_stacks_of_bins_do_not_overlap(void **state)
{
    (void)state;
    struct arena *arena = unit_arena();
    void **next = arena->bins.of[0].slots;

    for (unsigned size_class = 0; size_class < SIZE_CLASSES; size_class++) {
        assert_ptr_equal(arena->bins.of[size_class].slots, next);
        next += bin_limit(&arena->bins.of[size_class]);
    }
    assert_ptr_equal(arena->bins.next_slots, next);
    assert_true((size_t)(next - arena->bins.slots) <= bins_slots());
}

/*
 * Allocates twice as many chunks as the stack may hold and frees them, until the stack has its
 * maximum length.
 */
static void lengthen_to_the_last(struct arena *arena, struct bin *bin)
{
    static void *chunks[MANY];
    unsigned count = 2 * bin_limit_max(bin) + 2;

    assert_true(count <= MANY);
    for (unsigned time = 0; bin_limit(bin) < bin_limit_max(bin) && time < 20; time++) {
        for (unsigned n = 0; n < count; n++)
            chunks[n] = unit_alloc(arena, unit_bin_size(bin));
        for (unsigned n = 0; n < count; n++)
            unit_free(arena, chunks[n]);
    }
    assert_int_equal(bin_limit(bin), bin_limit_max(bin));
}

static void test_the_longest_stacks_of_bins_do_not_overlap(void **state)
{
    (void)state;
    struct arena *arena = unit_arena();
    struct bin *of = arena->bins.of;
    void **end = arena->bins.slots + bins_slots();

    for (unsigned size_class = 0; size_class < SIZE_CLASSES; size_class++) {
        lengthen_to_the_last(arena, &of[size_class]);
        /* Checked first, because a later write would already be outside of the arena. */
        assert_true(arena->bins.next_slots <= end);
        /* All SMALL stacks share what they may be lengthened by, so this one returns its part. */
        bin_flush(&of[size_class]);
    }
    for (unsigned size_class = 0; size_class < SIZE_CLASSES; size_class++) {
        assert_int_equal(of[size_class].capacity, bin_limit_max(&of[size_class]));
        assert_true(of[size_class].slots >= arena->bins.slots &&
                    of[size_class].slots + of[size_class].capacity <= end);
        for (unsigned other = 0; other < size_class; other++)
            assert_true(of[size_class].slots + of[size_class].capacity <= of[other].slots ||
                        of[other].slots + of[other].capacity <= of[size_class].slots);
    }
}

static void test_a_refill_hands_out_ascending_addresses(void **state)
{
    (void)state;
    struct arena *arena = unit_arena();

    for (unsigned size_class = 0; size_class < SIZE_CLASSES; size_class++) {
        struct bin *bin = &arena->bins.of[size_class];

        assert_true(bin_refill(bin, NULL));
        assert_true(bin_count(bin) >= 1 && bin_count(bin) <= bin_limit(bin));
        assert_int_equal((uintptr_t)bin->slots[bin_count(bin) - 1], slab_start(bin->current));
        for (unsigned slot = 1; slot < bin_count(bin); slot++)
            assert_true((uintptr_t)bin->slots[slot] + unit_bin_size(bin) ==
                        (uintptr_t)bin->slots[slot - 1]);
        unit_check_bin(arena, bin, 0);
    }
}

static void test_a_freed_chunk_is_handed_out_next(void **state)
{
    (void)state;
    struct arena *arena = unit_arena();

    for (unsigned size_class = 0; size_class < SIZE_CLASSES; size_class++) {
        void *chunk = unit_alloc(arena, size_classes[size_class].size);

        unit_free(arena, chunk);
        assert_ptr_equal(unit_alloc(arena, size_classes[size_class].size), chunk);
    }
}

static void test_a_full_stack_grows_then_spills_its_older_half(void **state)
{
    (void)state;
    struct arena *arena = unit_arena();
    static void *chunks[MANY];

    for (unsigned i = 0; i < SOME_CLASSES; i++) {
        struct bin *bin = &arena->bins.of[some_classes[i]];
        unsigned limit = 2U * bin_limit(bin), count = limit + 1U;

        for (unsigned n = 0; n < count; n++)
            chunks[n] = unit_alloc(arena, unit_bin_size(bin));
        while (bin_count(bin) > 0)
            unit_alloc(arena, unit_bin_size(bin));
        /* The stack has its initial length again, and a refill has just filled it. */
        bin_flush(bin);
        assert_int_equal(2U * bin_limit(bin), limit);
        bin->refills = 1;
        for (unsigned n = 0; n + 1 < count; n++)
            unit_free(arena, chunks[n]);
        assert_int_equal(bin_limit(bin), limit);
        assert_int_equal(bin_count(bin), limit);
        for (unsigned n = 0; n < bin_count(bin); n++)
            assert_ptr_equal(bin->slots[n], chunks[n]);
        /* No refill happens in between, so this is a bulk of frees that no length would hold. */
        unit_free(arena, chunks[count - 1]);
        assert_true(bin_count(bin) > 0 && bin_count(bin) <= limit / 2U + 1);
        for (unsigned n = 0; n < bin_count(bin); n++)
            assert_ptr_equal(bin->slots[bin_count(bin) - 1 - n], chunks[count - 1 - n]);
    }
}

static void test_nothing_is_lost_in_any_order(void **state)
{
    (void)state;
    static void *live[MANY];
    struct rng rng = rng_stream(1, 2);

    for (unsigned i = 0; i < SOME_CLASSES; i++) {
        struct arena *arena = unit_arena();
        struct bin *bin = &arena->bins.of[some_classes[i]];
        unsigned count = 0, most = size_classes[some_classes[i]].chunks * 5U;

        most = most < MANY ? most : MANY;
        for (unsigned step = 0, next = most, wave = 0; wave < 4; step++) {
            /* The number of live chunks rises in waves, then falls in waves. */
            bool up = (rng_below(&rng, 8) != 0) == (wave % 2 == 0);

            if (up && count < most) {
                live[count++] = unit_alloc(arena, unit_bin_size(bin));
            } else if (count > 0) {
                size_t victim = rng_below(&rng, count);

                unit_free(arena, live[victim]);
                live[victim] = live[--count];
            }
            if (step % 251 == 0)
                unit_check_bin(arena, bin, count);
            if (step == next) {
                next += most;
                wave++;
            }
        }
        assert_int_equal(unit_count_state(arena, STATE_LIVE), count);
        while (count > 0)
            unit_free(arena, live[--count]);
        unit_check_bin(arena, bin, 0);
    }
}

static void test_a_flush_returns_everything(void **state)
{
    (void)state;
    struct arena *arena = unit_arena();
    static void *chunks[MANY];

    for (unsigned size_class = 0; size_class < SIZE_CLASSES; size_class++) {
        unsigned count = size_classes[size_class].chunks * 3U;

        count = count < MANY ? count : MANY;
        for (unsigned n = 0; n < count; n++)
            chunks[n] = unit_alloc(arena, size_classes[size_class].size);
        for (unsigned step = 0; step < 3; step++)
            for (unsigned n = step; n < count; n += 3)
                unit_free(arena, chunks[n]);
        bin_flush(&arena->bins.of[size_class]);
        unit_check_bin(arena, &arena->bins.of[size_class], 0);
        assert_null(arena->bins.of[size_class].current);
        assert_null(arena->bins.of[size_class].partial);
        assert_null(arena->bins.of[size_class].spare);
    }
    assert_int_equal(arena_trim(arena), TINY_HEAP_SIZE + SMALL_HEAP_SIZE);
    assert_null(arena->tiny.heaps);
    assert_null(arena->small.heaps);
}

static void check_all_flushed_but(struct arena *arena, struct bin *busy)
{
    for (unsigned size_class = 0; size_class < SIZE_CLASSES; size_class++) {
        struct bin *bin = &arena->bins.of[size_class];

        if (bin == busy)
            assert_true(bin_count(bin) > 0 && bin->current != NULL);
        else
            assert_true(bin_count(bin) == 0 && bin->current == NULL && bin->spare == NULL);
        if (bin != busy)
            unit_check_bin(arena, bin, 0);
    }
}

static void test_a_tick_flushes_unused_stacks(void **state)
{
    (void)state;
    struct arena *arena = unit_arena();
    struct bin *busy = &arena->bins.of[TINY_CLASSES + 1];
    static void *chunks[SIZE_CLASSES];
    uint64_t before = clock_now();

    for (unsigned size_class = 0; size_class < SIZE_CLASSES; size_class++)
        chunks[size_class] = unit_alloc(arena, size_classes[size_class].size);
    /* The first flush finds every stack used since the tests began. */
    arena->bins.ticks = BINS_FLUSH_TICKS - 1;
    arena->bins.next_tick = 0;
    unit_alloc(arena, unit_bin_size(busy));
    while (arena->bins.next_tick == 0)
        unit_alloc(arena, unit_bin_size(busy));
    assert_true(arena->bins.next_tick > before);
    for (unsigned size_class = 0; size_class < SIZE_CLASSES; size_class++) {
        assert_non_null(arena->bins.of[size_class].current);
        unit_free(arena, chunks[size_class]);
        assert_true(bin_count(&arena->bins.of[size_class]) > 0);
    }
    /*
     * The second flush finds one used stack. Every other tick flushes, and the tick in between does
     * not.
     */
    arena->bins.ticks = BINS_FLUSH_TICKS - 2;
    arena->bins.next_tick = 0;
    while (arena->bins.next_tick == 0)
        unit_alloc(arena, unit_bin_size(busy));
    assert_true(bin_count(&arena->bins.of[0]) > 0);
    arena->bins.next_tick = 0;
    while (arena->bins.next_tick == 0)
        unit_alloc(arena, unit_bin_size(busy));
    check_all_flushed_but(arena, busy);
}

static void test_a_flush_keeps_what_is_live(void **state)
{
    (void)state;
    struct arena *arena = unit_arena();
    struct bin *bin = &arena->bins.of[9];
    char *chunks[300];

    for (unsigned n = 0; n < 300; n++)
        memset(chunks[n] = unit_alloc(arena, unit_bin_size(bin)), (int)n, unit_bin_size(bin));
    for (unsigned n = 0; n < 300; n += 2)
        unit_free(arena, chunks[n]);
    bin_flush(bin);
    unit_check_bin(arena, bin, 150);
    for (unsigned n = 1; n < 300; n += 2) {
        assert_int_equal(chunks[n][0], (char)n);
        assert_int_equal(chunks[n][unit_bin_size(bin) - 1], (char)n);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_tiny_sizes_find_their_bin, unit_flush_all),
        cmocka_unit_test_teardown(test_the_stacks_of_bins_do_not_overlap, unit_flush_all),
        cmocka_unit_test_teardown(test_the_longest_stacks_of_bins_do_not_overlap, unit_flush_all),
        cmocka_unit_test_teardown(test_a_refill_hands_out_ascending_addresses, unit_flush_all),
        cmocka_unit_test_teardown(test_a_freed_chunk_is_handed_out_next, unit_flush_all),
        cmocka_unit_test_teardown(test_a_full_stack_grows_then_spills_its_older_half,
                                  unit_flush_all),
        cmocka_unit_test_teardown(test_nothing_is_lost_in_any_order, unit_flush_all),
        cmocka_unit_test_teardown(test_a_flush_returns_everything, unit_flush_all),
        cmocka_unit_test_teardown(test_a_tick_flushes_unused_stacks, unit_flush_all),
        cmocka_unit_test_teardown(test_a_flush_keeps_what_is_live, unit_flush_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
