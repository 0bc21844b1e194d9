/*
 * What a cache keeps while it waits for a thread, and for how long. Each test runs in a child.
 */
#include "unit/pool.h"

#include "arena/visit.h"
#include "base/clock.h"
#include "support/prefixed.h"

enum { MANY = 2000 };

/* Stores how long the stack of the chunks has become. */
static void *need_a_long_stack(void *argument)
{
    static void *chunks[MANY];
    struct cache **cache = argument;

    for (unsigned round = 0; round < 20; round++) {
        for (unsigned n = 0; n < MANY; n++)
            chunks[n] = ft_malloc(200);
        for (unsigned n = 0; n < MANY; n++)
            ft_free(chunks[n]);
    }
    *cache = thread_self.home;
    return NULL;
}

static void keep_lengths(void *argument)
{
    (void)argument;
    struct stacks *stacks;
    struct cache *cache;
    unsigned first, last;

    REQUIRE(ft_malloc(1) != NULL, "no memory");
    first = stack_limit(cache_tiny_stack(thread_self.home, 200));
    run(need_a_long_stack, &cache);
    stacks = &cache->stacks;
    last = stack_limit(cache_tiny_stack(cache, 200));
    require_few(cache);
    REQUIRE(last > 2 * first, "a stack of %u chunks, as at the start", last);
    REQUIRE(pool_get() == cache, "not the cache of the thread that has ended");
    REQUIRE(stack_limit(cache_tiny_stack(cache, 200)) == last, "shorter for the next thread");
    /* Nobody shortens the stacks of a thread that is there. */
    visit_to_trim(thread_self.home->arena);
    REQUIRE(stack_limit(cache_tiny_stack(cache, 200)) == last, "a visitor changed a stack in use");
    pool_put(cache);
    visit_to_trim(thread_self.home->arena);
    REQUIRE(stack_limit(cache_tiny_stack(cache, 200)) == first, "still %u long", last);
    for (unsigned size_class = 0; size_class < SIZE_CLASSES; size_class++)
        REQUIRE(stack_count(&stacks->of[size_class]) == 0, "chunks of class %u", size_class);
    REQUIRE(stacks->room == stacks_of(cache_tiny_stack(thread_self.home, 1))->room,
            "the room for longer stacks is lost");
}

static void test_a_waiting_cache_keeps_the_lengths_of_its_stacks(void **state)
{
    (void)state;
    assert_true(unit_child_succeeds(keep_lengths, NULL));
}

/* Makes a tick of the arena, whose next one is due then. */
static void tick(struct arena *arena)
{
    atomic_store(&arena->bins.next_tick, 1);
    REQUIRE(cache_enter() == thread_self.home, "another cache");
    bins_tick(&arena->bins, clock_now());
    cache_leave(thread_self.home);
}

/* Nobody visits an arena whose other threads are at work, so these look after it. */
static void empty_beside_others(void *unused)
{
    struct arena *arena;
    struct cache *cache;
    struct stack *stack;

    (void)unused;
    REQUIRE(pool_limit(1) && ft_malloc(1) != NULL, "the limit came too late");
    run(need_a_long_stack, &cache);
    arena = thread_self.home->arena;
    REQUIRE(cache->arena == arena, "another arena");
    stack = cache_tiny_stack(cache, 200);
    require_few(cache);
    REQUIRE(stack_count(stack) > 0, "no chunks for the next thread");
    tick(arena);
    REQUIRE(stack_count(stack) > 0, "they do not wait");
    arena->thinned_at = clock_now() - CLOCK_TENTH * 9;
    tick(arena);
    REQUIRE(stack_count(stack) == 0, "they wait for ever");
    REQUIRE(arena->thinned_at == 0, "and once more");
}

static void test_a_cache_that_waits_long_is_emptied_by_others(void **state)
{
    (void)state;
    assert_true(unit_child_succeeds(empty_beside_others, NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_waiting_cache_keeps_the_lengths_of_its_stacks),
        cmocka_unit_test(test_a_cache_that_waits_long_is_emptied_by_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
