/*
 * The stacks of lean caches, as threads have them when there are very many.
 */
#include "unit/unit.h"

enum { MANY = 100 };

/* Returns a further cache of an arena, which has stacks as when there are very many threads. */
static struct cache *lean_cache(void)
{
    struct cache *cache = cache_create(unit_arena());

    assert_non_null(cache);
    cache->stacks.next_flush = BINS_NO_TICKS;
    return cache;
}

static void *lean_alloc(struct cache *cache, const struct stack *stack)
{
    void *chunk =
        cache_alloc_aligned(cache, stack->size_class, size_classes[stack->size_class].size);

    assert_non_null(chunk);
    return chunk;
}

static void lean_free(struct cache *cache, void *chunk)
{
    cache_free_chunk(cache, (uintptr_t)chunk);
}

/* What a lean cache keeps of a burst: nothing of larger chunks, and little of smaller ones. */
static void test_a_lean_cache_keeps_little_after_a_burst(void **state)
{
    (void)state;
    static void *chunks[MANY];
    struct cache *cache = lean_cache();

    for (unsigned size_class = 0; size_class < TINY_CLASSES; size_class++) {
        struct stack *stack = &cache->stacks.of[size_class];

        for (unsigned n = 0; n < MANY; n++)
            chunks[n] = lean_alloc(cache, stack);
        for (unsigned n = 0; n < MANY; n++)
            lean_free(cache, chunks[n]);
        assert_true(stack_count(stack) * unit_bin_size(stack) <= 256 + unit_bin_size(stack));
        assert_true(stack_count(stack) == 0 || unit_bin_size(stack) <= 256);
    }
}

/* Whoever frees a chunk and then wants one gets a stack, and the calls after that are hits. */
static void test_a_lean_cache_soon_has_stacks_for_what_it_uses(void **state)
{
    (void)state;
    struct cache *cache = lean_cache();

    for (unsigned size_class = 0; size_class < TINY_CLASSES; size_class++) {
        struct stack *stack = &cache->stacks.of[size_class];
        void *chunk;

        lean_free(cache, lean_alloc(cache, stack));
        lean_free(cache, lean_alloc(cache, stack));
        assert_in_range(stack_count(stack), 1, stack_limit(stack));
        chunk = stack->top[-1];
        assert_ptr_equal(lean_alloc(cache, stack), chunk);
        lean_free(cache, chunk);
        stack_flush(stack);
    }
    assert_int_equal(cache->stacks.room, cache_first(cache->arena)->stacks.room);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_a_lean_cache_keeps_little_after_a_burst, unit_flush_all),
        cmocka_unit_test_teardown(test_a_lean_cache_soon_has_stacks_for_what_it_uses,
                                  unit_flush_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
