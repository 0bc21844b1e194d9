/*
 * Options: each set of them is read by a process of its own, which prints what it understood.
 */
#include "unit/unit.h"

#include "arena/thread.h"
#include "base/options.h"
#include "support/child.h"
#include "support/prefixed.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int print_options(void)
{
    thread_runtime_init(NULL);
    printf("%d %d %d %u", options.report_only, modes_on == MODE_STATS, options.harden,
           options.arena_max);
    if (options.on_wrong_size != WRONG_SIZE_UNSET)
        printf(" wrong %d", options.on_wrong_size);
    return 0;
}

/*
 * Runs the child with up to three variables, and checks what it printed and what it complained
 * about.
 */
static void check(const char *const *environment, const char *printed, const char *complaints)
{
    static const char *const argv[] = {"/proc/self/exe", "print", NULL};
    const struct child_spec spec = {.argv = argv, .environment = environment};
    struct child_result result;

    child_run(&spec, &result);
    assert_true(child_succeeded(&result));
    assert_string_equal(result.out, printed);
    /* If statistics are on, their line is printed at exit. */
    char *line = strstr(result.err, "ft_malloc: stats:");
    if (line != NULL)
        *line = '\0';
    assert_string_equal(result.err, complaints);
    child_free(&result);
}

static void check_one(const char *variable, const char *printed, const char *complaint)
{
    const char *const environment[] = {variable, NULL};

    check(environment, printed, complaint);
}

static void test_without_any(void **state)
{
    (void)state;
    const char *const none[] = {NULL};

    check(none, "0 0 0 0", "");
    check_one("OTHER_MALLOC_STATS=1", "0 0 0 0", "");
    check_one("XFT_MALLOC_STATS=1", "0 0 0 0", "");
    check_one("FT_MALLO=1", "0 0 0 0", "");
}

static void test_on_error(void **state)
{
    (void)state;
    check_one("FT_MALLOC_ON_ERROR=report", "1 0 0 0", "");
    check_one("FT_MALLOC_ON_ERROR=abort", "0 0 0 0", "");
    check_one("FT_MALLOC_ON_ERROR=Report", "0 0 0 0",
              "ft_malloc: option FT_MALLOC_ON_ERROR=Report ignored: expected abort or report\n");
    check_one("FT_MALLOC_ON_ERROR=", "0 0 0 0",
              "ft_malloc: option FT_MALLOC_ON_ERROR= ignored: expected abort or report\n");
    check_one("FT_MALLOC_ON_ERROR=reporting", "0 0 0 0",
              "ft_malloc: option FT_MALLOC_ON_ERROR=reporting ignored: expected abort or report\n");
}

static void test_on_wrong_size(void **state)
{
    (void)state;
    check_one("FT_MALLOC_ON_WRONG_SIZE=abort", "0 0 0 0 wrong 1", "");
    check_one("FT_MALLOC_ON_WRONG_SIZE=report", "0 0 0 0 wrong 2", "");
    check_one("FT_MALLOC_ON_WRONG_SIZE=ignore", "0 0 0 0 wrong 3", "");
    check_one(
        "FT_MALLOC_ON_WRONG_SIZE=", "0 0 0 0",
        "ft_malloc: option FT_MALLOC_ON_WRONG_SIZE= ignored: expected abort, report or ignore\n");
    check_one(
        "FT_MALLOC_ON_WRONG_SIZE=1", "0 0 0 0",
        "ft_malloc: option FT_MALLOC_ON_WRONG_SIZE=1 ignored: expected abort, report or ignore\n");
}

static void test_stats(void **state)
{
    (void)state;
    check_one("FT_MALLOC_STATS=1", "0 1 0 0", "");
    check_one("FT_MALLOC_STATS=0", "0 0 0 0", "");
    check_one("FT_MALLOC_STATS=json", "0 1 0 0", "");
    check_one("FT_MALLOC_STATS=yes", "0 0 0 0",
              "ft_malloc: option FT_MALLOC_STATS=yes ignored: expected 0, 1 or json\n");
    check_one("FT_MALLOC_STATS=11", "0 0 0 0",
              "ft_malloc: option FT_MALLOC_STATS=11 ignored: expected 0, 1 or json\n");
}

static void test_arena_max(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "", "0", "00", "32767", "99999999999999999999", "-1", "+1", " 1", "1 ", "1x", "0x10"};

    check_one("FT_MALLOC_ARENA_MAX=1", "0 0 0 1", "");
    check_one("FT_MALLOC_ARENA_MAX=007", "0 0 0 7", "");
    check_one("FT_MALLOC_ARENA_MAX=32766", "0 0 0 32766", "");
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        char variable[100], complaint[200];

        (void)snprintf(variable, sizeof variable, "FT_MALLOC_ARENA_MAX=%s", wrong[i]);
        (void)snprintf(complaint, sizeof complaint,
                       "ft_malloc: option %s ignored: expected a number from 1 to 32766\n",
                       variable);
        check_one(variable, "0 0 0 0", complaint);
    }
}

static void test_harden(void **state)
{
    (void)state;
    check_one("FT_MALLOC_HARDEN=1", "0 0 1 0", "");
    check_one("FT_MALLOC_HARDEN=0", "0 0 0 0", "");
    check_one("FT_MALLOC_HARDEN=2", "0 0 0 0",
              "ft_malloc: option FT_MALLOC_HARDEN=2 ignored: expected 0 or 1\n");
    check_one("FT_MALLOC_HARDEN=", "0 0 0 0",
              "ft_malloc: option FT_MALLOC_HARDEN= ignored: expected 0 or 1\n");
    check_one(
        "FT_MALLOC_HARDENED=1", "0 0 0 0",
        "ft_malloc: option FT_MALLOC_HARDENED=1 is not known, did you mean FT_MALLOC_HARDEN?\n");
}

/*
 * Chunks that were handed out before have no canary. So the option comes too late, and the library
 * says so.
 */
static void *allocated_early;

static void allocate_early(int argc, char **argv, char **environment)
{
    (void)environment;
    if (argc > 1 && strcmp(argv[1], "early") == 0)
        allocated_early = ft_malloc(100);
}

__attribute__((used, section(".preinit_array"))) static void (*const before_all)(
    int, char **, char **) = allocate_early;

static int print_early(void)
{
    if (allocated_early == NULL)
        return 1;
    ft_free(allocated_early);
    /* As the constructor does, when the environment is known. */
    thread_runtime_init(environ);
    return print_options();
}

static void test_harden_after_the_first_allocation(void **state)
{
    (void)state;
    static const char *const argv[] = {"/proc/self/exe", "early", NULL};
    static const char *const environment[] = {"FT_MALLOC_HARDEN=1", "FT_MALLOC_ARENA_MAX=3", NULL};
    struct child_result result;

    child_run(&(struct child_spec){.argv = argv, .environment = environment}, &result);
    assert_true(child_succeeded(&result));
    assert_string_equal(result.out, "0 0 0 3");
    assert_string_equal(
        result.err, "ft_malloc: option FT_MALLOC_HARDEN ignored: memory was allocated before it "
                    "could be read\n");
    child_free(&result);
}

static void test_several(void **state)
{
    (void)state;
    const char *const environment[] = {"FT_MALLOC_ARENA_MAX=3", "FT_MALLOC_STATS=1",
                                       "FT_MALLOC_ON_ERROR=report", "FT_MALLOC_HARDEN=1", NULL};

    check(environment, "1 1 1 3", "");
}

static void test_unknown_names(void **state)
{
    (void)state;
    const char *const environment[] = {"FT_MALLOC_NO_SUCH=1", "FT_MALLOC_ARENA_MAX=3", NULL};

    check(environment, "0 0 0 3", "ft_malloc: option FT_MALLOC_NO_SUCH=1 is not known\n");
    check_one("FT_MALLOC_=1", "0 0 0 0", "ft_malloc: option FT_MALLOC_=1 is not known\n");
    check_one("FT_MALLOC_STATSX=1", "0 0 0 0",
              "ft_malloc: option FT_MALLOC_STATSX=1 is not known, did you mean FT_MALLOC_STATS?\n");
    check_one("FT_MALLOC_STAT=1", "0 0 0 0",
              "ft_malloc: option FT_MALLOC_STAT=1 is not known, did you mean FT_MALLOC_STATS?\n");
    check_one("FT_MALLOC_stats=1", "0 0 0 0",
              "ft_malloc: option FT_MALLOC_stats=1 is not known, did you mean FT_MALLOC_STATS?\n");
}

static void check_nearest(const char *name, const char *expected)
{
    enum option found = option_nearest(name, strlen(name));

    if (expected == NULL)
        assert_int_equal(found, OPTIONS);
    else
        assert_string_equal(option_name(found), expected);
}

static void test_the_nearest_name(void **state)
{
    (void)state;
    check_nearest("PROFIL", "FT_MALLOC_PROFILE");
    check_nearest("profiles", "FT_MALLOC_PROFILE");
    check_nearest("FT_MALLOC_HISTROY", "FT_MALLOC_HISTORY");
    check_nearest("FT_MALLOC_ARENAS_MAX", "FT_MALLOC_ARENA_MAX");
    check_nearest("ONERROR", "FT_MALLOC_ON_ERROR");
    check_nearest("FAILS", "FT_MALLOC_FAIL");
    check_nearest("FIL", "FT_MALLOC_FILL");
    check_nearest("", NULL);
    check_nearest("FT_MALLOC_", NULL);
    check_nearest("VERBOSE_OUTPUT", NULL);
    check_nearest("a_name_that_is_longer_than_any_that_could_be_near_to_one", NULL);
}

static void test_names_without_prefix_or_capitals(void **state)
{
    (void)state;
    assert_int_equal(option_find("stats", 5), OPTION_STATS);
    assert_int_equal(option_find("ft_malloc_stats", 15), OPTION_STATS);
    assert_int_equal(option_find("FT_MALLOC_On_Error", 18), OPTION_ON_ERROR);
    assert_int_equal(option_find("statsx", 5), OPTION_STATS);
    assert_int_equal(option_find("stat", 4), OPTIONS);
    assert_int_equal(option_find("", 0), OPTIONS);
    assert_int_equal(option_find("FT_MALLOC_", 10), OPTIONS);
}

static void check_value(enum option option, const char *text, bool on, uint64_t first,
                        uint64_t second)
{
    struct option_value value;

    assert_true(option_parse(option, text, &value));
    assert_int_equal(value.on, on);
    assert_int_equal(value.number[0], first);
    assert_int_equal(value.number[1], second);
}

static void test_values_of_modes(void **state)
{
    (void)state;
    check_value(OPTION_STATS, "json", true, STATS_JSON, 0);
    check_value(OPTION_HISTORY, "1000", true, 1000, 0);
    check_value(OPTION_HISTORY, "1000,8", true, 1000, 8);
    check_value(OPTION_HISTORY, "0", false, 0, 0);
    check_value(OPTION_PROFILE, "512K", true, 512 << 10, 0);
    check_value(OPTION_PROFILE, "1m,18446744073709551615", true, 1 << 20, UINT64_MAX);
    check_value(OPTION_PROFILE, "1G", true, 1 << 30, 0);
    check_value(OPTION_RECORD, "1", true, 1, 0);
    check_value(OPTION_GUARD, "1000,7", true, 1000, 7);
    check_value(OPTION_FILL, "AA,dd", true, 0xaa, 0xdd);
    check_value(OPTION_FILL, "0,f", true, 0, 0xf);
    check_value(OPTION_FILL, "0", false, 0, 0);
    check_value(OPTION_CHECK, "100", true, 100, 0);
    check_value(OPTION_LIMIT, "256M", true, 256 << 20, 0);
    check_value(OPTION_LIMIT, "9223372036854775807", true, INT64_MAX, 0);
    check_value(OPTION_FAIL, "3", true, 3, 0);
    check_value(OPTION_FAIL, "7,1/100", true, 7, 100);
    check_value(OPTION_FAIL, "0,1/1", true, 0, 1);
    check_value(OPTION_FAIL, "0", false, 0, 0);
    check_value(OPTION_DUMP, "9", false, 10, 1);
    check_value(OPTION_DUMP, "9,exit,USR1", false, 10, 1);
    check_value(OPTION_DUMP, "9,USR1", false, 10, 0);
}

static const struct {
    enum option option;
    const char *text;
} wrong_values[] = {
    {OPTION_STATS, "JSON"},
    {OPTION_HISTORY, "1000,"},
    {OPTION_HISTORY, "1000,65"},
    {OPTION_HISTORY, "1048577"},
    {OPTION_HISTORY, "-1"},
    {OPTION_HISTORY, "10 "},
    {OPTION_PROFILE, "512KB"},
    {OPTION_PROFILE, "2G"},
    {OPTION_PROFILE, "K"},
    {OPTION_RECORD, "2"},
    {OPTION_GUARD, "4294967296"},
    {OPTION_FILL, "AA"},
    {OPTION_FILL, "AA,"},
    {OPTION_FILL, "AAA,B"},
    {OPTION_FILL, "gg,00"},
    {OPTION_CHECK, "1,2"},
    {OPTION_CHECK, ""},
    {OPTION_LIMIT, "1T"},
    {OPTION_FAIL, "7,1/0"},
    {OPTION_FAIL, "7,2/3"},
    {OPTION_FAIL, "7,1/"},
    {OPTION_FAIL, "7,"},
    {OPTION_FAIL, "1/100"},
    {OPTION_DUMP, "9,"},
    {OPTION_DUMP, "9,exit,usr1"},
    {OPTION_DUMP, "stderr"},
    {OPTION_LIMIT, "9223372036854775808"},
    {OPTION_CHECK, "18446744073709551616"},
    {OPTION_LIMIT, "18014398509481984K"},
};

static void test_values_that_are_none(void **state)
{
    (void)state;
    struct option_value value;

    for (size_t i = 0; i < sizeof wrong_values / sizeof wrong_values[0]; i++)
        assert_false(option_parse(wrong_values[i].option, wrong_values[i].text, &value));
}

static void test_a_value_longer_than_any_buffer(void **state)
{
    (void)state;
    static char variable[10000], complaint[10100];

    (void)strcpy(variable, "FT_MALLOC_STATS=");
    memset(variable + strlen(variable), 'a', 9000);
    (void)snprintf(complaint, sizeof complaint,
                   "ft_malloc: option %s ignored: expected 0, 1 or json\n", variable);
    check_one(variable, "0 0 0 0", complaint);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_without_any),
        cmocka_unit_test(test_on_error),
        cmocka_unit_test(test_on_wrong_size),
        cmocka_unit_test(test_stats),
        cmocka_unit_test(test_arena_max),
        cmocka_unit_test(test_harden),
        cmocka_unit_test(test_harden_after_the_first_allocation),
        cmocka_unit_test(test_several),
        cmocka_unit_test(test_unknown_names),
        cmocka_unit_test(test_the_nearest_name),
        cmocka_unit_test(test_names_without_prefix_or_capitals),
        cmocka_unit_test(test_values_of_modes),
        cmocka_unit_test(test_values_that_are_none),
        cmocka_unit_test(test_a_value_longer_than_any_buffer),
    };

    if (argc > 1 && strcmp(argv[1], "print") == 0)
        return print_options();
    if (argc > 1 && strcmp(argv[1], "early") == 0)
        return print_early();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
