/*
 * Address space: a small program needs little of it, malloc returns NULL at RLIMIT_AS, and many
 * LARGE chunks take few mappings.
 */
#include "lifecycle/runner.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

enum { MIB = 1024 * 1024 };

static void run(const struct life *life, struct child_result *result)
{
    life_run(life, child_library(), result);
    if (!child_succeeded(result))
        fail_msg("%s %s failed", life->program, life->arguments[0]);
    printf("%s %s %s: %s", life->program, life->arguments[0],
           life->arguments[1] ? life->arguments[1] : "", result->out);
}

static void test_small_program_has_a_small_address_space(void **state)
{
    (void)state;
    struct child_result result;
    size_t kib = 0;
    run(&(struct life){.program = "life_limits", .arguments = {"small"}}, &result);
    assert_int_equal(sscanf(result.out, "%zu KiB", &kib), 1);
    assert_true(kib > 0 && kib < (size_t)200 * 1024);
    child_free(&result);
}

/* Percent of what the limit leaves to the program when it starts. */
enum { GOAL = 80 };

static void test_limit_of_address_space(void **state)
{
    (void)state;
    static const char *const sizes[] = {"16",     "100",    "2000",   "20000",
                                        "200000", "300000", "2097152"};
    static const size_t limits[] = {(size_t)64 * MIB, (size_t)256 * MIB};
    for (size_t l = 0; l < 2; l++) {
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
            struct child_result result;
            size_t filled[3] = {0}, kib = 0, left;
            run(&(struct life){.program = "life_limits",
                               .arguments = {"fill", sizes[i]},
                               .address_space = limits[l]},
                &result);
            assert_int_equal(sscanf(result.out, "%zu %zu %zu of %zu KiB", &filled[0], &filled[1],
                                    &filled[2], &kib),
                             4);
            left = limits[l] - kib * 1024;
            for (size_t n = 0; n < 3; n++)
                assert_true(filled[n] >= left / 100 * GOAL);
            child_free(&result);
        }
    }
}

static void test_many_large_chunks_need_few_mappings(void **state)
{
    (void)state;
    struct child_result result;
    size_t maps = 0;
    run(&(struct life){.program = "life_limits", .arguments = {"maps"}}, &result);
    assert_int_equal(sscanf(result.out, "%zu maps", &maps), 1);
    assert_true(maps < 20000);
    child_free(&result);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_small_program_has_a_small_address_space),
        cmocka_unit_test(test_limit_of_address_space),
        cmocka_unit_test(test_many_large_chunks_need_few_mappings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
