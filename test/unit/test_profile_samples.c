/*
 * Samples: which chunks they are, where these are, and what they stand for.
 */
#include "unit/recorded.h"

#include "arena/apart.h"
#include "debug/profile.h"
#include "support/prefixed.h"
#include "support/rng.h"

#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>

/* A sample is in the arena apart or LARGE; its free is found, and no other one. */
static void test_samples_are_where_their_free_is_seen(void **state)
{
    (void)state;
    char *small, *tiny, *aligned;

    assert_true(profile_begin(1024, 7));
    switch_on(MODE_PROFILE);
    while (!profile_due(100))
        ;
    tiny = profile_take(100, 1, frames[0]);
    while (!profile_due(5000))
        ;
    small = profile_take(5000, 1, frames[1]);
    while (!profile_due(300))
        ;
    aligned = profile_take(300, 256, frames[2]);
    assert_true(tiny != NULL && small != NULL && aligned != NULL);
    assert_true(apart_has((uintptr_t)tiny) && apart_has((uintptr_t)small));
    assert_int_equal((uintptr_t)aligned % 256, 0);
    memset(tiny, 1, 100);
    memset(small, 2, 5000);
    // NOLINTNEXTLINE: it is not NULL, or the assertion before would have failed
    memset(aligned, 3, 300);
    assert_int_equal(live_table_count(), 3);
    for (unsigned n = 0; n < 3; n++)
        assert_int_equal(counters(n)->samples, 1);
    assert_true(counters(0)->allocations >= 10 && counters(1)->allocations <= 2);
    profile_freed((uintptr_t)small);
    assert_int_equal(counters(1)->freed, counters(1)->allocations);
    assert_int_equal(counters(1)->freed_bytes, counters(1)->bytes);
    profile_freed((uintptr_t)small + 16);
    profile_freed((uintptr_t)tiny);
    profile_freed((uintptr_t)aligned);
    assert_int_equal(live_table_count(), 0);
    assert_int_equal(stack_table->totals.live_bytes, 0);
}

static char *take_sample(size_t size, size_t align, unsigned site)
{
    while (!profile_due(size))
        ;
    return profile_take(size, align, frames[site]);
}

static void *free_in_thread(void *chunk)
{
    ft_free(chunk);
    return NULL;
}

/* All functions that free end at the same place. */
static void test_every_way_to_free_is_seen(void **state)
{
    (void)state;
    pthread_t thread;
    char *chunks[SITES];
    uint64_t remote;

    assert_true(profile_begin(1024, 7));
    for (unsigned n = 0; n < SITES; n++)
        chunks[n] = take_sample(100 + n * 1000, 1, n);
    ft_free(chunks[0]);
    ft_free_sized(chunks[1], 1100);
    ft_free_aligned_sized(chunks[2], 16, 2100);
    assert_null(ft_realloc(chunks[3], 0));
    assert_int_equal(pthread_create(&thread, NULL, free_in_thread, chunks[4]), 0);
    pthread_join(thread, NULL);
    ft_cfree(chunks[5]);
    /* moved out of the arena apart */
    chunks[6] = ft_realloc(chunks[6], 50000);
    assert_false(apart_has((uintptr_t)chunks[6]));
    ft_free(chunks[6]);
    for (unsigned n = 0; n < 7; n++)
        assert_int_equal(counters(n)->freed, counters(n)->allocations);
    assert_int_equal(live_table_count(), 1);
    /* chunks of threads are not taken for samples */
    remote = counters(7)->freed;
    ft_free(ft_malloc(100));
    assert_int_equal(counters(7)->freed, remote);
    ft_free(chunks[7]);
    assert_int_equal(live_table_count(), 0);
}

static void do_free(void *chunk)
{
    ft_free(chunk);
    ft_free(chunk);
}

static void test_a_sample_freed_twice_is_reported(void **state)
{
    (void)state;
    struct unit_end end_of_child;

    assert_true(profile_begin(1024, 7));
    unit_in_child(do_free, take_sample(100, 1, 0), &end_of_child);
    assert_int_equal(end_of_child.signal, SIGABRT);
    assert_non_null(strstr(end_of_child.err, "double free"));
}

/* The chunks of one size are as dense as elsewhere, and freed ones are used again. */
static void test_the_arena_apart_is_an_arena(void **state)
{
    (void)state;
    enum { LIVE = 500 };
    static char *chunks[LIVE];

    assert_true(profile_begin(16, 7));
    for (unsigned round = 0; round < 20; round++) {
        for (unsigned n = 0; n < LIVE; n++) {
            chunks[n] = take_sample(64, 1, 0);
            memset(chunks[n], (int)n, 64);
        }
        for (unsigned n = 0; n < LIVE; n++) {
            assert_int_equal(chunks[n][63], (char)n);
            ft_free(chunks[n]);
        }
    }
    assert_int_equal(live_table_count(), 0);
}

static void test_a_large_sample_is_noted_by_its_event(void **state)
{
    (void)state;
    uintptr_t large = (uintptr_t)ft_malloc(SMALL_MAX + 1);

    assert_true(profile_begin(1024, 7));
    switch_on(MODE_PROFILE);
    assert_true(profile_due(SMALL_MAX + 1) || profile_due(SMALL_MAX + 1));
    assert_null(profile_take(SMALL_MAX + 1, 1, frames[0]));
    assert_true(profile_self->pending);
    emit(EVENT_MALLOC, large, 0, SMALL_MAX + 1, 0);
    assert_false(profile_self->pending);
    assert_int_equal(counters(0)->bytes, SMALL_MAX + 1);
    /* the next one is no sample */
    emit(EVENT_MALLOC, large, 0, SMALL_MAX + 1, 1);
    assert_int_equal(counters(1)->samples, 0);
    profile_freed(large);
    assert_int_equal(counters(0)->freed, 1);
    /* one that failed */
    assert_true(profile_due(SMALL_MAX + 1));
    assert_null(profile_take(SMALL_MAX + 1, 1, frames[0]));
    emit(EVENT_MALLOC, 0, 0, SMALL_MAX + 1, 0);
    assert_false(profile_self->pending);
    assert_int_equal(counters(0)->samples, 1);
    switch_on(0);
    ft_free(pointer_to(large));
}

/* Sizes that nobody can serve do not disturb the draws. */
static void test_impossible_sizes_are_no_samples(void **state)
{
    (void)state;
    int64_t distance;

    assert_true(profile_begin(1 << 20, 7));
    switch_on(MODE_PROFILE);
    profile_due(1);
    distance = thread_self.bytes_left;
    assert_false(profile_due(SIZE_MAX));
    assert_false(profile_due((size_t)PTRDIFF_MAX + 1));
    assert_int_equal(thread_self.bytes_left, distance);
}

/*
 * A program with sites of different sizes, of which one in a few chunks lives on: sampled with ten
 * seeds, against the true figures.
 */
static void sample_program(uint64_t seed, double *deviation)
{
    enum { CALLS = 400000, MEAN = 1 << 10 };
    static const size_t sizes[SITES] = {16, 64, 100, 200, 500, 1000, 3000, 20000};
    uint64_t true_bytes[SITES] = {0}, sampled[SITES] = {0};
    struct rng rng = {seed};

    new_draws();
    assert_true(profile_begin(MEAN, seed));
    switch_on(MODE_PROFILE);
    for (unsigned n = 0; n < SITES; n++)
        sampled[n] = 0 - (counters(n)->bytes - counters(n)->freed_bytes);
    for (unsigned n = 0; n < CALLS; n++) {
        /* each site allocates about as many bytes as the others */
        unsigned site = (unsigned)rng_below(&rng, SITES);
        size_t size = sizes[site];
        bool lives = rng_below(&rng, 4) == 0;
        void *chunk;

        if (rng_below(&rng, 16 + size) >= 32)
            continue;
        true_bytes[site] += lives ? size : 0;
        if (!profile_due(size))
            continue;
        chunk = profile_take(size, 1, frames[site]);
        if (!lives)
            profile_freed((uintptr_t)chunk);
    }
    switch_on(0);
    for (unsigned n = 0; n < SITES; n++) {
        sampled[n] += counters(n)->bytes - counters(n)->freed_bytes;
        deviation[n] += fabs((double)sampled[n] / (double)true_bytes[n] - 1);
    }
}

static void test_a_profile_is_close_to_the_truth(void **state)
{
    (void)state;
    enum { SEEDS = 10 };
    double deviation[SITES] = {0};

    for (uint64_t seed = 1; seed <= SEEDS; seed++)
        sample_program(seed, deviation);
    for (unsigned n = 0; n < SITES; n++)
        assert_true(deviation[n] / SEEDS < 0.10);
}

static void test_a_seed_repeats_the_draws(void **state)
{
    (void)state;
    int64_t first[100];

    for (unsigned round = 0; round < 2; round++) {
        assert_true(profile_begin(1000, 99));
        new_draws();
        switch_on(MODE_PROFILE);
        for (unsigned n = 0; n < 100; n++) {
            profile_due(500);
            if (round == 0)
                first[n] = thread_self.bytes_left;
            else
                assert_int_equal(thread_self.bytes_left, first[n]);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_samples_are_where_their_free_is_seen, recorded_begin,
                                        recorded_end),
        cmocka_unit_test_setup_teardown(test_every_way_to_free_is_seen, recorded_begin,
                                        recorded_end),
        cmocka_unit_test_setup_teardown(test_a_sample_freed_twice_is_reported, recorded_begin,
                                        recorded_end),
        cmocka_unit_test_setup_teardown(test_the_arena_apart_is_an_arena, recorded_begin,
                                        recorded_end),
        cmocka_unit_test_setup_teardown(test_a_large_sample_is_noted_by_its_event, recorded_begin,
                                        recorded_end),
        cmocka_unit_test_setup_teardown(test_impossible_sizes_are_no_samples, recorded_begin,
                                        recorded_end),
        cmocka_unit_test_setup_teardown(test_a_profile_is_close_to_the_truth, recorded_begin,
                                        recorded_end),
        cmocka_unit_test_setup_teardown(test_a_seed_repeats_the_draws, recorded_begin,
                                        recorded_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
