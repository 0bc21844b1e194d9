/*
 * Threads that end anywhere, processes that are created from everywhere, mappings beyond the
 * kernel's limit. Runs each program of this folder alone, and, where threads matter, with all of
 * them sharing one or two arenas. FT_FAULT_SCALE=N does N times as much of everything.
 */
#include "support/child.h"
#include "support/rng.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { SHARED_RUNS = 3, ARENAS_MOST = 64, ARENAS_LIMIT = 32767, RESIDENT_MOST_KIB = 64 * 1024 };

static uint64_t seed;

static unsigned long scaled(unsigned long count)
{
    const char *given = getenv("FT_FAULT_SCALE");
    return given == NULL ? count : count * strtoul(given, NULL, 10);
}

/* Runs the program on the library. It has to succeed. The caller frees the result. */
static void run(const char *program, const char *first, const char *environment,
                struct child_result *result)
{
    char path[4096], second[24];
    (void)snprintf(path, sizeof path, "%s/%s", FT_PROGRAM_DIR, program);
    (void)snprintf(second, sizeof second, "%llu", (unsigned long long)seed);
    child_run(&(struct child_spec){.argv = (const char *const[]){path, first, second, NULL},
                                   .environment = (const char *const[]){environment, NULL},
                                   .preload = child_library(),
                                   .timeout_s = 280},
              result);
    if (!child_succeeded(result))
        fail_msg("%s %s %s, %s", program, first, second, environment == NULL ? "" : environment);
    printf("%s: %.300s", program, result->out);
    (void)fflush(stdout);
}

/* Nothing may be on stderr: neither the library nor the dynamic linker has anything to say. */
static void run_quietly(const char *program, unsigned long count, const char *environment)
{
    char first[24];
    struct child_result result;
    (void)snprintf(first, sizeof first, "%lu", count);
    run(program, first, environment, &result);
    assert_string_equal(result.err, "");
    child_free(&result);
}

static void run_with_any_arenas(const char *program, unsigned long count)
{
    static const char *const settings[SHARED_RUNS] = {NULL, "FT_MALLOC_ARENA_MAX=1",
                                                      "FT_MALLOC_ARENA_MAX=4"};
    for (size_t i = 0; i < SHARED_RUNS; i++)
        run_quietly(program, scaled(count), settings[i]);
}

/* `most`: as many arenas may be made. */
static void run_counting_arenas(const char *program, unsigned long count, size_t most)
{
    char first[24];
    size_t threads = 0, early = 0, resident = 0;
    struct child_result result;
    struct child_stats stats;
    (void)snprintf(first, sizeof first, "%lu", scaled(count));
    run(program, first, "FT_MALLOC_STATS=1", &result);
    assert_true(child_read_stats(&result, &stats));
    assert_in_range(stats.arenas, 1, most);
    assert_int_equal(
        sscanf(result.out, "%zu threads, resident %zu to %zu", &threads, &early, &resident), 3);
    assert_int_equal(threads, scaled(count));
    assert_in_range(resident, 1, RESIDENT_MOST_KIB);
    child_free(&result);
}

static void test_cancelled_anywhere(void **state)
{
    (void)state;
    run_with_any_arenas("fault_cancel", 700);
}

static void test_cancelled_in_show_alloc_mem(void **state)
{
    struct child_result result;
    (void)state;
    run("fault_cancel_output", "show", NULL, &result);
    assert_string_equal(result.err, "");
    child_free(&result);
}

static void test_free_is_no_cancellation_point(void **state)
{
    struct child_result result;
    (void)state;
    run("fault_cancel_output", "free", "FT_MALLOC_ON_ERROR=report", &result);
    assert_non_null(strstr(result.err, "ft_malloc: free(): invalid pointer "));
    child_free(&result);
}

static void test_ended_in_a_signal_handler(void **state)
{
    (void)state;
    run_with_any_arenas("fault_signal_exit", 1000);
}

static void test_processes_made_by_all_threads(void **state)
{
    (void)state;
    run_with_any_arenas("fault_spawn", 30);
}

static void test_plugins_that_allocate(void **state)
{
    (void)state;
    run_with_any_arenas("fault_plugins", 100);
}

static void test_20000_threads(void **state)
{
    (void)state;
    run_counting_arenas("fault_waves", 20000, ARENAS_MOST);
    run_quietly("fault_waves", scaled(20000), NULL);
}

static void test_first_allocation_in_the_last_round(void **state)
{
    (void)state;
    /*
     * No destructor runs after that round, so these arenas are not handed back. At the limit they
     * are shared.
     */
    run_counting_arenas("fault_last_round", 2000, ARENAS_LIMIT);
}

static void test_more_mappings_than_the_kernel_grants(void **state)
{
    (void)state;
    run_quietly("fault_mappings", 200000, NULL);
}

/* Takes the name of a test as argument, so that ctest can run several at a time. */
int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cancelled_anywhere),
        cmocka_unit_test(test_cancelled_in_show_alloc_mem),
        cmocka_unit_test(test_free_is_no_cancellation_point),
        cmocka_unit_test(test_ended_in_a_signal_handler),
        cmocka_unit_test(test_processes_made_by_all_threads),
        cmocka_unit_test(test_plugins_that_allocate),
        cmocka_unit_test(test_20000_threads),
        cmocka_unit_test(test_first_allocation_in_the_last_round),
        cmocka_unit_test(test_more_mappings_than_the_kernel_grants),
    };
    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    seed = rng_seed_of_run(0, argv);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
