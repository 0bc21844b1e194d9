/*
 * Which arena a thread gets. The limit is set once in a process, so each test runs in a child.
 */
#include "unit/unit.h"

#include "arena/pool.h"
#include "arena/remote.h"
#include "arena/thread.h"
#include "base/options.h"
#include "os/os.h"
#include "support/pattern.h"
#include "support/prefixed.h"
#include "support/require.h"

#include <pthread.h>

enum { LIMIT = 6 };

static int use_of(struct arena *arena)
{
    return atomic_load(&arena->use);
}

/* The arenas that the process already had before the test. */
static unsigned arenas_there(void)
{
    unsigned count = 0;

    for (struct arena *arena = atomic_load(&arena_list); arena != NULL; arena = arena->next)
        count++;
    return count;
}

static void limit_and_share(void *argument)
{
    (void)argument;
    unsigned there = arenas_there();
    struct arena *own[LIMIT], *shared;

    REQUIRE(pool_limit(LIMIT), "the limit came too late");
    /* One of them is a shared arena. */
    for (unsigned n = there; n < LIMIT - 1; n++) {
        own[n] = pool_get();
        REQUIRE(own[n] != NULL && use_of(own[n]) == ARENA_ACTIVE,
                "arena %u is not its thread's own", n);
        for (unsigned m = there; m < n; m++)
            REQUIRE(own[m] != own[n], "two threads have one arena");
    }
    shared = pool_get();
    REQUIRE(shared != NULL && use_of(shared) == ARENA_SHARED, "past the limit, but not shared");
    for (unsigned n = 0; n < 100; n++)
        REQUIRE(pool_get() == shared && pool_get_shared() == shared, "there is one shared arena");
    REQUIRE(arenas_there() == LIMIT, "%u arenas", arenas_there());
    REQUIRE(!pool_limit(100), "a limit was changed after it had been used");
    /* When a thread ends, the next one gets its arena and need not share. */
    pool_put(own[LIMIT - 2]);
    REQUIRE(use_of(own[LIMIT - 2]) == ARENA_POOLED, "not in the pool");
    REQUIRE(pool_get() == own[LIMIT - 2] && use_of(own[LIMIT - 2]) == ARENA_ACTIVE, "not adopted");
    REQUIRE(pool_get() == shared, "adopted twice");
}

static void test_past_the_limit_arenas_are_shared(void **state)
{
    (void)state;
    assert_true(unit_child_succeeds(limit_and_share, NULL));
}

static void share_in_turn(void *argument)
{
    (void)argument;
    struct arena *turn[4];

    REQUIRE(pool_limit(32), "the limit came too late");
    for (unsigned n = 0; n < 4; n++)
        turn[n] = pool_get_shared();
    for (unsigned n = 0; n < 4; n++)
        for (unsigned m = 0; m < n; m++)
            REQUIRE(turn[n] != turn[m], "the same arena twice in a row of four");
    for (unsigned n = 0; n < 12; n++)
        REQUIRE(pool_get_shared() == turn[n % 4], "not in turn");
}

static void test_shared_arenas_are_given_in_turn(void **state)
{
    (void)state;
    assert_true(unit_child_succeeds(share_in_turn, NULL));
}

static void one_arena_for_all(void *argument)
{
    (void)argument;
    unsigned there = arenas_there();
    struct arena *arena;

    REQUIRE(pool_limit(1), "the limit came too late");
    arena = pool_get();
    REQUIRE(use_of(arena) == ARENA_SHARED && pool_get() == arena, "not shared");
    REQUIRE(arenas_there() == there + 1, "%u arenas", arenas_there());
}

static void test_a_limit_of_one_arena(void **state)
{
    (void)state;
    assert_true(unit_child_succeeds(one_arena_for_all, NULL));
}

static void fail_and_recover(void *argument)
{
    (void)argument;
    /* The first arena of a process needs no system call. */
    struct arena *arena;
    unsigned there;

    unit_arena();
    there = arenas_there();
    REQUIRE(pool_limit(LIMIT), "the limit came too late");
    os_fail_after(1, true);
    for (unsigned n = 0; n < 100; n++)
        REQUIRE(pool_get() == NULL && pool_get_shared() == NULL, "an arena without memory");
    os_fail_after(0, false);
    REQUIRE(arenas_there() == there, "an arena that nobody has");
    /* The failures have used up nothing of the limit. */
    for (unsigned n = there; n < LIMIT - 1; n++) {
        arena = pool_get();
        REQUIRE(arena != NULL && use_of(arena) == ARENA_ACTIVE, "arena %u is not its thread's own",
                n);
    }
}

static void test_without_memory_the_limit_is_not_used_up(void **state)
{
    (void)state;
    assert_true(unit_child_succeeds(fail_and_recover, NULL));
}

struct left {
    struct arena *arena;
    void *chunk;
};

static void *leave_a_chunk(void *argument)
{
    struct left *left = argument;

    left->chunk = ft_malloc(1000);
    REQUIRE(left->chunk != NULL, "no memory");
    pattern_write(left->chunk, 0, 1000, 5);
    left->arena = thread_self.home;
    return NULL;
}

static void run(void *(*body)(void *), void *argument)
{
    pthread_t thread;

    REQUIRE(pthread_create(&thread, NULL, body, argument) == 0, "no thread");
    REQUIRE(pthread_join(thread, NULL) == 0, "cannot join");
}

static void adopt_with_what_is_live(void *argument)
{
    (void)argument;
    struct left first, second;

    REQUIRE(ft_malloc(1) != NULL, "no memory");
    run(leave_a_chunk, &first);
    REQUIRE(use_of(first.arena) == ARENA_POOLED, "the arena of an ended thread is not in the pool");
    run(leave_a_chunk, &second);
    REQUIRE(first.arena == second.arena && first.chunk != second.chunk, "not adopted as it was");
    REQUIRE(pattern_mismatch(first.chunk, 1000, 5) == 1000, "the contents changed");
    ft_free(first.chunk);
    ft_free(second.chunk);
    remote_send_all(thread_self.home);
    REQUIRE(unit_count_state(first.arena, STATE_LIVE) == 0, "not freed");
    REQUIRE(unit_count_state(first.arena, STATE_REMOTE) == 0,
            "a pooled arena's chunks wait for nobody");
}

static void test_a_new_thread_adopts_the_arena_of_an_ended_one(void **state)
{
    (void)state;
    assert_true(unit_child_succeeds(adopt_with_what_is_live, NULL));
}

static void put_sends_and_receives(void *argument)
{
    (void)argument;
    struct arena *ending = pool_get(), *other = pool_get();
    struct chunk outgoing = unit_chunk(unit_alloc(other, 100)),
                 incoming = unit_chunk(unit_alloc(ending, 100));

    remote_free(ending, &outgoing);
    remote_free(other, &incoming);
    remote_send_all(other);
    REQUIRE(atomic_load(&other->inbox) == NULL && atomic_load(&ending->inbox) != NULL,
            "the batches");
    pool_put(ending);
    REQUIRE(atomic_load(&ending->inbox) == NULL, "what had arrived was not received");
    REQUIRE(atomic_load(&other->inbox) != NULL, "what was collected was not sent");
    REQUIRE(unit_chunk((void *)incoming.start).kind == STATE_FREE, "not home");
}

static void test_an_arena_enters_the_pool_with_nothing_pending(void **state)
{
    (void)state;
    assert_true(unit_child_succeeds(put_sends_and_receives, NULL));
}

static void trim_all(void *argument)
{
    (void)argument;
    struct arena *own = pool_get(), *active = pool_get(), *pooled = pool_get(),
                 *shared = pool_get_shared();
    struct arena *all[] = {own, active, pooled, shared};

    for (unsigned n = 0; n < 4; n++)
        unit_free(all[n], unit_alloc(all[n], 100));
    pool_put(pooled);
    REQUIRE(pool_trim(own) == 2 * TINY_HEAP_SIZE, "two arenas are nobody's, and can be trimmed");
    REQUIRE(pooled->tiny.heaps == NULL && shared->tiny.heaps == NULL, "a heap is left");
    REQUIRE(own->tiny.heaps != NULL && active->tiny.heaps != NULL, "an arena in use was touched");
    REQUIRE(atomic_load(&active->trim_wanted) && !atomic_load(&own->trim_wanted), "wishes");
    thread_self.home = active;
    REQUIRE(arena_enter() == active && active->tiny.heaps == NULL, "a wish was not granted");
    arena_leave(active);
}

static void test_trimming_other_arenas(void **state)
{
    (void)state;
    assert_true(unit_child_succeeds(trim_all, NULL));
}

enum { THREADS = 4, ROUNDS = 200 };

static void *come_and_go(void *argument)
{
    (void)argument;
    void *chunks[10];

    for (unsigned n = 0; n < 10; n++) {
        chunks[n] = ft_malloc(100 * n);
        REQUIRE(chunks[n] != NULL, "no memory");
        pattern_write(chunks[n], 0, (size_t)100 * n, n);
    }
    for (unsigned n = 0; n < 10; n++) {
        REQUIRE(pattern_mismatch(chunks[n], (size_t)100 * n, n) == (size_t)100 * n,
                "the contents changed");
        ft_free(chunks[n]);
    }
    return NULL;
}

static void many_threads_few_arenas(void *argument)
{
    (void)argument;
    pthread_t threads[THREADS];

    REQUIRE(pool_limit(3), "the limit came too late");
    for (unsigned round = 0; round < ROUNDS; round++) {
        for (unsigned n = 0; n < THREADS; n++)
            REQUIRE(pthread_create(&threads[n], NULL, come_and_go, NULL) == 0, "no thread");
        for (unsigned n = 0; n < THREADS; n++)
            REQUIRE(pthread_join(threads[n], NULL) == 0, "cannot join");
    }
    REQUIRE(arenas_there() <= 3, "%u arenas", arenas_there());
    for (struct arena *arena = atomic_load(&arena_list); arena != NULL; arena = arena->next)
        REQUIRE(unit_count_state(arena, STATE_LIVE) == 0, "chunks are left");
}

static void test_many_threads_over_few_arenas(void **state)
{
    (void)state;
    assert_true(unit_child_succeeds(many_threads_few_arenas, NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_past_the_limit_arenas_are_shared),
        cmocka_unit_test(test_shared_arenas_are_given_in_turn),
        cmocka_unit_test(test_a_limit_of_one_arena),
        cmocka_unit_test(test_without_memory_the_limit_is_not_used_up),
        cmocka_unit_test(test_a_new_thread_adopts_the_arena_of_an_ended_one),
        cmocka_unit_test(test_an_arena_enters_the_pool_with_nothing_pending),
        cmocka_unit_test(test_trimming_other_arenas),
        cmocka_unit_test(test_many_threads_over_few_arenas),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
