/*
 * Switches modes at random while threads allocate, free each other's chunks, end and begin. No
 * chunk changes, afterwards all fast paths hit, and calls are counted exactly once.
 *
 * The first argument is the seed.
 */
#include "unit/unit.h"

#include "arena/thread.h"
#include "base/options.h"
#include "debug/stats.h"
#include "ft_malloc.h"
#include "support/pattern.h"
#include "support/prefixed.h"
#include "support/require.h"
#include "support/rng.h"
#include "support/sanitized.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

enum { THREADS = 4, SLOTS = 64, CALLS_OF_A_LIFE = 2000 };

/* A chunk, with the pattern of its seed; whoever exchanges the pointer out has it. */
struct chunk_of_test {
    size_t size;
    uint64_t seed;
    char bytes[];
};
static _Atomic(struct chunk_of_test *) slots[SLOTS];
static atomic_bool over;
static uint64_t seed;

static void check(struct chunk_of_test *chunk)
{
    size_t bytes = chunk->size - sizeof *chunk;

    REQUIRE(pattern_mismatch(chunk->bytes, bytes, chunk->seed) == bytes, "a chunk has changed");
}

static void keep(struct chunk_of_test *chunk, size_t size, uint64_t new_seed)
{
    chunk->size = size;
    chunk->seed = new_seed;
    pattern_write(chunk->bytes, 0, size - sizeof *chunk, new_seed);
}

static size_t any_size(struct rng *rng)
{
    static const size_t most[] = {100, 1000, 1000, 20000, 600000};

    return sizeof(struct chunk_of_test) + rng_below(rng, most[rng_below(rng, 5)]);
}

static struct chunk_of_test *allocate(struct rng *rng, size_t size)
{
    void *chunk = NULL;

    switch (rng_below(rng, 4)) {
    case 0:
        return ft_calloc(1, size);
    case 1:
        return ft_posix_memalign(&chunk, 64, size) == 0 ? chunk : NULL;
    default:
        return ft_malloc(size);
    }
}

/* A mode may refuse the call. The chunk is then as it was. */
static struct chunk_of_test *resize(struct rng *rng, struct chunk_of_test *chunk)
{
    size_t size = any_size(rng);
    size_t kept = (size < chunk->size ? size : chunk->size) - sizeof *chunk;
    struct chunk_of_test *resized = ft_realloc(chunk, size);

    if (resized == NULL)
        return chunk;
    REQUIRE(pattern_mismatch(resized->bytes, kept, resized->seed) == kept, "not copied");
    keep(resized, size, resized->seed + 1);
    return resized;
}

static void call(struct rng *rng)
{
    struct chunk_of_test *chunk = atomic_exchange(&slots[rng_below(rng, SLOTS)], NULL);
    size_t size = any_size(rng);

    if (chunk != NULL) {
        check(chunk);
        if (rng_below(rng, 3) == 0) {
            chunk = resize(rng, chunk);
        } else {
            ft_free(chunk);
            chunk = NULL;
        }
    }
    if (chunk == NULL && (chunk = allocate(rng, size)) != NULL)
        keep(chunk, size, size);
    /* Whatever another thread has left there meanwhile. */
    ft_free(atomic_exchange(&slots[rng_below(rng, SLOTS)], chunk));
}

static void *live(void *argument)
{
    struct rng rng = rng_stream(seed, (uintptr_t)argument);

    for (unsigned n = 0; n < CALLS_OF_A_LIFE && !atomic_load(&over); n++)
        call(&rng);
    return NULL;
}

/* One thread after the other, until the test is over. */
static void *generations(void *argument)
{
    for (uintptr_t life = (uintptr_t)argument; !atomic_load(&over); life += THREADS) {
        pthread_t thread;

        REQUIRE(pthread_create(&thread, NULL, live, (void *)life) == 0, "no thread");
        REQUIRE(pthread_join(thread, NULL) == 0, "not joined");
    }
    return NULL;
}

static const struct {
    const char *name, *values[3];
} modes[] = {
    {"stats", {"1", "0", "json"}},      {"history", {"100", "0", "50,4"}},
    {"profile", {"64K", "0", "1M"}},    {"record", {"1", "0", "1"}},
    {"guard", {"50", "0", "500"}},      {"fill", {"11,22", "0", "FF,00"}},
    {"check", {"500", "0", "5000"}},    {"limit", {"1G", "0", "20M"}},
    {"fail", {"3,1/100", "0", "1000"}},
};
enum { MODES = sizeof modes / sizeof modes[0] };

static void switch_modes(unsigned switches)
{
    struct rng rng = rng_stream(seed, UINT64_MAX);

    for (unsigned n = 0; n < switches; n++) {
        size_t mode = rng_below(&rng, MODES);

        assert_int_equal(ft_malloc_set(modes[mode].name, modes[mode].values[rng_below(&rng, 3)]),
                         0);
        call(&rng);
    }
    for (size_t mode = 0; mode < MODES; mode++)
        assert_int_equal(ft_malloc_set(modes[mode].name, "0"), 0);
}

static void free_slots(void)
{
    for (size_t n = 0; n < SLOTS; n++) {
        struct chunk_of_test *chunk = atomic_exchange(&slots[n], NULL);

        if (chunk != NULL)
            check(chunk);
        ft_free(chunk);
    }
}

static void test_threads_go_on_while_modes_change(void **state)
{
    (void)state;
    pthread_t threads[THREADS];

    for (uintptr_t n = 0; n < THREADS; n++)
        assert_int_equal(pthread_create(&threads[n], NULL, generations, (void *)n), 0);
    switch_modes(sanitized ? 150 : 600);
    atomic_store(&over, true);
    for (size_t n = 0; n < THREADS; n++)
        assert_int_equal(pthread_join(threads[n], NULL), 0);
    free_slots();
    assert_int_equal(ft_malloc_check(), 0);
    ft_free(ft_malloc(1 << 20));
    assert_ptr_equal(thread_to_malloc(), thread_self.cache);
    assert_ptr_equal(thread_to_free(), thread_self.cache);
}

enum { COUNTED = 5000 };
static pthread_barrier_t barrier;

static void *make_counted_calls(void *unused)
{
    (void)unused;
    ft_free(ft_malloc(10));
    pthread_barrier_wait(&barrier);
    pthread_barrier_wait(&barrier); /* the mode is on */
    for (unsigned n = 0; n < COUNTED; n++)
        ft_free(ft_malloc(n));
    pthread_barrier_wait(&barrier);
    pthread_barrier_wait(&barrier); /* the mode is off */
    for (unsigned n = 0; n < COUNTED; n++)
        ft_free(ft_malloc(n));
    return NULL;
}

static uint64_t counted_mallocs, counted_frees;

static void read_figure(struct text *text, const char *name, uint64_t value)
{
    (void)text;
    if (strcmp(name, "malloc") == 0)
        counted_mallocs = value;
    if (strcmp(name, "free") == 0)
        counted_frees = value;
}

static void test_calls_are_counted_while_the_mode_is_on(void **state)
{
    (void)state;
    pthread_t threads[THREADS];
    uint64_t mallocs, frees;

    stats_calls(read_figure, NULL);
    mallocs = counted_mallocs;
    frees = counted_frees;
    assert_int_equal(pthread_barrier_init(&barrier, NULL, THREADS + 1), 0);
    for (size_t n = 0; n < THREADS; n++)
        assert_int_equal(pthread_create(&threads[n], NULL, make_counted_calls, NULL), 0);
    pthread_barrier_wait(&barrier);
    assert_int_equal(ft_malloc_set("stats", "1"), 0);
    pthread_barrier_wait(&barrier);
    pthread_barrier_wait(&barrier);
    assert_int_equal(ft_malloc_set("stats", "0"), 0);
    pthread_barrier_wait(&barrier);
    for (size_t n = 0; n < THREADS; n++)
        assert_int_equal(pthread_join(threads[n], NULL), 0);
    stats_calls(read_figure, NULL);
    assert_int_equal(counted_mallocs - mallocs, (uint64_t)THREADS * COUNTED);
    assert_int_equal(counted_frees - frees, (uint64_t)THREADS * COUNTED);
}

static uint64_t counted_callocs, counted_bytes;

static void read_others(struct text *text, const char *name, uint64_t value)
{
    read_figure(text, name, value);
    if (strcmp(name, "calloc") == 0)
        counted_callocs = value;
    if (strcmp(name, "bytes") == 0)
        counted_bytes = value;
}

/* From a stack, a heap, and with mappings of their own; frees of nothing do not count. */
static void test_each_way_of_a_call_is_counted_once(void **state)
{
    (void)state;
    enum { TIMES = 300 };
    const size_t sizes[] = {0, 24, 960, 5000, 3 << 20};
    uint64_t mallocs, frees, callocs, bytes, expected = 0;

    stats_calls(read_others, NULL);
    mallocs = counted_mallocs;
    frees = counted_frees;
    callocs = counted_callocs;
    bytes = counted_bytes;
    assert_int_equal(ft_malloc_set("stats", "1"), 0);
    for (unsigned i = 0; i < TIMES; i++) {
        size_t size = sizes[i % (sizeof sizes / sizeof *sizes)];
        void *one = ft_malloc(size), *other = ft_calloc(1, size);

        ft_free(one);
        ft_free(other);
        ft_free(NULL);
        expected += 2 * size;
    }
    assert_int_equal(ft_malloc_set("stats", "0"), 0);
    stats_calls(read_others, NULL);
    assert_int_equal(counted_mallocs - mallocs, TIMES);
    assert_int_equal(counted_callocs - callocs, TIMES);
    assert_int_equal(counted_frees - frees, 2 * TIMES);
    assert_int_equal(counted_bytes - bytes, expected);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_threads_go_on_while_modes_change),
        cmocka_unit_test(test_calls_are_counted_while_the_mode_is_on),
        cmocka_unit_test(test_each_way_of_a_call_is_counted_once),
    };

    seed = rng_seed_of_run(argc, argv);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
