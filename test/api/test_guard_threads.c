/*
 * FT_MALLOC_GUARD in programs with several threads, and in the children that they fork: guarded
 * chunks keep their contents, and none is left over. Each test runs in a child, because the mode
 * cannot be taken back.
 */
#include "api/guarded.h"

#include "base/options.h"
#include "support/rng.h"
#include "support/sanitized.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <unistd.h>

enum { THREADS = 3, HELD = 40 };

static void do_anything(struct rng *rng, char **held, size_t *size, unsigned value)
{
    size_t wanted = rng_below(rng, 50) == 0 ? rng_below(rng, 1500000) : rng_below(rng, 3000);

    REQUIRE(*held == NULL || filled(*held, *size, value), "another thread wrote to it");
    switch (rng_below(rng, 4)) {
    case 0:
        ft_free(*held);
        *held = ft_malloc(wanted);
        break;
    case 1:
        ft_free(*held);
        *held = ft_calloc(1, wanted);
        break;
    case 2:
        wanted += wanted == 0;
        *held = ft_realloc(*held, wanted);
        REQUIRE(filled(*held, wanted < *size ? wanted : *size, value) || *size == 0, "lost");
        break;
    default:
        ft_free(*held);
        *held = ft_memalign((size_t)16 << rng_below(rng, 9), wanted);
        break;
    }
    *size = wanted;
    fill(*held, wanted, value);
}

static void *live_on(void *number)
{
    struct rng rng = rng_stream(SEED, (uintptr_t)number);
    char *held[HELD] = {NULL};
    size_t sizes[HELD] = {0};

    for (unsigned n = 0; n < 4000; n++) {
        size_t i = rng_below(&rng, HELD);

        do_anything(&rng, &held[i], &sizes[i], (unsigned)((uintptr_t)number * HELD + i));
    }
    for (size_t i = 0; i < HELD; i++)
        ft_free(held[i]);
    return NULL;
}

static void live_in_threads(void *unused)
{
    pthread_t threads[THREADS];
    unsigned count = 0;
    (void)unused;

    begin(3);
    for (uintptr_t n = 0; n < THREADS; n++)
        REQUIRE(pthread_create(&threads[n], NULL, live_on, pointer_to(n)) == 0, "no thread");
    for (unsigned n = 0; n < THREADS; n++)
        pthread_join(threads[n], NULL);
    ft_malloc_visit(count_guarded, &count);
    REQUIRE(count == 0 && ft_malloc_check() == 0, "%u are left over", count);
    REQUIRE(atomic_load(&guard_pool_now()->opened) > 1000, "hardly any were guarded");
}

static void test_threads(void **state)
{
    (void)state;
    run(live_in_threads);
}

static void test_threads_hardened(void **state)
{
    (void)state;
    options.harden = true;
    run(live_in_threads);
    options.harden = false;
}

static void go_on_in_children(void *unused)
{
    pthread_t thread;
    char *chunk;
    (void)unused;

    begin(2);
    chunk = ft_malloc(100);
    /* ThreadSanitizer takes what the child reads of threads that are gone for races. */
    if (!sanitized)
        pthread_create(&thread, NULL, live_on, pointer_to(1));
    for (unsigned n = 0; n < 10; n++) {
        pid_t child = fork();
        int status = -1;

        if (child == 0) {
            live_on(pointer_to(n + 5));
            ft_free(chunk);
            _exit(0);
        }
        REQUIRE(waitpid(child, &status, 0) == child && status == 0, "status %x", (unsigned)status);
    }
    if (!sanitized)
        pthread_join(thread, NULL);
    ft_free(chunk);
}

static void test_children_of_forks(void **state)
{
    (void)state;
    run(go_on_in_children);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_threads),
        cmocka_unit_test(test_threads_hardened),
        cmocka_unit_test(test_children_of_forks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
