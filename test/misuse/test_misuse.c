/*
 * Runs misuse_case for each wrong pointer and each function, twice: by default it expects the line
 * and SIGABRT; with FT_MALLOC_ON_ERROR=report only the line, and the program goes on with an intact
 * heap.
 */
#include "support/child.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>

#include <cmocka.h>

static const char *const all_functions[] = {"free",
                                            "cfree",
                                            "realloc",
                                            "realloc-zero",
                                            "reallocarray",
                                            "malloc_usable_size",
                                            "free_sized",
                                            "free_aligned_sized",
                                            "delete",
                                            "delete-array",
                                            "delete-sized",
                                            "delete-array-sized",
                                            "delete-aligned",
                                            "delete-sized-aligned",
                                            NULL};

static unsigned tried;

static void run_case(const char *const *argv, const char *on_error, struct child_result *result)
{
    const char *environment[] = {on_error, NULL};
    child_run(
        &(struct child_spec){.argv = argv, .environment = environment, .preload = child_library()},
        result);
}

/* A program that must end by the signal, or exit with 0 if the signal is 0. */
static void check_once(const char *const *argv, const char *on_error, int with_signal)
{
    struct child_result result;
    char expected[400] = "";
    run_case(argv, on_error, &result);
    /*
     * The child must have written the announced line, or its beginning where the end is not known,
     * without the newline.
     */
    (void)sscanf(result.out, "%399[^\n]", expected);
    bool reported = strlen(expected) > 20 && strncmp(result.err, expected, strlen(expected)) == 0 &&
                    strchr(result.err, '\n') == result.err + result.err_length - 1;
    bool intact = strstr(result.out, "\nintact\n") != NULL;
    if (!reported || result.signal != with_signal || intact != (with_signal == 0))
        fail_msg("%s of %s, %s: signal %d, expected \"%s\", got \"%s\"", argv[1], argv[2], on_error,
                 result.signal, result.out, result.err);
    tried++;
    child_free(&result);
}

static void check(const char *const *argv)
{
    check_once(argv, "FT_MALLOC_ON_ERROR=abort", SIGABRT);
    check_once(argv, "FT_MALLOC_ON_ERROR=report", 0);
}

static void check_all(const char *const *functions, const char *const *pointers)
{
    for (; *pointers != NULL; pointers++)
        for (const char *const *function = functions; *function != NULL; function++)
            check((const char *[]){FT_MISUSE_CASE, *function, *pointers, NULL});
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
                                           "freed-in-batch:tiny",    "freed-in-batch:small",
                                           "freed-in-inbox:tiny",    "freed-in-inbox:small",
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

/* All in one process, which goes on after each. */
static void test_every_interior_offset(void **state)
{
    (void)state;
    struct child_result result;
    unsigned swept = 0;
    const char *environment[] = {"FT_MALLOC_ON_ERROR=report", "FT_MALLOC_ON_WRONG_SIZE=report",
                                 NULL};
    child_run(&(struct child_spec){.argv = (const char *[]){FT_MISUSE_SWEEP, NULL},
                                   .environment = environment,
                                   .preload = child_library(),
                                   .timeout_s = 300},
              &result);
    assert_true(child_succeeded(&result));
    assert_int_equal(sscanf(result.out, "wrong pointers and sizes: %u misuses tried", &swept), 1);
    tried += swept;
    child_free(&result);
}

static void test_inside_heaps(void **state)
{
    (void)state;
    static const char *const pointers[] = {"header-0:tiny",
                                           "header-1:tiny",
                                           "header-16384:tiny",
                                           "header-20000:tiny",
                                           "header-262144:tiny",
                                           "header-300000:tiny",
                                           "between:tiny",
                                           "header-0:small",
                                           "header-16:small",
                                           "header-262144:small",
                                           "header-264192:small",
                                           "header-270336:small",
                                           NULL};
    check_all(all_functions, pointers);
}

static size_t count_lines(const char *text)
{
    size_t lines = 0;
    for (; *text != '\0'; text++)
        lines += *text == '\n';
    return lines;
}

/*
 * The program does it twice, unless the first time ends the process. That decides how many lines
 * are expected.
 */
static void check_claim(const char *const *argv, const char *option, size_t told, int with_signal)
{
    struct child_result result;
    char expected[400] = "";
    run_case(argv, option, &result);
    (void)sscanf(result.out, "%399[^\n]", expected);
    bool right = strlen(expected) > 20 &&
                 (told == 0 || strncmp(result.err, expected, strlen(expected)) == 0) &&
                 count_lines(result.err) == told;
    bool intact = strstr(result.out, "\nintact\n") != NULL;
    if (!right || result.signal != with_signal || intact != (with_signal == 0))
        fail_msg("%s of %s as %s, %s: signal %d, expected \"%s\" %zu times, got \"%s\"", argv[1],
                 argv[2], argv[3], option, result.signal, result.out, told, result.err);
    tried++;
    child_free(&result);
}

static void check_claims(const char *const *functions, const char *const *sizes,
                         const char *const *claims)
{
    for (; *functions != NULL; functions++)
        for (const char *const *size = sizes; *size != NULL; size++)
            for (const char *const *claim = claims; *claim != NULL; claim++) {
                const char *argv[] = {FT_MISUSE_CLAIMS, *functions, *size, *claim, NULL};
                check_claim(argv, "FT_TEST_NOTHING=1", 1, 0);
                check_claim(argv, "FT_MALLOC_ON_WRONG_SIZE=abort", 1, SIGABRT);
                check_claim(argv, "FT_MALLOC_ON_WRONG_SIZE=report", 2, 0);
                check_claim(argv, "FT_MALLOC_ON_WRONG_SIZE=ignore", 0, 0);
            }
}

/* In hardened mode it is misuse like any other, unless the option says what it is. */
static void test_wrong_sizes_when_hardened(void **state)
{
    (void)state;
    static const struct {
        const char *option;
        const char *on_error;
        size_t told;
        int signal;
    } cases[] = {
        {"FT_TEST_NOTHING=1", "FT_MALLOC_ON_ERROR=abort", 1, SIGABRT},
        {"FT_TEST_NOTHING=1", "FT_MALLOC_ON_ERROR=report", 2, 0},
        {"FT_MALLOC_ON_WRONG_SIZE=abort", "FT_MALLOC_ON_ERROR=report", 1, SIGABRT},
        {"FT_MALLOC_ON_WRONG_SIZE=report", "FT_MALLOC_ON_ERROR=abort", 2, 0},
        {"FT_MALLOC_ON_WRONG_SIZE=ignore", "FT_MALLOC_ON_ERROR=abort", 0, 0},
    };
    static const char *const sizes[] = {"42", "3725", "484847", NULL};
    setenv("FT_MALLOC_HARDEN", "1", 1);
    for (size_t n = 0; n < sizeof cases / sizeof *cases; n++) {
        setenv("FT_MALLOC_ON_ERROR", cases[n].on_error + strlen("FT_MALLOC_ON_ERROR="), 1);
        for (const char *const *size = sizes; *size != NULL; size++)
            check_claim((const char *[]){FT_MISUSE_CLAIMS, "delete", *size, "41", NULL},
                        cases[n].option, cases[n].told, cases[n].signal);
    }
    unsetenv("FT_MALLOC_HARDEN");
    unsetenv("FT_MALLOC_ON_ERROR");
}

/* Invalid pointers and double frees end the process, whatever the option says about sizes. */
static void test_the_option_does_not_cover_other_misuse(void **state)
{
    (void)state;
    check_once((const char *[]){FT_MISUSE_CASE, "delete-sized", "freed:tiny", NULL},
               "FT_MALLOC_ON_WRONG_SIZE=ignore", SIGABRT);
    check_once((const char *[]){FT_MISUSE_CASE, "free_sized", "interior5:small", NULL},
               "FT_MALLOC_ON_WRONG_SIZE=ignore", SIGABRT);
}

/*
 * What programs do in practice: the size is wrong, or not the one that was requested. The C
 * library's allocator does not check it.
 */
static void test_programs_that_pass_wrong_sizes_on_purpose(void **state)
{
    (void)state;
    for (int mode = '0'; mode <= '6'; mode++) {
        struct child_result result;
        run_case((const char *[]){FT_MIXED_DELETE, (const char[]){(char)mode, '\0'}, NULL},
                 "FT_TEST_NOTHING=1", &result);
        assert_true(child_succeeded(&result));
        assert_string_equal(result.out, "ok\n");
        assert_int_equal(count_lines(result.err), 1);
        assert_non_null(strstr(result.err, "ft_malloc: operator delete(): wrong size"));
        tried++;
        child_free(&result);
    }
}

static void test_wrong_sizes(void **state)
{
    (void)state;
    static const char *const functions[] = {"free_sized",   "free_aligned_sized", "delete",
                                            "delete-array", "delete-aligned",     NULL};
    static const struct {
        const char *size;
        const char *claims[7];
    } cases[] = {
        /*
         * One byte less and more, a class of TINY more, the most that one byte cannot express,
         * nothing, everything.
         */
        {"42", {"41", "43", "58", "298", "0", "18446744073709551615", NULL}},
        {"3725", {"3724", "3726", "3981", "3469", "0", "18446744073709551615", NULL}},
        {"484847", {"484846", "484848", "485103", "484591", "0", "18446744073709551615", NULL}},
    };
    for (size_t n = 0; n < sizeof cases / sizeof *cases; n++) {
        const char *sizes[] = {cases[n].size, NULL};
        check_claims(functions, sizes, cases[n].claims);
    }
}

/*
 * Alignments that the address contradicts, and values that are no alignment. (A smaller one than
 * was requested cannot be noticed.)
 */
static void test_wrong_alignments(void **state)
{
    (void)state;
    static const char *const functions[] = {"free_aligned_sized-align", "delete-align",
                                            "delete-array-align", "delete-array-sized-align", NULL};
    static const char *const sizes[] = {"16", "3725", "484847", NULL};
    static const char *const claims[] = {"0", "4611686018427387904", "9223372036854775808", NULL};
    check_claims(functions, sizes, claims);
    static const char *const tiny[] = {"16", NULL};
    static const char *const close[] = {"32", "64", "4096", NULL};
    check_claims(functions, tiny, close);
    static const char *const sized[] = {"free_aligned_sized-align", "delete-array-sized-align",
                                        NULL};
    static const char *const no_powers[] = {"3", "24", NULL};
    check_claims(sized, sizes, no_powers);
}

static void test_foreign_memory(void **state)
{
    (void)state;
    static const char *const pointers[] = {"stack",    "static",       "code",
                                           "unmapped", "inaccessible", "mapped",
                                           "libc",     "libc-large",   NULL};
    check_all(all_functions, pointers);
}

static void test_unmapped_addresses(void **state)
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
    check_once((const char *[]){FT_MISUSE_CASE, "free", "five", NULL}, "FT_TEST_NOTHING=1",
               SIGABRT);
}

int main(void)
{
    unsetenv("FT_MALLOC_ON_ERROR");
    unsetenv("FT_MALLOC_ON_WRONG_SIZE");
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_freed),
        cmocka_unit_test(test_freed_by_others),
        cmocka_unit_test(test_freed_before),
        cmocka_unit_test(test_interior),
        cmocka_unit_test(test_every_interior_offset),
        cmocka_unit_test(test_inside_heaps),
        cmocka_unit_test(test_wrong_sizes),
        cmocka_unit_test(test_wrong_alignments),
        cmocka_unit_test(test_wrong_sizes_when_hardened),
        cmocka_unit_test(test_the_option_does_not_cover_other_misuse),
        cmocka_unit_test(test_programs_that_pass_wrong_sizes_on_purpose),
        cmocka_unit_test(test_foreign_memory),
        cmocka_unit_test(test_unmapped_addresses),
        cmocka_unit_test(test_abort_is_the_default),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    /* A test that fails stops at its first misuse, which is not counted. */
    printf("misuse: %u misuses tried, %s detected\n", tried, failed == 0 ? "all" : "not all");
    return failed;
}
