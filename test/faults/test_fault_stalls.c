/*
 * No thread waits for a listing. Eight threads allocate and free TINY and SMALL chunks, also each
 * other's, in heaps that they already have, while two call show_alloc_mem over and over, with many
 * LARGE chunks in the listing. How long a call takes depends on who else wants the processors. So
 * the test does not look at its time, but at what it did:
 *   - No call of a worker locks a mutex, or tries to take the structure lock.
 *   - No call of a worker gives up the processor voluntarily, except those in which the kernel
 *     supplied a page or was asked for one: there, threads wait for each other's page tables.
 *   - A listing holds the registry's lock, which threads with LARGE chunks need, for few chunks at
 *     a time, and asks the kernel for nothing meanwhile.
 * The test prints how much processor time calls took, and how much a listing took with that lock.
 * FT_FAULT_SCALE=N makes N times as many calls; FT_FAULT_STEPS=N sets the calls of each worker.
 */
#include "bins/size_class.h"
#include "debug/census.h"
#include "faults/locks.h"
#include "large/registry.h"
#include "support/capture.h"
#include "support/prefixed.h"
#include "support/require.h"
#include "support/rng.h"
#include "support/sanitized.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

/* A chunk that grows beyond MOST_GROWN gets a mapping of its own. */
enum {
    WORKERS = 8,
    WATCHERS = 2,
    SLOTS = 300,
    SHARED = 64,
    WARM_UP = 10000,
    LARGE = 100000,
    MOST_GROWN = 60000
};

struct watch {
    size_t lists;
    size_t least_mutexes; /* the list that locked the fewest mutexes */
    struct locks_use use;
};

static struct locks_tally tallies[WORKERS];
static struct watch watches[WATCHERS];
static _Atomic(void *) shared[SHARED];
static pthread_barrier_t barrier;
static atomic_size_t working;
static size_t steps;
static uint64_t seed;

static size_t random_size(struct rng *rng)
{
    size_t kind = rng_below(rng, 100);
    return rng_below(rng, kind < 70 ? TINY_MAX + 1 : kind < 98 ? 16000 : SMALL_MAX + 1);
}

/* Makes one call, whose result is stored in the slot. */
static void call(struct rng *rng, void **slot, size_t size)
{
    size_t kind = rng_below(rng, 8);
    if (*slot != NULL && kind < 6) {
        ft_free(*slot);
        *slot = NULL;
    } else if (*slot != NULL) {
        size = size < MOST_GROWN ? size : MOST_GROWN;
        *slot = ft_realloc(*slot, size + 1);
    } else if (kind == 0) {
        *slot = ft_calloc(1, size);
    } else if (kind == 1) {
        *slot = ft_memalign((size_t)16 << rng_below(rng, 9), size);
    } else {
        *slot = ft_malloc(size);
    }
    REQUIRE(*slot == NULL || size == 0 || size > SMALL_MAX || ft_malloc_usable_size(*slot) >= size,
            "no room");
}

static void step(struct rng *rng, void **slots, struct locks_tally *tally)
{
    void **slot = &slots[rng_below(rng, SLOTS)];
    size_t size = random_size(rng);
    /* Frees what other threads allocated, and the other way round. */
    if (rng_below(rng, 8) == 0)
        *slot = atomic_exchange(&shared[rng_below(rng, SHARED)], *slot);
    struct locks_moment before = locks_moment();
    call(rng, slot, size < SMALL_MAX ? size : SMALL_MAX - 1);
    locks_count(tally, &before);
}

static void *work(void *argument)
{
    size_t worker = (size_t)argument;
    struct rng rng = rng_stream(seed, worker);
    void *slots[SLOTS] = {NULL};
    struct locks_tally unused = {0};
    for (size_t n = 0; n < WARM_UP; n++)
        step(&rng, slots, &unused);
    pthread_barrier_wait(&barrier);
    /* Counts the heaps at this moment. */
    pthread_barrier_wait(&barrier);
    for (size_t n = 0; n < steps; n++)
        step(&rng, slots, &tallies[worker]);
    pthread_barrier_wait(&barrier);
    pthread_barrier_wait(&barrier);
    for (size_t n = 0; n < SLOTS; n++)
        ft_free(slots[n]);
    return NULL;
}

static void *watch(void *argument)
{
    struct watch *watch = argument;
    struct capture capture;
    locks_time();
    capture_private_descriptors();
    capture_open(&capture, STDOUT_FILENO);
    for (*watch = (struct watch){.least_mutexes = SIZE_MAX}; atomic_load(&working) > 0;
         watch->lists++) {
        size_t before = locks_use().mutexes;
        capture_call(&capture, show_alloc_mem);
        size_t mutexes = locks_use().mutexes - before;
        watch->least_mutexes = mutexes < watch->least_mutexes ? mutexes : watch->least_mutexes;
    }
    watch->use = locks_use();
    capture_close(&capture);
    return NULL;
}

static size_t setting(const char *name, size_t usual)
{
    const char *given = getenv(name);
    return given == NULL ? usual : strtoul(given, NULL, 10);
}

static size_t count_heaps(void)
{
    struct census census;
    census_take(&census);
    return census.zone[ZONE_TINY].heaps + census.zone[ZONE_SMALL].heaps;
}

/* Makes the workers' calls, with or without watchers. */
static void run(size_t watcher_count)
{
    pthread_t workers[WORKERS], watchers[WATCHERS];
    assert_int_equal(pthread_barrier_init(&barrier, NULL, WORKERS + 1), 0);
    for (size_t t = 0; t < WORKERS; t++) {
        tallies[t] = (struct locks_tally){0};
        assert_int_equal(pthread_create(&workers[t], NULL, work, (void *)t), 0);
    }
    pthread_barrier_wait(&barrier);
    size_t heaps = count_heaps();
    atomic_store(&working, 1);
    for (size_t w = 0; w < watcher_count; w++)
        assert_int_equal(pthread_create(&watchers[w], NULL, watch, &watches[w]), 0);
    pthread_barrier_wait(&barrier);
    pthread_barrier_wait(&barrier);
    assert_int_equal(count_heaps(), heaps);
    atomic_store(&working, 0);
    for (size_t w = 0; w < watcher_count; w++)
        pthread_join(watchers[w], NULL);
    pthread_barrier_wait(&barrier);
    for (size_t t = 0; t < WORKERS; t++)
        pthread_join(workers[t], NULL);
    for (size_t n = 0; n < SHARED; n++)
        ft_free(atomic_exchange(&shared[n], NULL));
    pthread_barrier_destroy(&barrier);
}

/* The calls of all workers, none of which waited for a lock. */
static void require_no_waits(const char *when)
{
    struct locks_tally sum = {0};
    for (size_t t = 0; t < WORKERS; t++)
        locks_add(&sum, &tallies[t]);
    locks_print(when, &sum);
    assert_int_equal(sum.calls, WORKERS * steps);
    assert_int_equal(sum.locked, 0);
    /* Where the sanitizers' own locks make a thread wait, its waits prove nothing. */
    if (!sanitized)
        assert_int_equal(sum.waited_for_none, 0);
}

static void test_workers_never_wait(void **state)
{
    (void)state;
    run(0);
    require_no_waits("not watched");
    run(WATCHERS);
    require_no_waits("watched");
}

static void test_workers_never_wait_with_many_large_chunks(void **state)
{
    (void)state;
    size_t count = setting("FT_FAULT_LARGE", LARGE);
    void **large = calloc(count, sizeof *large);
    assert_non_null(large);
    for (size_t n = 0; n < count; n++) {
        large[n] = ft_malloc(SMALL_MAX + 1);
        assert_non_null(large[n]);
    }
    run(WATCHERS);
    require_no_waits("watched, with LARGE chunks");
    for (size_t w = 0; w < WATCHERS; w++) {
        const struct watch *watch = &watches[w];
        printf("%zu lists with %zu LARGE chunks, at least %zu locks in each, none for more than "
               "%.3f ms of "
               "processor time\n",
               watch->lists, count, watch->least_mutexes, (double)watch->use.longest_ns / 1e6);
        assert_true(watch->lists > 0);
        assert_in_range(watch->least_mutexes, count / REGISTRY_PIECE, count);
        assert_int_equal(watch->use.kernel_in_mutex, 0);
    }
    for (size_t n = 0; n < count; n++)
        ft_free(large[n]);
    free(large);
}

int main(int argc, char **argv)
{
    seed = rng_seed_of_run(argc, argv);
    steps = setting("FT_FAULT_STEPS", 20000) * setting("FT_FAULT_SCALE", 1);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_workers_never_wait),
        cmocka_unit_test(test_workers_never_wait_with_many_large_chunks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
