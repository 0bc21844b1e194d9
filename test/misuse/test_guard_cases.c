/*
 * Twenty programs that overflow or use freed memory in a loop, with one in a thousand chunks
 * guarded. Each must be stopped within the number of rounds that is expected: a thousand, because a
 * round allocates one chunk; more, if only the place at one end of the slot shows the error. The
 * seeds are fixed, so the result is always the same.
 */
#include "support/child.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>

#include <cmocka.h>

enum { ONE_IN = 1000, SEEDS = 3 };

static const unsigned seeds[SEEDS] = {2, 3, 7};

/*
 * Of the rounds in which the chunk is guarded, the first number of the second shows the error:
 * reads are noticed only at the guard, and of eight chunks about seven end at one.
 */
static const struct {
    const char *name;
    unsigned shows, of;
} cases[] = {
    {"overflow_by_one", 1, 1},     {"overflow_within_alignment", 1, 1},
    {"overflow_by_many", 1, 1},    {"overflow_of_array", 1, 1},
    {"overflow_of_string", 1, 1},  {"overflow_of_calloc", 1, 1},
    {"overflow_of_large", 1, 1},   {"overflow_of_aligned", 1, 1},
    {"overflow_of_realloc", 1, 1}, {"overread", 7, 8},
    {"overread_of_string", 7, 8},  {"overread_of_copy", 7, 8},
    {"underflow", 1, 1},           {"underread", 1, 8},
    {"write_after_free", 1, 1},    {"read_after_free", 1, 1},
    {"walk_after_free", 1, 1},     {"use_after_thread_freed", 1, 1},
    {"use_after_realloc", 1, 1},   {"use_of_freed_array", 1, 1},
};

static void run_case(const char *name, const char *guard, const char *rounds,
                     struct child_result *result)
{
    child_run(&(struct child_spec){.argv = (const char *[]){FT_GUARD_CASE, name, rounds, NULL},
                                   .environment = (const char *[]){guard, NULL},
                                   .preload = child_library()},
              result);
}

static void check_caught(size_t n, unsigned seed)
{
    unsigned expected = ONE_IN * cases[n].of / cases[n].shows;
    struct child_result result;
    char guard[64], rounds[32];

    snprintf(guard, sizeof guard, "FT_MALLOC_GUARD=%d,%u", ONE_IN, seed);
    snprintf(rounds, sizeof rounds, "%u", expected);
    run_case(cases[n].name, guard, rounds, &result);
    if (result.exit_code != 0)
        fail_msg("%s with %s: not stopped in %u rounds: %d, %d, %s", cases[n].name, guard, expected,
                 result.exit_code, result.signal, result.err);
    child_free(&result);
}

static void test_each_is_caught(void **state)
{
    (void)state;
    for (size_t n = 0; n < sizeof cases / sizeof cases[0]; n++)
        for (unsigned i = 0; i < SEEDS; i++)
            check_caught(n, seeds[i]);
}

/* Without the mode none of them is stopped, so what stops them above is the guard. */
static void test_none_is_caught_without(void **state)
{
    (void)state;
    for (size_t n = 0; n < sizeof cases / sizeof cases[0]; n++) {
        struct child_result result;

        run_case(cases[n].name, "FT_MALLOC_GUARD=0", "100", &result);
        if (result.exit_code != 1)
            fail_msg("%s: stopped without a guard: %s", cases[n].name, result.out);
        child_free(&result);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_is_caught),
        cmocka_unit_test(test_none_is_caught_without),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
