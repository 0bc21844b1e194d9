/*
 * Calls that are only counted while a guard, a profile, or both are on (api/watched.h): none is
 * left out, none is counted twice, and each switch of a mode is noticed at once.
 */
#include "api/guarded.h"

#include "debug/live_table.h"
#include "debug/profile.h"
#include "debug/stack_table.h"
#include "ft_malloc.h"
#include "os/os.h"

#include <math.h>
#include <pthread.h>

enum { ONE_IN = 50, CALLS = 7000 };

static void set(const char *name, const char *value)
{
    REQUIRE(ft_malloc_set(name, value) == 0, "%s=%s is refused", name, value);
}

/* Makes a call of one of seven kinds. Returns what it allocates. */
static void *call(unsigned kind, void *old)
{
    void *chunk = NULL;

    switch (kind) {
    case 0:
        return ft_malloc(40);
    case 1:
        return ft_malloc(3000);
    case 2:
        return ft_calloc(10, 10);
    case 3:
        return ft_realloc(NULL, 200);
    case 4:
        return ft_memalign(64, 100);
    case 5:
        REQUIRE(ft_posix_memalign(&chunk, 128, 700) == 0, "no memory");
        return chunk;
    default:
        return ft_realloc(old, 5000);
    }
}

/* Of each round of calls, whatever they are, exactly one gets a guarded chunk. */
static void count_calls(void)
{
    unsigned last = 0, chosen = 0;
    void *old = NULL;

    for (unsigned n = 1; n <= CALLS; n++) {
        void *chunk = call(n % 7, old);

        if (n % 7 != 6)
            ft_free(old);
        old = chunk;
        if (guarded(chunk)) {
            REQUIRE(n - last < 2 * ONE_IN, "none among %u", n - last);
            last = n;
            chosen++;
        }
    }
    ft_free(old);
    REQUIRE(chosen == CALLS / ONE_IN, "%u chosen", chosen);
    REQUIRE(thread_counted() == thread_self.cache, "nothing is only counted");
}

static void count_with_a_guard(void *unused)
{
    (void)unused;
    begin(ONE_IN);
    count_calls();
}

static void count_with_both(void *unused)
{
    (void)unused;
    set("profile", "512K");
    begin(ONE_IN);
    atomic_fetch_or(&modes_on, MODE_PROFILE);
    count_calls();
}

static void test_each_call_is_counted_once(void **state)
{
    (void)state;
    run(count_with_a_guard);
    run(count_with_both);
}

/* Guarded chunks are no samples, so they are missing: one in a thousand. */
static void profile_beside_a_guard(void *unused)
{
    enum { CHUNKS = 100000, BYTES = 100 };
    double bytes;
    (void)unused;

    set("profile", "4K,7");
    set("guard", "1000,7");
    for (unsigned n = 0; n < CHUNKS; n++)
        REQUIRE(ft_malloc(BYTES) != NULL, "no memory");
    bytes = (double)stack_table->totals.live_bytes;
    REQUIRE(stack_table->totals.dropped == 0, "no memory for samples");
    REQUIRE(fabs(bytes / CHUNKS / BYTES - 1) < 0.05, "%.0f bytes", bytes);
}

static void test_a_profile_beside_a_guard(void **state)
{
    (void)state;
    run(profile_beside_a_guard);
}

/* Calls until one is only counted. */
static void begin_to_count(void)
{
    for (unsigned n = 0; n < 10 && thread_counted() == CACHE_NONE; n++)
        ft_free(ft_malloc(10));
    REQUIRE(thread_counted() == thread_self.cache, "nothing is only counted");
}

/* With a mean of one byte, each chunk is a sample. */
static void take_samples(void)
{
    for (unsigned n = 0; n < 10; n++) {
        uint64_t before = live_table_count();
        void *chunk = ft_malloc(100);

        REQUIRE(live_table_count() == before + 1, "no sample");
        ft_free(chunk);
        REQUIRE(live_table_count() == before, "not freed");
    }
}

static void switch_modes(void *unused)
{
    (void)unused;
    set("guard", "1000000");
    begin_to_count();
    set("profile", "1");
    take_samples();
    set("profile", "1G");
    ft_free(ft_malloc(10)); /* the distance of before */
    begin_to_count();
    set("guard", "1");
    REQUIRE(guarded(ft_malloc(10)), "the guard is not seen");
    set("guard", "0");
    begin_to_count();
    set("limit", "1");
    REQUIRE(ft_malloc(1 << 20) == NULL, "the limit is not seen");
    set("limit", "0");
    begin_to_count();
    set("profile", "0");
    REQUIRE(thread_counted() == CACHE_NONE, "still counted");
    ft_free(ft_malloc(10));
    REQUIRE(thread_to_malloc() == thread_self.cache, "still slow");
}

static void test_each_switch_is_seen(void **state)
{
    (void)state;
    run(switch_modes);
}

static void *allocate_once(void *count)
{
    ft_free(ft_malloc(10));
    ft_free(ft_malloc(10));
    *(unsigned *)count += thread_counted() != CACHE_NONE;
    return NULL;
}

/* A thread that continues with what another has left is no different from one that goes on. */
static void end_threads(void *unused)
{
    enum { THREADS = 300 };
    uint64_t samples;
    unsigned counted = 0;
    pthread_t thread;
    (void)unused;

    set("profile", "1M,7");
    samples = atomic_load(&stack_table->totals.stacks);
    for (unsigned n = 0; n < THREADS; n++) {
        REQUIRE(pthread_create(&thread, NULL, allocate_once, &counted) == 0, "no thread");
        REQUIRE(pthread_join(thread, NULL) == 0, "no end");
    }
    samples = atomic_load(&stack_table->totals.stacks) - samples;
    REQUIRE(samples < 10, "%u samples of 6,000 bytes", (unsigned)samples);
    REQUIRE(counted >= THREADS - 10, "%u threads count", counted);
}

static void test_threads_that_end(void **state)
{
    (void)state;
    run(end_threads);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_call_is_counted_once),
        cmocka_unit_test(test_a_profile_beside_a_guard),
        cmocka_unit_test(test_each_switch_is_seen),
        cmocka_unit_test(test_threads_that_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
