/*
 * The library from the first constructor to the last free of libc, and the ways to load it and
 * other libraries beside it.
 */
#include "lifecycle/runner.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void test_phases_of_a_process(void **state)
{
    (void)state;
    struct child_stats stats;
    life_require(&(struct life){.program = "life_phases"}, &stats);
    assert_true(stats.malloc_calls > 900);
}

static void test_destructors_of_keys(void **state)
{
    (void)state;
    struct child_stats stats;
    life_require(&(struct life){.program = "life_keys"}, &stats);
    assert_true(stats.malloc_calls >= 40 * 8 * 5 * 5);
}

static void test_thread_local_objects(void **state)
{
    (void)state;
    struct child_stats stats;
    life_require(&(struct life){.program = "life_thread_local"}, &stats);
}

static void test_frees_of_libc_after_the_last_destructor(void **state)
{
    (void)state;
    struct child_stats stats;
    life_require(&(struct life){.program = "life_late_frees"}, &stats);
}

/*
 * The second line of stderr, after the first report, is the statistics line of the loaded library.
 */
static void test_loaded_by_dlopen(void **state)
{
    (void)state;
    struct child_result result;
    struct child_stats stats;
    void *foreign = NULL;
    char expected[200];
    life_run(&(struct life){.program = "life_dlopen",
                            .arguments = {child_library()},
                            .environment = "FT_MALLOC_ON_ERROR=report"},
             NULL, &result);
    assert_true(child_succeeded(&result));
    assert_int_equal(sscanf(result.out, "loaded by dlopen, foreign chunk %p", &foreign), 1);
    (void)snprintf(expected, sizeof expected,
                   "ft_malloc: free(): invalid pointer %p: not from this allocator\n", foreign);
    assert_int_equal(strncmp(result.err, expected, strlen(expected)), 0);
    assert_true(child_read_stats(&result, &stats));
    assert_true(stats.malloc_calls >= 4 * 400);
    child_free(&result);
}

static void test_deepbind_chunks_are_foreign(void **state)
{
    (void)state;
    struct child_result result;
    life_run(&(struct life){.program = "life_deepbind", .environment = "FT_MALLOC_ON_ERROR=report"},
             child_library(), &result);
    assert_true(child_succeeded(&result));
    const char *out = result.out;
    const char *err = result.err;
    for (unsigned n = 0; n < 3; n++) {
        static const char *const functions[] = {"free", "realloc"};
        void *foreign = NULL;
        assert_int_equal(sscanf(out, "%p", &foreign), 1);
        out = strchr(out, '\n') + 1;
        for (unsigned i = 0; i < 2; i++) {
            char expected[200];
            (void)snprintf(expected, sizeof expected,
                           "ft_malloc: %s(): invalid pointer %p: not from this allocator\n",
                           functions[i], foreign);
            assert_int_equal(strncmp(err, expected, strlen(expected)), 0);
            err += strlen(expected);
        }
    }
    assert_int_equal(strncmp(err, "ft_malloc: stats:", 17), 0);
    child_free(&result);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_phases_of_a_process),
        cmocka_unit_test(test_destructors_of_keys),
        cmocka_unit_test(test_thread_local_objects),
        cmocka_unit_test(test_frees_of_libc_after_the_last_destructor),
        cmocka_unit_test(test_loaded_by_dlopen),
        cmocka_unit_test(test_deepbind_chunks_are_foreign),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
