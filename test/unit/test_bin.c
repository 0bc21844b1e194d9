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
        assert_ptr_equal(cache_tiny_stack(cache_first(arena), size),
                         &cache_first(arena)->stacks.of[size_class_of(size)]);
    for (unsigned size_class = 0; size_class < SIZE_CLASSES; size_class++) {
        assert_int_equal(cache_first(arena)->stacks.of[size_class].size_class, size_class);
        assert_true(stack_limit(&cache_first(arena)->stacks.of[size_class]) >=
                    (size_class < TINY_CLASSES));
    }
}

/* This is what a thread keeps that sleeps after a burst of every size. */
static void test_the_first_stacks_hold_little(void **state)
{
    (void)state;
    enum { MOST = 64 << 10, MANY_SMALL = 20 };
    struct arena *arena = unit_arena();
    size_t bytes = 0;

    for (unsigned size_class = 0; size_class < SIZE_CLASSES; size_class++) {
        struct stack *stack = &cache_first(arena)->stacks.of[size_class];
        void *chunks[MANY_SMALL];

        for (unsigned n = 0; n < MANY_SMALL; n++)
            chunks[n] = unit_alloc(arena, unit_bin_size(stack));
        for (unsigned n = 0; n < MANY_SMALL; n++)
            unit_free(arena, chunks[n]);
        bytes += stack_count(stack) * unit_bin_size(stack);
    }
    assert_in_range(bytes, MOST / 2, MOST);
}

static void test_the_stacks_of_bins_do_not_overlap(void **state)
{
    (void)state;
    struct arena *arena = unit_arena();
    void **next = cache_first(arena)->stacks.first_slots;

    for (unsigned size_class = 0; size_class < SIZE_CLASSES; size_class++) {
        assert_ptr_equal(cache_first(arena)->stacks.of[size_class].slots, next);
        next += cache_first(arena)->stacks.of[size_class].capacity;
        assert_true(stack_limit(&cache_first(arena)->stacks.of[size_class]) <=
                    cache_first(arena)->stacks.of[size_class].capacity);
    }
    assert_ptr_equal(next, cache_first(arena)->stacks.first_slots + FIRST_SLOTS);
    assert_ptr_equal(cache_first(arena)->stacks.next_slots, next);
}

/*
 * Allocates twice as many chunks as the stack may hold and frees them, until the stack has its
 * maximum length.
 */
static void lengthen_to_the_last(struct arena *arena, struct stack *stack)
{
    static void *chunks[MANY];
    unsigned count = 2 * stack_limit_max(stack) + 2;

    assert_true(count <= MANY);
    for (unsigned time = 0; stack_limit(stack) < stack_limit_max(stack) && time < 20; time++) {
        for (unsigned n = 0; n < count; n++)
            chunks[n] = unit_alloc(arena, unit_bin_size(stack));
        for (unsigned n = 0; n < count; n++)
            unit_free(arena, chunks[n]);
    }
    assert_int_equal(stack_limit(stack), stack_limit_max(stack));
}

static void test_the_longest_stacks_of_bins_do_not_overlap(void **state)
{
    (void)state;
    struct arena *arena = unit_arena();
    struct stack *of = cache_first(arena)->stacks.of;
    void **end = cache_first(arena)->stacks.slots + LONG_SLOTS;

    for (unsigned size_class = 0; size_class < SIZE_CLASSES; size_class++) {
        lengthen_to_the_last(arena, &of[size_class]);
        /* Checked first, because a later write would already be outside of the arena. */
        assert_true(cache_first(arena)->stacks.next_slots <= end);
        /* All SMALL stacks share what they may be lengthened by, so this one returns its part. */
        stack_flush(&of[size_class]);
    }
    for (unsigned size_class = 0; size_class < SIZE_CLASSES; size_class++) {
        assert_int_equal(of[size_class].capacity, stack_limit_max(&of[size_class]));
        assert_true(of[size_class].slots >= cache_first(arena)->stacks.slots &&
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
        struct stack *stack = &cache_first(arena)->stacks.of[size_class];
        bool live;

        assert_true(stack_refill(stack, NULL));
        assert_true(stack_count(stack) >= 1 && stack_count(stack) <= stack->capacity);
        assert_true(stack_count(stack) <= stack_limit(stack) || stack_count(stack) == 1);
        assert_int_equal((uintptr_t)stack->slots[stack_count(stack) - 1],
                         slab_start(bin_of(stack)->current));
        for (unsigned slot = 1; slot < stack_count(stack); slot++)
            assert_true((uintptr_t)stack->slots[slot] + unit_bin_size(stack) ==
                        (uintptr_t)stack->slots[slot - 1]);
        /* Without a length, the stack holds the chunk only for the call that needs it. */
        live = stack_limit(stack) == 0;
        if (live)
            unit_alloc(arena, unit_bin_size(stack));
        unit_check_bin(arena, stack, live);
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
        struct stack *stack = &cache_first(arena)->stacks.of[some_classes[i]];
        unsigned first = stack_limit(stack);
        unsigned limit = first == 0 ? 1 : 2 * first, count = limit + 1U;

        for (unsigned n = 0; n < count; n++)
            chunks[n] = unit_alloc(arena, unit_bin_size(stack));
        while (stack_count(stack) > 0)
            unit_alloc(arena, unit_bin_size(stack));
        /* The stack has its initial length again, and was empty twice after it had been full. */
        stack_flush(stack);
        assert_int_equal(stack_limit(stack), first);
        stack->returns = 2;
        for (unsigned n = 0; n + 1 < count; n++)
            unit_free(arena, chunks[n]);
        assert_int_equal(stack_limit(stack), limit);
        assert_int_equal(stack_count(stack), limit);
        for (unsigned n = 0; n < stack_count(stack); n++)
            assert_ptr_equal(stack->slots[n], chunks[n]);
        /* No refill happens in between, so this is a bulk of frees that no length would hold. */
        unit_free(arena, chunks[count - 1]);
        assert_true(stack_count(stack) > 0 && stack_count(stack) <= limit / 2U + 1);
        for (unsigned n = 0; n < stack_count(stack); n++)
            assert_ptr_equal(stack->slots[stack_count(stack) - 1 - n], chunks[count - 1 - n]);
    }
}

static void test_nothing_is_lost_in_any_order(void **state)
{
    (void)state;
    static void *live[MANY];
    struct rng rng = rng_stream(1, 2);

    for (unsigned i = 0; i < SOME_CLASSES; i++) {
        struct arena *arena = unit_arena();
        struct stack *stack = &cache_first(arena)->stacks.of[some_classes[i]];
        unsigned count = 0, most = size_classes[some_classes[i]].chunks * 5U;

        most = most < MANY ? most : MANY;
        for (unsigned step = 0, next = most, wave = 0; wave < 4; step++) {
            /* The number of live chunks rises in waves, then falls in waves. */
            bool up = (rng_below(&rng, 8) != 0) == (wave % 2 == 0);

            if (up && count < most) {
                live[count++] = unit_alloc(arena, unit_bin_size(stack));
            } else if (count > 0) {
                size_t victim = rng_below(&rng, count);

                unit_free(arena, live[victim]);
                live[victim] = live[--count];
            }
            if (step % 251 == 0)
                unit_check_bin(arena, stack, count);
            if (step == next) {
                next += most;
                wave++;
            }
        }
        assert_int_equal(unit_count_state(arena, STATE_LIVE), count);
        while (count > 0)
            unit_free(arena, live[--count]);
        unit_check_bin(arena, stack, 0);
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
        stack_flush(&cache_first(arena)->stacks.of[size_class]);
        unit_check_bin(arena, &cache_first(arena)->stacks.of[size_class], 0);
        assert_null(arena->bins.of[size_class].current);
        assert_null(arena->bins.of[size_class].partial);
        assert_null(arena->bins.of[size_class].spare);
    }
    assert_int_equal(unit_trim(arena), TINY_HEAP_SIZE + SMALL_HEAP_SIZE);
    assert_null(arena->tiny.heaps);
    assert_null(arena->small.heaps);
}

/* Allocates until the call that makes the flush. */
static void flush_next_time(struct arena *arena, struct stack *busy)
{
    struct stacks *stacks = &cache_first(arena)->stacks;

    stacks->next_flush = 0;
    while (stacks->next_flush == 0)
        unit_alloc(arena, unit_bin_size(busy));
}

/* Allocates until some calls have looked at the clock. */
static void make_slow_calls(struct arena *arena, struct stack *busy)
{
    for (unsigned n = 0; n < 3 * stack_limit_max(busy); n++)
        unit_alloc(arena, unit_bin_size(busy));
}

/* On a machine that is too busy to make the calls in time, this checks nothing. */
static void check_no_flush_before_its_time(struct arena *arena, struct stack *busy)
{
    struct stacks *stacks = &cache_first(arena)->stacks;
    uint64_t due;

    due = stacks->next_flush = clock_now() + CLOCK_TENTH / 2;
    make_slow_calls(arena, busy);
    if (clock_now() >= due)
        return;
    assert_true(stacks->next_flush == due);
    for (unsigned size_class = 0; size_class < SIZE_CLASSES; size_class++)
        assert_true(&stacks->of[size_class] == busy || stack_count(&stacks->of[size_class]) > 0 ||
                    stack_limit(&stacks->of[size_class]) == 0);
}

static void check_all_flushed_but(struct arena *arena, struct stack *busy)
{
    for (unsigned size_class = 0; size_class < SIZE_CLASSES; size_class++) {
        struct stack *stack = &cache_first(arena)->stacks.of[size_class];

        if (stack == busy)
            assert_true(stack_count(stack) > 0 && bin_of(stack)->current != NULL);
        else
            assert_true(stack_count(stack) == 0 && bin_of(stack)->current == NULL &&
                        bin_of(stack)->spare == NULL);
        if (stack != busy)
            unit_check_bin(arena, stack, 0);
    }
}

static void test_a_tick_flushes_unused_stacks(void **state)
{
    (void)state;
    struct arena *arena = unit_arena();
    struct stack *busy = &cache_first(arena)->stacks.of[12];
    static void *chunks[SIZE_CLASSES];
    struct stacks *stacks = &cache_first(arena)->stacks;
    uint64_t before = clock_now();

    for (unsigned size_class = 0; size_class < SIZE_CLASSES; size_class++)
        chunks[size_class] = unit_alloc(arena, size_classes[size_class].size);
    /* The first flush finds every stack used since the tests began. */
    flush_next_time(arena, busy);
    assert_true(stacks->next_flush > before);
    for (unsigned size_class = 0; size_class < SIZE_CLASSES; size_class++) {
        struct stack *stack = &stacks->of[size_class];

        assert_non_null(bin_of(stack)->current);
        unit_free(arena, chunks[size_class]);
        assert_int_equal(stack_count(stack) > 0, stack_limit(stack) > 0);
    }
    check_no_flush_before_its_time(arena, busy);
    /* A stack without length is used by each free, so it takes one flush more than the others. */
    flush_next_time(arena, busy);
    assert_int_equal(stack_count(&stacks->of[0]), 0);
    flush_next_time(arena, busy);
    assert_int_equal(stacks->flush_next, SIZE_CLASSES);
    check_all_flushed_but(arena, busy);
}

static void test_a_clock_that_jumps_back_does_not_stop_flushes(void **state)
{
    (void)state;
    struct arena *arena = unit_arena();
    struct stacks *stacks = &cache_first(arena)->stacks;
    struct stack *busy = &stacks->of[TINY_CLASSES - 1];
    uint64_t far = clock_now() + (uint64_t)36000 * CLOCK_TENTH;

    stacks->next_flush = far;
    make_slow_calls(arena, busy);
    assert_true(stacks->next_flush < far);
    stacks->next_flush = BINS_NO_TICKS;
    make_slow_calls(arena, busy);
    assert_true(stacks->next_flush == BINS_NO_TICKS);
}

static void test_a_flush_keeps_what_is_live(void **state)
{
    (void)state;
    struct arena *arena = unit_arena();
    struct stack *stack = &cache_first(arena)->stacks.of[9];
    char *chunks[300];

    for (unsigned n = 0; n < 300; n++)
        memset(chunks[n] = unit_alloc(arena, unit_bin_size(stack)), (int)n, unit_bin_size(stack));
    for (unsigned n = 0; n < 300; n += 2)
        unit_free(arena, chunks[n]);
    stack_flush(stack);
    unit_check_bin(arena, stack, 150);
    for (unsigned n = 1; n < 300; n += 2) {
        assert_int_equal(chunks[n][0], (char)n);
        assert_int_equal(chunks[n][unit_bin_size(stack) - 1], (char)n);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_tiny_sizes_find_their_bin, unit_flush_all),
        cmocka_unit_test_teardown(test_the_first_stacks_hold_little, unit_flush_all),
        cmocka_unit_test_teardown(test_the_stacks_of_bins_do_not_overlap, unit_flush_all),
        cmocka_unit_test_teardown(test_the_longest_stacks_of_bins_do_not_overlap, unit_flush_all),
        cmocka_unit_test_teardown(test_a_refill_hands_out_ascending_addresses, unit_flush_all),
        cmocka_unit_test_teardown(test_a_freed_chunk_is_handed_out_next, unit_flush_all),
        cmocka_unit_test_teardown(test_a_full_stack_grows_then_spills_its_older_half,
                                  unit_flush_all),
        cmocka_unit_test_teardown(test_nothing_is_lost_in_any_order, unit_flush_all),
        cmocka_unit_test_teardown(test_a_flush_returns_everything, unit_flush_all),
        cmocka_unit_test_teardown(test_a_tick_flushes_unused_stacks, unit_flush_all),
        cmocka_unit_test_teardown(test_a_clock_that_jumps_back_does_not_stop_flushes,
                                  unit_flush_all),
        cmocka_unit_test_teardown(test_a_flush_keeps_what_is_live, unit_flush_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
