/*
 * What calloc() gets from the stacks: a chunk that is known to be zero only where clearing would
 * cost more than a slow call for each chunk.
 */
#include "unit/unit.h"

#include "bins/stack.h"

static void test_a_chunk_for_calloc_knows_whether_it_is_clean(void **state)
{
    (void)state;
    struct arena *arena = unit_arena();
    bool clean = false;
    size_t size = 20000;
    unsigned size_class = size_class_of(size);
    char *chunk = cache_alloc(cache_first(arena), size_class, size, &clean);

    assert_non_null(chunk);
    assert_true(clean);
    unit_free(arena, chunk);
    assert_ptr_equal(cache_alloc(cache_first(arena), size_class, size, &clean), chunk);
    assert_false(clean);
    assert_ptr_not_equal(cache_alloc(cache_first(arena), size_class, size, &clean), chunk);
    assert_true(clean);
}

static void test_calloc_refills_the_stack_where_clearing_costs_little(void **state)
{
    (void)state;
    struct arena *arena = unit_arena();
    size_t size = 64;
    unsigned size_class = size_class_of(size);
    struct stack *stack = &cache_first(arena)->stacks.of[size_class];
    bool clean = true;

    assert_non_null(cache_alloc(cache_first(arena), size_class, size, &clean));
    assert_false(clean);
    assert_true(stack_count(stack) > 0);
}

/* Many chunks of a class were used before, so that the next ones are not zero. */
static void test_calloc_refills_the_stack_with_used_chunks(void **state)
{
    (void)state;
    struct arena *arena = unit_arena();
    size_t size = 5000;
    unsigned size_class = size_class_of(size);
    struct stack *stack = &cache_first(arena)->stacks.of[size_class];
    void *chunks[100];
    bool clean = true;

    for (unsigned round = 0; round < 10; round++) {
        for (unsigned n = 0; n < 100; n++)
            chunks[n] = unit_alloc(arena, size);
        for (unsigned n = 0; n < 100; n++)
            unit_free(arena, chunks[n]);
    }
    assert_true(stack_limit(stack) > 3);
    while (stack_count(stack) > 0)
        unit_alloc(arena, size);
    assert_non_null(cache_alloc(cache_first(arena), size_class, size, &clean));
    assert_false(clean);
    assert_true(stack_count(stack) > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_a_chunk_for_calloc_knows_whether_it_is_clean,
                                  unit_flush_all),
        cmocka_unit_test_teardown(test_calloc_refills_the_stack_where_clearing_costs_little,
                                  unit_flush_all),
        cmocka_unit_test_teardown(test_calloc_refills_the_stack_with_used_chunks, unit_flush_all),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
