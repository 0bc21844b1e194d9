/*
 * FT_MALLOC_HARDEN=1: each misuse that it detects, in a program of its own (hardened_case), by line
 * and signal; all of them at once in report mode (hardened_sweep); and what it promises to programs
 * that misuse nothing (hardened_keeps).
 */
#include "support/child.h"

#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>

#include <cmocka.h>

static unsigned tried;

static void run(const char *program, const char *name, const char *size, const char *option,
                struct child_result *result)
{
    const char *argv[] = {program, name, size, NULL};
    const char *environment[] = {"FT_MALLOC_HARDEN=1", option, NULL};
    child_run(
        &(struct child_spec){
            .argv = argv, .environment = environment, .preload = child_library(), .timeout_s = 200},
        result);
}

/*
 * The child announced the line that was to come: all of it, or its beginning where the end is not
 * known. The library must have written that and nothing more.
 */
static void check_one(const char *name, size_t size, int with_signal, const char *option)
{
    struct child_result result;
    char number[24];
    (void)snprintf(number, sizeof number, "%zu", size);
    run(FT_HARDENED_CASE, name, number, option, &result);
    const char *end = strchr(result.err, '\n');
    bool said = with_signal == SIGSEGV
                    ? result.err_length == 0
                    : result.out_length > 20 && end == result.err + result.err_length - 1 &&
                          strncmp(result.err, result.out, result.out_length) == 0;
    if (!said || result.signal != with_signal)
        fail_msg("%s of %zu bytes: signal %d, expected \"%s\", got \"%s\"", name, size,
                 result.signal, result.out, result.err);
    tried++;
    child_free(&result);
}

static void check(const char *const *names, const size_t *sizes, int with_signal)
{
    for (; *names != NULL; names++)
        for (const size_t *size = sizes; *size != SIZE_MAX; size++)
            check_one(*names, *size, with_signal, NULL);
}

static void test_overflow(void **state)
{
    (void)state;
    static const char *const names[] = {"overflow-free",
                                        "overflow-nul",
                                        "overflow-realloc",
                                        "overflow-thread",
                                        "overflow-sized",
                                        "overflow-calloc",
                                        NULL};
    static const size_t sizes[] = {1,    15,   16,   42,    128,    512,    960,     1000,    1023,
                                   1024, 3725, 4096, 65536, 262143, 300000, 1048575, SIZE_MAX};
    /* A guard begins where these end. */
    static const size_t whole[] = {0, 262144, 1048576, SIZE_MAX};
    check(names, sizes, SIGABRT);
    check(names, whole, SIGSEGV);
}

static void test_overflow_where_the_chunk_stays(void **state)
{
    (void)state;
    static const char *const names[] = {"overflow-realloc-in-place", NULL};
    static const size_t sizes[] = {42, 1000, 1023, 4095, 300000, SIZE_MAX};
    check(names, sizes, SIGABRT);
}

static void test_overflow_of_aligned_chunks(void **state)
{
    (void)state;
    static const char *const names[] = {"overflow-aligned", NULL};
    static const size_t sizes[] = {64, 1024, 4096, 262080, 1048512, SIZE_MAX};
    static const size_t whole[] = {0, 262144, 1048576, SIZE_MAX};
    check(names, sizes, SIGABRT);
    check(names, whole, SIGSEGV);
}

/* Includes sizes whose slack is the largest that a TINY state can express, and one more. */
static void test_wrong_sizes(void **state)
{
    (void)state;
    static const char *const names[] = {"wrong-size", NULL};
    static const size_t sizes[] = {1,   42,  512, 513,  576,    896,
                                   897, 959, 960, 3725, 262144, SIZE_MAX};
    check(names, sizes, SIGABRT);
}

/* Sizes whose whole slack is canary. */
static void test_underflow(void **state)
{
    (void)state;
    static const char *const names[] = {"underflow", NULL};
    static const size_t sizes[] = {1, 15, 40, 63, 100, 127, SIZE_MAX};
    check(names, sizes, SIGABRT);
}

/* The memory beside the chunk is free. */
static void test_writes_beside(void **state)
{
    (void)state;
    static const char *const front[] = {"underflow-alone", "underflow-thread", NULL};
    static const char *const behind[] = {"jump-over-the-canary", NULL};
    static const size_t sizes[] = {1, 8, 24, 42, 100, 512, 959, 1023, 4096, 30000, SIZE_MAX};
    static const size_t smallest[] = {1, 8, 15, 24, 40, 63, SIZE_MAX};
    check(front, sizes, SIGABRT);
    check(behind, smallest, SIGABRT);
}

static void test_empty_chunks(void **state)
{
    (void)state;
    static const char *const names[] = {"empty-twice", "empty-inside", NULL};
    static const size_t sizes[] = {0, SIZE_MAX};
    check(names, sizes, SIGABRT);
}

/*
 * The write is found when the chunk is handed out, or when one beside it is freed. Which happens
 * first is random.
 */
static void check_written_after_free(const char *name, size_t size)
{
    static const char beside[] = "ft_malloc: free(): written to free memory ";
    struct child_result result;
    char number[24];
    (void)snprintf(number, sizeof number, "%zu", size);
    run(FT_HARDENED_CASE, name, number, NULL, &result);
    if (result.signal != SIGABRT || (strcmp(result.err, result.out) != 0 &&
                                     strncmp(result.err, beside, sizeof beside - 1) != 0))
        fail_msg("%s of %zu bytes: signal %d, expected \"%s\", got \"%s\"", name, size,
                 result.signal, result.out, result.err);
    tried++;
    child_free(&result);
}

static void test_write_after_free(void **state)
{
    (void)state;
    static const size_t sizes[] = {1, 16, 42, 100, 512, 959, 1023, 1024, 3725, 65536};
    for (size_t n = 0; n < sizeof sizes / sizeof *sizes; n++) {
        check_written_after_free("written-first", sizes[n]);
        check_written_after_free("written-last", sizes[n]);
    }
}

static void test_large_guards(void **state)
{
    (void)state;
    static const char *const names[] = {"touch-before", "touch-behind", "touch-freed",
                                        "read-freed",   "touch-shrunk", NULL};
    static const size_t sizes[] = {262144, 300000, 1048575, 1048576, 50000000, SIZE_MAX};
    check(names, sizes, SIGSEGV);
}

/* The guard behind a chunk moves with the chunk's end. */
static void test_large_chunks_that_change_their_size(void **state)
{
    (void)state;
    static const char *const touching[] = {"touch-behind-grown", "touch-behind-shrunk",
                                           "touch-freed-grown", NULL};
    static const char *const overflowing[] = {"overflow-grown", "overflow-shrunk", NULL};
    static const size_t sizes[] = {262144, 300000, 1048575, 1048576, 50000000, SIZE_MAX};
    static const size_t whole[] = {262144, 1048576, SIZE_MAX};
    static const size_t others[] = {300000, 1048575, 50000000, SIZE_MAX};
    check(touching, sizes, SIGSEGV);
    check(overflowing, others, SIGABRT);
    check(overflowing, whole, SIGSEGV);
}

/* These guards always exist. */
static void test_heap_guards(void **state)
{
    (void)state;
    static const char *const names[] = {"touch-heap-end", "touch-before-heap", "overflow-heap"};
    for (size_t n = 0; n < sizeof names / sizeof *names; n++) {
        check_one(names[n], 42, SIGSEGV, NULL);
        check_one(names[n], 42, SIGSEGV, "FT_MALLOC_HARDEN=0");
        check_one(names[n], 3000, SIGSEGV, NULL);
        check_one(names[n], 3000, SIGSEGV, "FT_MALLOC_HARDEN=0");
    }
}

static void test_every_byte_of_the_canary(void **state)
{
    (void)state;
    struct child_result result;
    unsigned swept = 0;
    run(FT_HARDENED_SWEEP, NULL, NULL, "FT_MALLOC_ON_ERROR=report", &result);
    assert_true(child_succeeded(&result));
    assert_int_equal(sscanf(result.out, "writes past the end: %u misuses tried", &swept), 1);
    tried += swept;
    child_free(&result);
}

static void test_promises(void **state)
{
    (void)state;
    static const char *const names[] = {"usable-size",   "contents",     "contents-in-steps",
                                        "calloc-zero",   "freed-zero",   "remote-zero",
                                        "reuse-delayed", "reuse-random", "empty-listed"};
    for (size_t n = 0; n < sizeof names / sizeof *names; n++) {
        struct child_result result;
        run(FT_HARDENED_KEEPS, names[n], NULL, NULL, &result);
        if (!child_succeeded(&result) || result.err_length != 0)
            fail_msg("%s: %s", names[n], result.err);
        child_free(&result);
    }
}

static void test_two_processes_differ(void **state)
{
    (void)state;
    struct child_result first;
    struct child_result second;
    run(FT_HARDENED_KEEPS, "order", NULL, NULL, &first);
    run(FT_HARDENED_KEEPS, "order", NULL, NULL, &second);
    assert_true(first.out_length > 64 && second.out_length > 64);
    assert_string_not_equal(first.out, second.out);
    child_free(&first);
    child_free(&second);
}

/* No other test combines the two options. */
static void test_with_statistics(void **state)
{
    (void)state;
    struct child_result result;
    struct child_stats stats;
    run(FT_HARDENED_KEEPS, "contents", NULL, "FT_MALLOC_STATS=1", &result);
    assert_true(child_succeeded(&result));
    assert_true(child_read_stats(&result, &stats));
    assert_true(stats.malloc_calls > 1000 && stats.free_calls > 1000);
    assert_int_equal(stats.large, 0);
    child_free(&result);
    check_one("overflow-free", 42, SIGABRT, "FT_MALLOC_STATS=1");
}

static void forks(const char *option)
{
    struct child_result result;
    run(FT_HARDENED_FORKS, "25", getenv("FT_TEST_SEED") != NULL ? getenv("FT_TEST_SEED") : "14",
        option, &result);
    assert_true(child_succeeded(&result));
    assert_int_equal(result.err_length, 0);
    child_free(&result);
}

static void test_forks_raise_no_alarm(void **state)
{
    (void)state;
    forks(NULL);
}

static void test_forks_with_shared_arenas_raise_no_alarm(void **state)
{
    (void)state;
    forks("FT_MALLOC_ARENA_MAX=2");
}

int main(void)
{
    unsetenv("FT_MALLOC_ON_ERROR");
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_overflow),
        cmocka_unit_test(test_overflow_where_the_chunk_stays),
        cmocka_unit_test(test_overflow_of_aligned_chunks),
        cmocka_unit_test(test_wrong_sizes),
        cmocka_unit_test(test_underflow),
        cmocka_unit_test(test_writes_beside),
        cmocka_unit_test(test_empty_chunks),
        cmocka_unit_test(test_write_after_free),
        cmocka_unit_test(test_large_guards),
        cmocka_unit_test(test_large_chunks_that_change_their_size),
        cmocka_unit_test(test_heap_guards),
        cmocka_unit_test(test_every_byte_of_the_canary),
        cmocka_unit_test(test_promises),
        cmocka_unit_test(test_two_processes_differ),
        cmocka_unit_test(test_with_statistics),
        cmocka_unit_test(test_forks_raise_no_alarm),
        cmocka_unit_test(test_forks_with_shared_arenas_raise_no_alarm),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    /* A test that fails stops at its first misuse, which is not counted. */
    printf("hardened: %u misuses tried, %s detected\n", tried, failed == 0 ? "all" : "not all");
    return failed;
}
