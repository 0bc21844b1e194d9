/*
 * Runs misuse_case for each wrong pointer and each function, twice: by default the line and SIGABRT; with
 * FT_MALLOC_ON_ERROR=report the line only, and the program goes on with an intact heap.
 */
#include "support/child.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>

#include <cmocka.h>

static const char *const all_functions[] = {
    "free", "realloc", "realloc-zero", "malloc_usable_size", "reallocarray", "free_sized", NULL};

static void run_case(const char *function, const char *pointer, const char *on_error,
                     struct child_result *result)
{
    const char *argv[] = {FT_MISUSE_CASE, function, pointer, NULL};
    const char *environment[] = {on_error, NULL};
    child_run(&(struct child_spec){.argv = argv, .environment = environment, .preload = child_library()},
              result);
}

/* The child wrote two lines: the beginning of the expected line, and its end. */
static void assert_reported(const char *function, const char *pointer, const struct child_result *result)
{
    char head[100] = "";
    char verdict[200] = "";
    char expected[400];
    assert_int_equal(sscanf(result->out, "%99[^\n]\n%199[^\n]", head, verdict), 2);
    int head_length = (int)strlen(head);
    const char *rest = result->err + head_length;
    if (head[head_length - 1] != ')')
        rest = strchr(result->err, ')') != NULL ? strchr(result->err, ')') + 1 : result->err;
    (void)snprintf(expected, sizeof expected, ": %s", verdict);
    size_t length = strlen(expected);
    if (strncmp(result->err, head, (size_t)head_length) == 0 && strncmp(rest, expected, length) == 0 &&
        strchr(result->err, '\n') == result->err + result->err_length - 1)
        return;
    fail_msg("%s of %s: expected \"%s...: %s\", got \"%s\"", function, pointer, head, verdict, result->err);
}

static void check(const char *function, const char *pointer)
{
    struct child_result result;
    run_case(function, pointer, "FT_MALLOC_ON_ERROR=abort", &result);
    assert_reported(function, pointer, &result);
    assert_int_equal(result.signal, SIGABRT);
    assert_null(strstr(result.out, "intact"));
    child_free(&result);

    run_case(function, pointer, "FT_MALLOC_ON_ERROR=report", &result);
    assert_true(child_succeeded(&result));
    assert_reported(function, pointer, &result);
    assert_non_null(strstr(result.out, "\nintact\n"));
    child_free(&result);
}

static void check_all(const char *const *functions, const char *const *pointers)
{
    for (; *pointers != NULL; pointers++)
        for (const char *const *function = functions; *function != NULL; function++)
            check(*function, *pointers);
}

static void test_freed(void **state)
{
    (void)state;
    static const char *const pointers[] = {"freed:tiny", "freed:small", "freed:large", NULL};
    check_all(all_functions, pointers);
}

static void test_freed_by_others(void **state)
{
    (void)state;
    static const char *const pointers[] = {"freed-by-thread:tiny",   "freed-by-thread:small",
                                           "freed-by-thread:large",  "freed-for-thread:tiny",
                                           "freed-for-thread:small", "freed-for-thread:large",
                                           "freed-by-realloc:tiny",  "freed-by-realloc:small",
                                           "freed-by-realloc:large", NULL};
    static const char *const functions[] = {"free", "realloc", "malloc_usable_size", NULL};
    check_all(functions, pointers);
}

static void test_freed_before(void **state)
{
    (void)state;
    static const char *const pointers[] = {"freed-long-ago:tiny",      "freed-long-ago:small",
                                           "freed-long-ago:large",     "freed-among-reused:tiny",
                                           "freed-among-reused:small", NULL};
    static const char *const functions[] = {"free", "realloc", NULL};
    check_all(functions, pointers);
}

static void test_interior(void **state)
{
    (void)state;
    static const char *const pointers[] = {"interior5:tiny",
                                           "interior16:tiny",
                                           "interior-1:tiny",
                                           "interior5:small",
                                           "interior16:small",
                                           "interior2048:small",
                                           "interior-1:small",
                                           "interior5:large",
                                           "interior16:large",
                                           "interior4096:large",
                                           "interior262144:large",
                                           "interior-1:large",
                                           NULL};
    check_all(all_functions, pointers);
}

static void test_every_interior_offset(void **state)
{
    (void)state;
    static const char *const functions[] = {"free", NULL};
    for (int offset = 1; offset < 42; offset++) {
        char name[32];
        (void)snprintf(name, sizeof name, "interior%d:tiny", offset);
        const char *pointers[] = {name, NULL};
        check_all(functions, pointers);
    }
}

static void test_foreign_memory(void **state)
{
    (void)state;
    static const char *const pointers[] = {"stack",  "static", "code",       "unmapped", "inaccessible",
                                           "mapped", "libc",   "libc-large", NULL};
    check_all(all_functions, pointers);
}

static void test_addresses_of_nothing(void **state)
{
    (void)state;
    static const char *const pointers[] = {"one",
                                           "five",
                                           "sixteen",
                                           "low",
                                           "half-of-user-space",
                                           "end-of-user-space",
                                           "five-level-user",
                                           "non-canonical",
                                           "non-canonical-low",
                                           "kernel",
                                           "kernel-text",
                                           "last",
                                           NULL};
    static const char *const functions[] = {"free", "realloc", "malloc_usable_size", NULL};
    check_all(functions, pointers);
}

static void test_abort_is_the_default(void **state)
{
    (void)state;
    struct child_result result;
    run_case("free", "five", "FT_TEST_NOTHING=1", &result);
    assert_reported("free", "five", &result);
    assert_int_equal(result.signal, SIGABRT);
    child_free(&result);
}

int main(void)
{
    unsetenv("FT_MALLOC_ON_ERROR");
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_freed),
        cmocka_unit_test(test_freed_by_others),
        cmocka_unit_test(test_freed_before),
        cmocka_unit_test(test_interior),
        cmocka_unit_test(test_every_interior_offset),
        cmocka_unit_test(test_foreign_memory),
        cmocka_unit_test(test_addresses_of_nothing),
        cmocka_unit_test(test_abort_is_the_default),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
