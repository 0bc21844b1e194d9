/*
 * Lending: a larger class serves a request with a used chunk before fresh memory is touched. How
 * far that goes, and that a lent chunk is a chunk of its own class in every other respect.
 */
#include "unit.h"

#include "bins/bin.h"
#include "bins/slab.h"
#include "os/os.h"

enum { ASKED = 4, BORROWER = 40, MANY = 16 };

static size_t size_of(unsigned size_class)
{
    return size_classes[size_class].size;
}

/* Allocates as malloc does. */
static void *alloc(struct arena *arena, size_t size)
{
    void *pointer = cache_alloc(cache_first(arena), size_class_of(size), size, NULL);

    assert_non_null(pointer);
    return pointer;
}

/*
 * Allocates and frees a chunk of the class, so that a used one is in its stack, or in its slab,
 * which another chunk keeps.
 */
static void *leave_one(struct arena *arena, unsigned size_class)
{
    void *pointer = unit_alloc(arena, size_of(size_class));

    unit_alloc(arena, size_of(size_class));
    unit_free(arena, pointer);
    return pointer;
}

static void test_a_used_chunk_of_a_larger_class_serves(void **state)
{
    (void)state;
    for (unsigned more = 1; more <= ASKED; more++) {
        struct arena *arena = unit_arena();
        void *used = leave_one(arena, BORROWER + more);

        assert_ptr_equal(alloc(arena, size_of(BORROWER) - 3), used);
        assert_null(arena->bins.of[BORROWER].current);
    }
}

static void test_a_much_larger_chunk_is_not_lent(void **state)
{
    (void)state;
    struct arena *arena = unit_arena();
    void *used = leave_one(arena, BORROWER + ASKED + 1);

    assert_ptr_not_equal(alloc(arena, size_of(BORROWER)), used);
    assert_int_equal(unit_chunk(used).kind, STATE_FREE);
}

static void test_the_nearest_class_lends(void **state)
{
    (void)state;
    struct arena *arena = unit_arena();
    void *farther = leave_one(arena, BORROWER + 3);
    void *nearer = leave_one(arena, BORROWER + 2);

    assert_ptr_equal(alloc(arena, size_of(BORROWER)), nearer);
    assert_ptr_equal(alloc(arena, size_of(BORROWER)), farther);
    assert_null(arena->bins.of[BORROWER].current);
}

/* Returns whether the top chunk of the stack was never handed out. */
static bool untouched_on_top(const struct stack *stack)
{
    return stack_count(stack) > 0 && unit_chunk(stack->top[-1]).kind == STATE_NONE;
}

/* Lengthens the stack by use, until it holds MANY used chunks. */
static void hold_used_chunks(struct arena *arena, const struct stack *stack)
{
    enum { TIMES = 10 };
    void *chunks[MANY];

    for (unsigned time = 0; time < TIMES; time++) {
        for (unsigned n = 0; n < MANY; n++)
            chunks[n] = unit_alloc(arena, unit_bin_size(stack));
        for (unsigned n = 0; n < MANY; n++)
            unit_free(arena, chunks[n]);
    }
    assert_true(stack_count(stack) >= MANY);
}

/* Lengthens the stack, and then allocates all chunks that were in use before. */
static void hold_untouched_chunks(struct arena *arena, struct stack *stack)
{
    enum { MOST = 1000 };
    unsigned left = MOST;

    hold_used_chunks(arena, stack);
    while (!untouched_on_top(stack) && left-- > 0)
        unit_alloc(arena, unit_bin_size(stack));
    assert_true(untouched_on_top(stack));
}

static void test_untouched_chunks_are_not_lent(void **state)
{
    (void)state;
    struct arena *arena = unit_arena();
    struct stack *lender = &cache_first(arena)->stacks.of[BORROWER + 1];
    unsigned fresh;
    void *own;

    hold_untouched_chunks(arena, lender);
    fresh = stack_count(lender);
    own = alloc(arena, size_of(BORROWER));
    assert_int_equal(unit_chunk(own).size_class, BORROWER);
    assert_int_equal(stack_count(lender), fresh);
    cache_first(arena)->stacks.of[BORROWER].dry = 1;
    assert_null(stack_lender_again(&cache_first(arena)->stacks.of[BORROWER]));
}

/* Returns how often in a row the stack borrows from the next one without a look at its bin. */
static unsigned borrows_again(struct stack *stack)
{
    unsigned times = 0;

    while (times < MANY && stack_lender_again(stack) == stack + 1)
        times++;
    return times;
}

static void test_after_a_look_a_stack_borrows_a_few_times_without(void **state)
{
    (void)state;
    struct arena *arena = unit_arena();
    struct stack *stack = &cache_first(arena)->stacks.of[BORROWER];
    void *lent;

    hold_used_chunks(arena, stack + 1);
    assert_int_equal(borrows_again(stack), 0);
    lent = alloc(arena, size_of(BORROWER));
    assert_int_equal(unit_chunk(lent).size_class, BORROWER + 1);
    assert_in_range(borrows_again(stack), 2, MANY - 1);
    assert_int_equal(borrows_again(stack), 0);
    alloc(arena, size_of(BORROWER));
    assert_in_range(borrows_again(stack), 2, MANY - 1);
}

/* The bin has a used chunk now, which is preferred. */
static void test_a_stack_that_was_full_looks_at_its_bin_again(void **state)
{
    (void)state;
    struct arena *arena = unit_arena();
    struct stack *stack = &cache_first(arena)->stacks.of[BORROWER];
    void *own[MANY];

    for (unsigned n = 0; n < MANY; n++)
        own[n] = unit_alloc(arena, size_of(BORROWER));
    while (stack_count(stack) > 0)
        unit_alloc(arena, size_of(BORROWER));
    hold_used_chunks(arena, stack + 1);
    alloc(arena, size_of(BORROWER));
    for (unsigned n = 0; n < MANY; n++)
        unit_free(arena, own[n]);
    assert_int_equal(borrows_again(stack), 0);
}

static void test_used_chunks_of_the_own_class_are_preferred(void **state)
{
    (void)state;
    struct arena *arena = unit_arena();
    struct stack *stack = &cache_first(arena)->stacks.of[BORROWER];
    void *own[2] = {unit_alloc(arena, size_of(BORROWER)), unit_alloc(arena, size_of(BORROWER))};

    leave_one(arena, BORROWER + 1);
    unit_free(arena, own[0]);
    stack_flush(stack);
    assert_ptr_equal(alloc(arena, size_of(BORROWER)), own[0]);
    unit_free(arena, own[1]);
}

static void test_slabs_lend_when_the_stack_is_empty(void **state)
{
    (void)state;
    struct arena *arena = unit_arena();
    void *live = unit_alloc(arena, size_of(BORROWER + 1));
    void *used = unit_alloc(arena, size_of(BORROWER + 1));

    unit_free(arena, used);
    stack_flush(&cache_first(arena)->stacks.of[BORROWER + 1]);
    assert_int_equal(stack_count(&cache_first(arena)->stacks.of[BORROWER + 1]), 0);
    assert_ptr_equal(alloc(arena, size_of(BORROWER)), used);
    unit_free(arena, live);
}

static void test_a_lent_chunk_keeps_its_class_and_the_requested_size(void **state)
{
    (void)state;
    struct arena *arena = unit_arena();
    unsigned lender = BORROWER + 1;
    size_t size = size_of(BORROWER) - 1;
    void *used = leave_one(arena, lender);
    unsigned before = stack_count(&cache_first(arena)->stacks.of[lender]);
    struct chunk chunk;

    assert_ptr_equal(alloc(arena, size), used);
    chunk = unit_chunk(used);
    assert_int_equal(chunk.kind, STATE_LIVE);
    assert_int_equal(chunk.size_class, lender);
    assert_int_equal(chunk.requested, size);
    assert_int_equal(chunk.usable, size_of(lender));
    unit_free(arena, used);
    assert_int_equal(stack_count(&cache_first(arena)->stacks.of[lender]), before);
    assert_int_equal(unit_chunk(used).kind, STATE_FREE);
}

/* Lets so many requests be made that the class shares no other one any more. */
static void use_much(struct arena *arena, unsigned size_class)
{
    unsigned requests = 0;

    while (unit_chunk(alloc(arena, size_of(size_class))).size_class != size_class)
        assert_true(++requests <= 100);
}

/* A double free is detected for longer if no other size takes the chunk. */
static void test_tiny_does_not_borrow(void **state)
{
    (void)state;
    for (unsigned size_class = 0; size_class + 1 < TINY_CLASSES; size_class++) {
        struct arena *arena = unit_arena();
        void *used, *got;

        use_much(arena, size_class);
        /* Until the stack is empty, nobody looks for another chunk. */
        while (stack_count(&cache_first(arena)->stacks.of[size_class]) > 0)
            alloc(arena, size_of(size_class));
        used = leave_one(arena, size_class + 1);
        got = alloc(arena, size_of(size_class));
        assert_ptr_not_equal(got, used);
        assert_int_equal(unit_chunk(got).size_class, size_class);
    }
}

/*
 * As a last resort any chunk will do, also one that was never handed out. A class that has failed
 * once goes on to fail.
 */
static void test_without_memory_the_next_classes_are_used_up(void **state)
{
    (void)state;
    struct arena *arena = unit_arena();
    unsigned left = size_classes[BORROWER + 1].chunks - 1;
    void *live = unit_alloc(arena, size_of(BORROWER + 1));
    unsigned got = 0;
    void *pointer;

    os_fail_after(1, true);
    /* The heap was made for the lending class, and has units left. */
    while ((pointer = cache_alloc(cache_first(arena), BORROWER, size_of(BORROWER), NULL)) != NULL)
        if (unit_chunk(pointer).size_class == BORROWER + 1)
            got++;
    for (unsigned again = 0; again < 3; again++)
        assert_null(cache_alloc(cache_first(arena), BORROWER, size_of(BORROWER), NULL));
    os_fail_after(0, false);
    assert_int_equal(got, left);
    unit_free(arena, live);
}

static void test_zones_do_not_lend_to_each_other(void **state)
{
    (void)state;
    struct arena *arena = unit_arena();
    void *used = leave_one(arena, TINY_CLASSES);

    assert_ptr_not_equal(alloc(arena, TINY_MAX), used);
}

static void test_the_largest_class_has_no_lender(void **state)
{
    (void)state;
    struct arena *arena = unit_arena();

    assert_int_equal(unit_chunk(alloc(arena, SMALL_MAX)).size_class, SIZE_CLASSES - 1);
}

static void test_aligned_requests_do_not_borrow(void **state)
{
    (void)state;
    struct arena *arena = unit_arena();
    unsigned page = size_class_of(4096);
    /* It keeps the slab in use, and so the used chunk in its class. */
    void *neighbour = unit_alloc(arena, size_of(page + 1));
    void *used = leave_one(arena, page + 1);
    void *pointer = cache_alloc_aligned(cache_first(arena), page, 4096);

    assert_ptr_not_equal(pointer, used);
    assert_int_equal((uintptr_t)pointer % 4096, 0);
    assert_int_equal(unit_chunk(pointer).size_class, page);
    unit_free(arena, pointer);
    stack_flush(&cache_first(arena)->stacks.of[page]);
    /* The same request borrows if it need not be aligned. */
    assert_ptr_equal(alloc(arena, 4096), used);
    unit_free(arena, neighbour);
}

/*
 * A partial slab with used chunks is preferred to the rest of the current slab, if nothing in that
 * rest was ever handed out.
 */
static void test_partial_slabs_are_preferred_to_fresh_memory(void **state)
{
    (void)state;
    enum { CLASS = 15, MOST = 64 };
    struct arena *arena = unit_arena();
    struct stack *stack = &cache_first(arena)->stacks.of[CLASS];
    unsigned chunks = size_classes[CLASS].chunks;
    void *full[MOST];
    unsigned fresh;

    assert_true(chunks <= MOST);
    for (unsigned i = 0; i < chunks; i++)
        full[i] = unit_alloc(arena, size_of(CLASS));
    unit_alloc(arena, size_of(CLASS));
    while (stack_count(stack) > 0)
        unit_alloc(arena, size_of(CLASS));
    fresh = bin_of(stack)->current->fresh;
    assert_true(fresh < chunks);
    for (unsigned i = 0; i < chunks / 2; i++)
        unit_free(arena, full[i]);
    stack_flush(stack);
    for (unsigned i = 0; i < chunks / 2; i++)
        assert_in_range((uintptr_t)unit_alloc(arena, size_of(CLASS)), (uintptr_t)full[0],
                        (uintptr_t)full[chunks - 1]);
    unit_alloc(arena, size_of(CLASS));
    assert_true(bin_of(stack)->current->fresh > fresh);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_a_used_chunk_of_a_larger_class_serves, unit_flush_all),
        cmocka_unit_test_teardown(test_a_much_larger_chunk_is_not_lent, unit_flush_all),
        cmocka_unit_test_teardown(test_the_nearest_class_lends, unit_flush_all),
        cmocka_unit_test_teardown(test_untouched_chunks_are_not_lent, unit_flush_all),
        cmocka_unit_test_teardown(test_after_a_look_a_stack_borrows_a_few_times_without,
                                  unit_flush_all),
        cmocka_unit_test_teardown(test_a_stack_that_was_full_looks_at_its_bin_again,
                                  unit_flush_all),
        cmocka_unit_test_teardown(test_used_chunks_of_the_own_class_are_preferred, unit_flush_all),
        cmocka_unit_test_teardown(test_slabs_lend_when_the_stack_is_empty, unit_flush_all),
        cmocka_unit_test_teardown(test_a_lent_chunk_keeps_its_class_and_the_requested_size,
                                  unit_flush_all),
        cmocka_unit_test_teardown(test_tiny_does_not_borrow, unit_flush_all),
        cmocka_unit_test_teardown(test_without_memory_the_next_classes_are_used_up, unit_flush_all),
        cmocka_unit_test_teardown(test_zones_do_not_lend_to_each_other, unit_flush_all),
        cmocka_unit_test_teardown(test_the_largest_class_has_no_lender, unit_flush_all),
        cmocka_unit_test_teardown(test_aligned_requests_do_not_borrow, unit_flush_all),
        cmocka_unit_test_teardown(test_partial_slabs_are_preferred_to_fresh_memory, unit_flush_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
