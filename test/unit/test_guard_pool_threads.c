/*
 * Guarded chunks while several threads take and free them: no slot is handed to two threads,
 * readers see whole descriptions, and the child of a fork can free and reuse slots. Each test runs
 * in a child, because the pool is never unmapped.
 */
#include "unit/guarded_pool.h"

#include "support/rng.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <unistd.h>

enum { THREADS = 4 };

static void *take_and_give(void *argument)
{
    struct rng rng = rng_stream(42, (uintptr_t)argument);
    char *held[8] = {NULL};

    for (unsigned n = 0; n < 4000; n++) {
        size_t i = rng_below(&rng, 8), size = rng_below(&rng, 300);

        if (held[i] != NULL) {
            REQUIRE(held[i][0] == (char)(uintptr_t)argument, "another thread wrote to it");
            REQUIRE(give(held[i]), "not freed");
        }
        held[i] = guard_pool_open(size + 1, 1, n % 2, &allocator);
        if (held[i] != NULL)
            held[i][0] = (char)(uintptr_t)argument;
    }
    for (size_t i = 0; i < 8; i++)
        REQUIRE(held[i] == NULL || give(held[i]), "not freed");
    return NULL;
}

/* Threads change the pool while another one looks at it. */
static void be_many(void *unused)
{
    pthread_t threads[THREADS];
    struct caller allocated, freed;
    struct chunk chunk;
    (void)unused;

    make_pool();
    for (uintptr_t n = 0; n < THREADS; n++)
        REQUIRE(pthread_create(&threads[n], NULL, take_and_give, pointer_to(n)) == 0, "no thread");
    for (unsigned n = 0; n < 200; n++) {
        uintptr_t slot = guard_pool_now()->base + (uintptr_t)(n % 64) * SLOT;
        enum guard_state state = guard_pool_callers(slot, &allocated, &freed);

        if (state == GUARD_LIVE)
            check_caller(&allocated, &allocator);
        if (state == GUARD_FREED)
            check_caller(&freed, &freer);
        (void)guard_pool_find(slot, &chunk);
        (void)count_live();
    }
    for (unsigned n = 0; n < THREADS; n++)
        pthread_join(threads[n], NULL);
    REQUIRE(count_live() == 0, "%u live ones are left over", count_live());
}

static void test_threads(void **state)
{
    (void)state;
    run(be_many);
}

static atomic_bool stop;

static void *go_on(void *unused)
{
    while (!atomic_load(&stop))
        REQUIRE(give(take(10, 1, false)), "not freed");
    return unused;
}

static void in_fork(char *const *before)
{
    for (unsigned n = 0; n < 10; n++) {
        check_live(before[n], 20);
        REQUIRE(before[n][19] == 0x5a && give(before[n]), "not the parent's chunk");
    }
    for (unsigned n = 0; n < 2 * GUARD_SLOTS; n++)
        REQUIRE(give(take(30, 1, true)), "no slot");
}

/* Other threads change the pool all the time while this one forks. */
static void fork_often(void *unused)
{
    pthread_t threads[THREADS];
    char *before[10];
    (void)unused;

    make_pool();
    for (unsigned n = 0; n < 10; n++)
        before[n] = take(20, 1, false);
    for (unsigned n = 0; n < THREADS; n++)
        REQUIRE(pthread_create(&threads[n], NULL, go_on, NULL) == 0, "no thread");
    for (unsigned n = 0; n < 20; n++) {
        pid_t child = fork();
        int status = -1;

        if (child == 0) {
            guard_pool_after_fork();
            in_fork(before);
            _exit(0);
        }
        REQUIRE(waitpid(child, &status, 0) == child && status == 0, "status %x", (unsigned)status);
    }
    atomic_store(&stop, true);
    for (unsigned n = 0; n < THREADS; n++)
        pthread_join(threads[n], NULL);
}

static void test_children_of_forks(void **state)
{
    (void)state;
    run(fork_often);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_threads),
        cmocka_unit_test(test_children_of_forks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
