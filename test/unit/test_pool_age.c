/*
 * How arenas in the pool give their memory back: after a while, within a bound, and while other
 * threads make new arenas. Each test runs in a child.
 */
#include "unit/unit.h"

#include "arena/pool.h"
#include "base/clock.h"
#include "support/require.h"

#include <pthread.h>
#include <stdatomic.h>

/* Counts pages that were written to and are in no slab. */
static unsigned dirty_units(const struct heap_set *set)
{
    unsigned units = 0;

    for (const struct heap *heap = set->heaps; heap != NULL; heap = heap->next)
        for (unsigned word = 0; word < UNIT_WORDS; word++)
            units += (unsigned)__builtin_popcountll(heap->vacant[word] & heap->dirty[word]);
    return units;
}

static void use_and_leave(struct arena *arena)
{
    enum { MANY = 128, BYTES = 30000 };
    void *chunks[MANY];

    for (unsigned n = 0; n < MANY; n++)
        chunks[n] = unit_alloc(arena, BYTES);
    for (unsigned n = 0; n < MANY; n++)
        unit_free(arena, chunks[n]);
    pool_put(arena);
    REQUIRE(dirty_units(&arena->small) > MANY, "the end of a thread gave its memory back");
}

/* Pretends that the arena was left an hour ago. */
static void left_long_ago(struct arena *arena)
{
    atomic_store(&arena->left_at, atomic_load(&arena->left_at) - (uint64_t)36000 * CLOCK_TENTH);
}

static void age_all(void)
{
    /* Each call looks at some arenas and serves one. */
    for (unsigned n = 0; n < 100; n++)
        pool_age();
}

static void age_in_pool(void *argument)
{
    (void)argument;
    struct arena *left = pool_get(), *taken = pool_get(), *locked = pool_get();

    use_and_leave(left);
    use_and_leave(locked);
    use_and_leave(taken);
    age_all();
    REQUIRE(dirty_units(&left->small) > 0 && dirty_units(&taken->small) > 0, "left just now");
    REQUIRE(pool_get() == taken && atomic_load(&taken->left_at) == 0,
            "a thread has it, and it still ages");
    left_long_ago(left);
    left_long_ago(locked);
    arena_lock(locked);
    age_all();
    REQUIRE(left->small.heaps == NULL && atomic_load(&left->left_at) == 0,
            "memory that nobody wants is kept");
    REQUIRE(dirty_units(&taken->small) > 0, "an arena in use was touched");
    REQUIRE(dirty_units(&locked->small) > 0, "an arena was changed without its lock");
    arena_unlock(locked);
    age_all();
    REQUIRE(locked->small.heaps == NULL, "an arena was forgotten because it was locked once");
}

static void test_the_memory_of_an_unwanted_arena_is_given_back(void **state)
{
    (void)state;
    assert_true(unit_child_succeeds(age_in_pool, NULL));
}

static void leave_many(void *argument)
{
    (void)argument;
    enum { ARENAS = 8, MANY = 128, BYTES = 30000, MOST = 16 << 20 };
    struct arena *arenas[ARENAS];
    size_t kept = 0;

    for (unsigned n = 0; n < ARENAS; n++) {
        void *chunks[MANY];

        arenas[n] = pool_get();
        for (unsigned m = 0; m < MANY; m++)
            chunks[m] = unit_alloc(arenas[n], BYTES);
        for (unsigned m = 0; m < MANY; m++)
            unit_free(arenas[n], chunks[m]);
    }
    for (unsigned n = 0; n < ARENAS; n++) {
        pool_put(arenas[n]);
        kept += arena_unused(arenas[n]);
    }
    /* Runs that are too short to be purged hardly count. */
    REQUIRE(kept > MOST / 2 && kept <= MOST + ARENAS * 4 * UNIT_SIZE, "%zu bytes are kept", kept);
    for (unsigned n = 0; n < ARENAS; n++)
        REQUIRE(pool_get() != NULL, "no arena");
    pool_put(arenas[0]);
    REQUIRE(arena_unused(arenas[0]) > 2 << 20,
            "what arenas kept that are in use again still counts");
}

static void test_memory_of_all_ended_threads_is_bounded(void **state)
{
    (void)state;
    assert_true(unit_child_succeeds(leave_many, NULL));
}

enum { AGERS = 2, NEW_ARENAS = 200 };
static atomic_bool made;

static void *age_on_and_on(void *argument)
{
    while (!atomic_load(&made))
        pool_age();
    return argument;
}

/* ThreadSanitizer finds an arena that one thread reads before another has told of it. */
static void age_beside_new_arenas(void *argument)
{
    pthread_t agers[AGERS];

    (void)argument;
    unit_arena(); /* A thread that calls pool_age() has an arena, so the list is never empty. */
    for (unsigned n = 0; n < AGERS; n++)
        REQUIRE(pthread_create(&agers[n], NULL, age_on_and_on, NULL) == 0, "no thread");
    for (unsigned n = 0; n < NEW_ARENAS; n++)
        unit_arena();
    atomic_store(&made, true);
    for (unsigned n = 0; n < AGERS; n++)
        REQUIRE(pthread_join(agers[n], NULL) == 0, "cannot join");
}

static void test_arenas_age_while_others_are_made(void **state)
{
    (void)state;
    assert_true(unit_child_succeeds(age_beside_new_arenas, NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_memory_of_an_unwanted_arena_is_given_back),
        cmocka_unit_test(test_memory_of_all_ended_threads_is_bounded),
        cmocka_unit_test(test_arenas_age_while_others_are_made),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
