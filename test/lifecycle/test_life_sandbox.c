/*
 * Processes that may make few system calls, or in which somebody else's constructor runs first.
 */
#include "lifecycle/runner.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void survive(const char *mode, const char *setting)
{
    struct child_result result;

    life_run(&(struct life){.program = "life_sandbox", .arguments = {mode}, .environment = setting},
             child_library(), &result);
    if (result.exit_code == 77) {
        child_free(&result);
        skip();
    }
    assert_true(child_succeeded(&result));
    assert_string_equal(result.out, "survived\n");
    child_free(&result);
}

static void test_a_sandbox_that_allows_what_libc_needs(void **state)
{
    (void)state;
    static const char *const modes[] = {"fill", "grow", "threads"};

    for (size_t n = 0; n < 3; n++) {
        /* Counted calls and usual ones take different ways. */
        survive(modes[n], "FT_MALLOC_STATS=0");
        survive(modes[n], NULL);
        survive(modes[n], "FT_MALLOC_HARDEN=1");
    }
}

static void test_without_the_processors_counter(void **state)
{
    (void)state;
    struct child_stats stats;

    life_require(&(struct life){.program = "life_no_counter"}, &stats);
    assert_true(stats.malloc_calls >= 2 * 20 * 1000);
}

static void require_options(const char *plugin)
{
    char preload[8192];
    struct child_result result;
    struct child_stats stats;

    (void)snprintf(preload, sizeof preload, "%s:%s", child_library(), plugin);
    life_run(&(struct life){.program = "life_late_frees", .environment = "FT_MALLOC_HARDEN=1"},
             preload, &result);
    assert_true(child_succeeded(&result));
    /*
     * Both options were read: the statistics line is there, and no line says that the other one was
     * ignored.
     */
    assert_true(child_read_stats(&result, &stats));
    assert_int_equal(strncmp(result.err, "ft_malloc: stats:", 17), 0);
    child_free(&result);
}

static void test_an_environment_that_the_program_made(void **state)
{
    (void)state;
    require_options(FT_PLUGIN);
}

/* That library's constructor runs before ours. */
static void test_a_constructor_that_comes_first(void **state)
{
    (void)state;
    char preload[8192];
    struct child_result result;

    (void)snprintf(preload, sizeof preload, "%s:%s", FT_FIRST_PLUGIN, child_library());
    life_run(&(struct life){.program = "life_late_frees"}, preload, &result);
    assert_true(child_succeeded(&result));
    child_free(&result);
    (void)snprintf(preload, sizeof preload, "%s:%s", child_library(), FT_FIRST_PLUGIN);
    life_run(&(struct life){.program = "life_late_frees"}, preload, &result);
    assert_true(child_succeeded(&result));
    child_free(&result);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_sandbox_that_allows_what_libc_needs),
        cmocka_unit_test(test_without_the_processors_counter),
        cmocka_unit_test(test_an_environment_that_the_program_made),
        cmocka_unit_test(test_a_constructor_that_comes_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
