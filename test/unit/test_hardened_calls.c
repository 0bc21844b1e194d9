/*
 * The hardened calls as a program makes them: what happens to the quarantine when memory is short,
 * and what is counted. Each test runs in a child, because the option cannot be taken back, and
 * there in a new thread, because the first thread already has an arena that is not hardened.
 */
#include "unit/hardened.h"

#include "os/os.h"
#include "support/prefixed.h"

#include <pthread.h>

static void in_thread(void *(*body)(void *argument), void *argument)
{
    pthread_t thread;

    REQUIRE(pthread_create(&thread, NULL, body, argument) == 0, "no thread");
    REQUIRE(pthread_join(thread, NULL) == 0, "no end");
}

static void *allocate_without_memory(void *unused)
{
    enum { SIZE = 20000 };
    void *last = ft_malloc(SIZE);

    /* The quarantine itself needs memory, which must be there. */
    ft_free(last);
    last = ft_malloc(SIZE);
    os_fail_after(1, true);
    for (void *next; (next = ft_malloc(SIZE)) != NULL;)
        last = next;
    for (unsigned n = 0; n < 3; n++) {
        ft_free(last);
        last = ft_malloc(SIZE);
        REQUIRE(last != NULL, "what was freed cannot be had again");
        REQUIRE(ft_malloc(SIZE) == NULL, "there is more than was freed");
    }
    os_fail_after(0, false);
    return unused;
}

static void run_out_of_memory(void *unused)
{
    in_thread(allocate_without_memory, unused);
}

static void test_the_quarantine_is_used_when_memory_is_short(void **state)
{
    (void)state;
    run(run_out_of_memory);
}

enum { ABROAD = 10 };

static void *free_all(void *argument)
{
    void **chunks = argument;

    for (unsigned n = 0; n < ABROAD; n++)
        ft_free(chunks[n]);
    return NULL;
}

static uint64_t remote_frees(void)
{
    uint64_t sum = 0;

    for (struct arena *arena = atomic_load(&arena_list); arena != NULL; arena = arena->next)
        for (struct cache *cache = atomic_load(&arena->caches); cache != NULL; cache = cache->next)
            sum += atomic_load(&cache->remote_frees);
    return sum;
}

/* Another thread frees half of them, while this one keeps its arena. */
static void *free_here_and_there(void *unused)
{
    void *chunks[2][ABROAD];

    for (unsigned n = 0; n < ABROAD; n++) {
        chunks[0][n] = ft_malloc(n * 1000 + 1);
        chunks[1][n] = ft_malloc(n * 1000 + 1);
    }
    free_all(chunks[0]);
    REQUIRE(remote_frees() == 0, "frees in the same thread");
    in_thread(free_all, chunks[1]);
    REQUIRE(remote_frees() == ABROAD, "%zu remote frees", (size_t)remote_frees());
    return unused;
}

static void run_with_statistics(void *unused)
{
    modes_on = MODE_STATS;
    in_thread(free_here_and_there, unused);
}

static void test_remote_frees_are_counted(void **state)
{
    (void)state;
    run(run_with_statistics);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_quarantine_is_used_when_memory_is_short),
        cmocka_unit_test(test_remote_frees_are_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
