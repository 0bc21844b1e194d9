/*
 * Which cache and which arena a thread gets. The limit is set once in a process, so each test runs
 * in a child.
 */
#include "unit/pool.h"

#include "arena/pool.h"
#include "arena/remote.h"
#include "arena/thread.h"
#include "arena/visit.h"
#include "base/options.h"
#include "os/os.h"
#include "support/pattern.h"
#include "support/prefixed.h"
#include "support/require.h"

#include <pthread.h>

enum { LIMIT = 6 };

/* The arenas that the process already had before the test. */
static unsigned arenas_there(void)
{
    unsigned count = 0;

    for (struct arena *arena = atomic_load(&arena_list); arena != NULL; arena = arena->next)
        count++;
    return count;
}

/*
 * How many of the first n caches are in front of the arena of number n. The arena of the first
 * thread is not shared.
 */
static unsigned same_arena_before(unsigned n)
{
    return n < LIMIT ? 0 : 1 + (n - LIMIT) / (LIMIT - 1);
}

static void limit_and_share(void *argument)
{
    (void)argument;
    unsigned there = arenas_there();
    struct cache *caches[4 * LIMIT];

    REQUIRE(pool_limit(LIMIT), "the limit came too late");
    for (unsigned n = 0; n < 4 * LIMIT; n++) {
        unsigned same_arena = 0;

        caches[n] = pool_get();
        REQUIRE(caches[n] != NULL && !caches[n]->common && atomic_load(&caches[n]->in_use),
                "cache %u is not its thread's own", n);
        require_few(caches[n]);
        for (unsigned m = 0; m < n; m++) {
            REQUIRE(caches[m] != caches[n], "two threads have one cache");
            same_arena += caches[m]->arena == caches[n]->arena;
        }
        REQUIRE(same_arena == same_arena_before(n), "%u caches before number %u", same_arena, n);
        REQUIRE(n == 0 || caches[n]->arena != caches[0]->arena, "the first arena is shared");
    }
    REQUIRE(arenas_there() == there + LIMIT, "%u arenas", arenas_there());
    REQUIRE(!pool_limit(100), "a limit was changed after it had been used");
    /* When a thread ends, the next one gets its cache, and there is no other new one. */
    pool_put(caches[LIMIT + 1]);
    REQUIRE(!atomic_load(&caches[LIMIT + 1]->in_use), "not in the pool");
    REQUIRE(pool_get() == caches[LIMIT + 1] && atomic_load(&caches[LIMIT + 1]->in_use),
            "not taken from the pool");
    REQUIRE(pool_get() != caches[LIMIT + 1], "taken twice");
}

static void test_past_the_limit_arenas_are_shared(void **state)
{
    (void)state;
    assert_true(unit_child_succeeds(limit_and_share, NULL));
}

static void share_in_turn(void *argument)
{
    (void)argument;
    enum { COMMON = 4 };
    struct cache *turn[COMMON], *own;

    REQUIRE(pool_limit(8 * COMMON), "the limit came too late");
    own = pool_get();
    for (unsigned n = 0; n < COMMON; n++) {
        turn[n] = pool_get_common();
        REQUIRE(turn[n] != NULL && turn[n]->common && turn[n] != own, "not a common cache");
    }
    for (unsigned n = 0; n < COMMON; n++)
        for (unsigned m = 0; m < n; m++)
            REQUIRE(turn[n] != turn[m], "the same cache twice in a row of four");
    for (unsigned n = 0; n < 3 * COMMON; n++)
        REQUIRE(pool_get_common() == turn[n % COMMON], "not in turn");
    /* Common caches need no arena of their own. */
    REQUIRE(arenas_there() == 1, "%u arenas", arenas_there());
}

static void test_common_caches_are_given_in_turn(void **state)
{
    (void)state;
    assert_true(unit_child_succeeds(share_in_turn, NULL));
}

enum { MANY_AT_ONCE = 32, COMMON_AT_ONCE = 4 };

static void *get_common(void *barrier)
{
    pthread_barrier_wait(barrier);
    REQUIRE(pool_get_common() != NULL, "no common cache");
    return NULL;
}

/* All want a common cache while there is none yet. */
static void share_at_once(void *argument)
{
    (void)argument;
    pthread_t threads[MANY_AT_ONCE];
    pthread_barrier_t barrier;
    unsigned common = 0;

    REQUIRE(pool_limit(8 * COMMON_AT_ONCE) && pool_get() != NULL, "the limit came too late");
    pthread_barrier_init(&barrier, NULL, MANY_AT_ONCE);
    for (unsigned n = 0; n < MANY_AT_ONCE; n++)
        REQUIRE(pthread_create(&threads[n], NULL, get_common, &barrier) == 0, "no thread");
    for (unsigned n = 0; n < MANY_AT_ONCE; n++)
        REQUIRE(pthread_join(threads[n], NULL) == 0, "cannot join");
    for (struct arena *arena = atomic_load(&arena_list); arena != NULL; arena = arena->next)
        for (struct cache *cache = atomic_load(&arena->caches); cache != NULL; cache = cache->next)
            common += cache->common;
    REQUIRE(common <= COMMON_AT_ONCE, "%u common caches", common);
}

static void test_common_caches_are_bounded_among_many_threads(void **state)
{
    (void)state;
    for (unsigned n = 0; n < 20; n++)
        assert_true(unit_child_succeeds(share_at_once, NULL));
}

static void one_arena_for_all(void *argument)
{
    (void)argument;
    unsigned there = arenas_there();
    struct cache *first, *second, *common;

    REQUIRE(pool_limit(1), "the limit came too late");
    first = pool_get();
    second = pool_get();
    common = pool_get_common();
    REQUIRE(first != second && first->arena == second->arena, "not shared");
    REQUIRE(common->common && common->arena == first->arena, "a common cache of another arena");
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
    struct cache *cache;
    unsigned there;

    unit_arena();
    there = arenas_there();
    REQUIRE(pool_limit(LIMIT), "the limit came too late");
    os_fail_after(1, true);
    for (unsigned n = 0; n < 100; n++)
        REQUIRE(pool_get() == NULL && pool_get_common() == NULL, "a cache without memory");
    os_fail_after(0, false);
    REQUIRE(arenas_there() == there, "an arena that nobody has");
    /* The failures have used up nothing of the limit. */
    for (unsigned n = 0; n < LIMIT; n++) {
        cache = pool_get();
        REQUIRE(cache != NULL && cache == cache_first(cache->arena), "no arena for thread %u", n);
    }
    REQUIRE(arenas_there() == there + LIMIT, "%u arenas", arenas_there());
    /* Nor is a further cache lost that could not be made. */
    os_fail_after(1, true);
    REQUIRE(pool_get() == NULL, "a cache without memory");
    os_fail_after(0, false);
    cache = pool_get();
    REQUIRE(cache != NULL && cache != cache_first(cache->arena), "no further cache");
}

static void test_without_memory_the_limit_is_not_used_up(void **state)
{
    (void)state;
    assert_true(unit_child_succeeds(fail_and_recover, NULL));
}

struct left {
    struct cache *cache;
    void *chunk;
};

static void *leave_a_chunk(void *argument)
{
    struct left *left = argument;

    left->chunk = ft_malloc(1000);
    REQUIRE(left->chunk != NULL, "no memory");
    pattern_write(left->chunk, 0, 1000, 5);
    left->cache = thread_self.home;
    return NULL;
}

static void take_with_what_is_live(void *argument)
{
    (void)argument;
    struct left first, second;

    REQUIRE(ft_malloc(1) != NULL, "no memory");
    run(leave_a_chunk, &first);
    REQUIRE(!atomic_load(&first.cache->in_use), "the cache of an ended thread is not in the pool");
    require_few(first.cache);
    run(leave_a_chunk, &second);
    REQUIRE(first.cache == second.cache && first.chunk != second.chunk, "not taken as it was");
    REQUIRE(pattern_mismatch(first.chunk, 1000, 5) == 1000, "the contents changed");
    ft_free(first.chunk);
    ft_free(second.chunk);
    remote_send_all(thread_self.home);
    REQUIRE(unit_count_state(first.cache->arena, STATE_LIVE) == 0, "not freed");
    /* Until somebody visits the arena, or a thread takes its cache. */
    REQUIRE(unit_count_state(first.cache->arena, STATE_REMOTE) == 2, "not in the inbox");
    visit_to_trim(thread_self.home->arena);
    REQUIRE(unit_count_state(first.cache->arena, STATE_REMOTE) == 0,
            "the chunks of an arena without threads wait for nobody");
}

static void test_a_new_thread_takes_the_cache_of_an_ended_one(void **state)
{
    (void)state;
    assert_true(unit_child_succeeds(take_with_what_is_live, NULL));
}

static void put_sends(void *argument)
{
    (void)argument;
    struct cache *ending = pool_get(), *other = pool_get();
    struct chunk outgoing = unit_chunk(unit_alloc(other->arena, 100)),
                 incoming = unit_chunk(unit_alloc(ending->arena, 100));

    /* It lies in a stack. */
    unit_free(ending->arena, unit_alloc(ending->arena, 2000));
    remote_free(ending, &outgoing);
    remote_free(other, &incoming);
    remote_send_all(other);
    REQUIRE(remote_inbox_empty(other->arena) && !remote_inbox_empty(ending->arena), "the parcels");
    pool_put(ending);
    require_few(ending);
    REQUIRE(!remote_inbox_empty(other->arena), "what was collected was not sent");
    REQUIRE(unit_chunk((void *)incoming.start).kind == STATE_REMOTE, "received by nobody");
    /* The next thread gets what has arrived meanwhile. */
    REQUIRE(pool_get() == ending, "not taken from the pool");
    cache_use(ending);
    remote_receive_all(ending);
    REQUIRE(unit_chunk((void *)incoming.start).kind == STATE_FREE, "not received");
}

static void test_a_cache_enters_the_pool_with_few_chunks(void **state)
{
    (void)state;
    assert_true(unit_child_succeeds(put_sends, NULL));
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
    unsigned caches = 0;

    REQUIRE(pool_limit(3), "the limit came too late");
    for (unsigned round = 0; round < ROUNDS; round++) {
        for (unsigned n = 0; n < THREADS; n++)
            REQUIRE(pthread_create(&threads[n], NULL, come_and_go, NULL) == 0, "no thread");
        for (unsigned n = 0; n < THREADS; n++)
            REQUIRE(pthread_join(threads[n], NULL) == 0, "cannot join");
    }
    REQUIRE(arenas_there() <= 3, "%u arenas", arenas_there());
    for (struct arena *arena = atomic_load(&arena_list); arena != NULL; arena = arena->next)
        for (struct cache *cache = atomic_load(&arena->caches); cache != NULL; cache = cache->next)
            caches++;
    REQUIRE(caches <= THREADS + 1, "%u caches for %d threads", caches, THREADS);
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
        cmocka_unit_test(test_common_caches_are_given_in_turn),
        cmocka_unit_test(test_common_caches_are_bounded_among_many_threads),
        cmocka_unit_test(test_a_limit_of_one_arena),
        cmocka_unit_test(test_without_memory_the_limit_is_not_used_up),
        cmocka_unit_test(test_a_new_thread_takes_the_cache_of_an_ended_one),
        cmocka_unit_test(test_a_cache_enters_the_pool_with_few_chunks),
        cmocka_unit_test(test_many_threads_over_few_arenas),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
