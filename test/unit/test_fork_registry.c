/*
 * Forks while another thread changes the registry of LARGE chunks: the child finds the chunks and
 * the cached mappings as they were before that change.
 */
#include "unit/forked.h"
#include "unit/unit.h"

#include "large/large.h"
#include "large/registry.h"
#include "support/prefixed.h"
#include "support/require.h"

#include <pthread.h>

/*
 * A thread that takes a mapping out of the cache and holds the registry's lock while others fork.
 */
static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool taken, forked;
} taker = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false, false};

static void *take_from_cache(void *argument)
{
    struct large *large;

    registry_lock();
    large = cache_take(*(size_t *)argument, 1);
    REQUIRE(large != NULL, "the cache is empty");
    pthread_mutex_lock(&taker.lock);
    taker.taken = true;
    pthread_cond_signal(&taker.changed);
    while (!taker.forked)
        pthread_cond_wait(&taker.changed, &taker.lock);
    pthread_mutex_unlock(&taker.lock);
    cache_put(large, 0);
    registry_unlock();
    return NULL;
}

struct expected {
    unsigned generation;
    size_t size, cached;
    char *live;
};

static void find_it_in_the_cache(void *argument)
{
    const struct expected *expected = argument;
    struct large_info info;
    bool clean;

    after_fork(expected->generation);
    REQUIRE(large_cached_bytes() == expected->cached, "%zu bytes are cached", large_cached_bytes());
    REQUIRE(large_find((uintptr_t)expected->live, &info) && info.live &&
                info.requested == expected->size,
            "lost");
    REQUIRE(large_alloc(expected->size, 1, &clean) != NULL && !clean,
            "what was cached is not found");
    REQUIRE(large_free((uintptr_t)expected->live, true) == LARGE_FREED, "not freed");
}

static void test_a_fork_in_the_middle_of_a_change_of_the_registry(void **state)
{
    (void)state;
    struct expected expected = {.size = 1 << 20};
    pthread_t thread;
    bool clean, good;
    char *cached;

    assert_non_null(ft_malloc(1));
    unit_arena();
    (void)large_trim();
    expected.live = large_alloc(expected.size, 1, &clean);
    cached = large_alloc(expected.size, 1, &clean);
    assert_true(expected.live != NULL && cached != NULL);
    assert_int_equal(large_free((uintptr_t)cached, true), LARGE_FREED);
    expected.cached = large_cached_bytes();
    assert_int_equal(pthread_create(&thread, NULL, take_from_cache, &expected.size), 0);
    pthread_mutex_lock(&taker.lock);
    while (!taker.taken)
        pthread_cond_wait(&taker.changed, &taker.lock);
    pthread_mutex_unlock(&taker.lock);
    expected.generation = fork_generation;
    good = unit_child_succeeds(find_it_in_the_cache, &expected);
    pthread_mutex_lock(&taker.lock);
    taker.forked = true;
    pthread_cond_signal(&taker.changed);
    pthread_mutex_unlock(&taker.lock);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_true(good);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_fork_in_the_middle_of_a_change_of_the_registry),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
