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
    check_one("FT_MALLOC_STATS=yes", "0 0 0 0",
              "ft_malloc: option FT_MALLOC_STATS=yes ignored: expected 0 or 1\n");
    check_one("FT_MALLOC_STATS=11", "0 0 0 0",
              "ft_malloc: option FT_MALLOC_STATS=11 ignored: expected 0 or 1\n");
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
    check_one("FT_MALLOC_HARDENED=1", "0 0 0 0",
              "ft_malloc: option FT_MALLOC_HARDENED=1 is not known\n");
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
              "ft_malloc: option FT_MALLOC_STATSX=1 is not known\n");
    check_one("FT_MALLOC_STAT=1", "0 0 0 0", "ft_malloc: option FT_MALLOC_STAT=1 is not known\n");
}

static void test_a_value_longer_than_any_buffer(void **state)
{
    (void)state;
    static char variable[10000], complaint[10100];

    (void)strcpy(variable, "FT_MALLOC_STATS=");
    memset(variable + strlen(variable), 'a', 9000);
    (void)snprintf(complaint, sizeof complaint, "ft_malloc: option %s ignored: expected 0 or 1\n",
                   variable);
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
        cmocka_unit_test(test_a_value_longer_than_any_buffer),
    };

    if (argc > 1 && strcmp(argv[1], "print") == 0)
        return print_options();
    if (argc > 1 && strcmp(argv[1], "early") == 0)
        return print_early();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
