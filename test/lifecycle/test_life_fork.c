/*
 * Ten thousand forks altogether, of processes whose threads are in the middle of malloc; fewer
 * where a fork takes long. A fork that hangs ends in a time-out.
 */
#include "lifecycle/runner.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void require(const char *program, const char *count, const char *environment)
{
    /* The programs begin no fork after 20 seconds. ctest ends a test, which runs two, after 600. */
    enum { TIMEOUT_S = 280 };
    struct child_stats stats;
    life_require(&(struct life){.program = program,
                                .arguments = {count, "20"},
                                .environment = environment,
                                .timeout_s = TIMEOUT_S},
                 &stats);
}

static void test_forks_of_a_busy_process(void **state)
{
    (void)state;
    require("life_forks", "4000", NULL);
}

static void test_forks_with_shared_arenas(void **state)
{
    (void)state;
    require("life_forks", "2000", "FT_MALLOC_ARENA_MAX=1");
}

static void test_forks_in_a_signal_handler(void **state)
{
    (void)state;
    require("life_fork_signal", "1500", NULL);
}

static void test_forks_in_a_signal_handler_with_shared_arenas(void **state)
{
    (void)state;
    require("life_fork_signal", "1500", "FT_MALLOC_ARENA_MAX=1");
}

static void test_forks_beside_stdio(void **state)
{
    (void)state;
    require("life_fork_stdio", "1000", NULL);
}

static void require_early(const char *program, const char *library, const char *preload,
                          const char *environment)
{
    struct child_result result;
    life_run(&(struct life){.program = program,
                            .arguments = {"24", library},
                            .environment = environment,
                            .timeout_s = 280},
             preload, &result);
    if (!child_succeeded(&result))
        fail_msg("%s failed", program);
    printf("%s: %.200s", program, result.out);
    child_free(&result);
}

/* The library's constructor runs first, so its handlers are registered first, too. */
static void test_early_handlers_of_a_preloaded_library(void **state)
{
    (void)state;
    require_early("life_early", NULL, child_library(), NULL);
    require_early("life_early", NULL, child_library(), "FT_MALLOC_ARENA_MAX=1");
    require_early("life_early", NULL, child_library(), "FT_MALLOC_HARDEN=1");
}

/* The program's constructors run after those of its libraries. */
static void test_early_handlers_of_a_static_library(void **state)
{
    (void)state;
    require_early("life_early_static", NULL, NULL, NULL);
    require_early("life_early_static", NULL, NULL, "FT_MALLOC_ARENA_MAX=1");
    require_early("life_early_static", NULL, NULL, "FT_MALLOC_HARDEN=1");
}

static void test_early_handlers_when_the_library_is_loaded_late(void **state)
{
    (void)state;
    require_early("life_early", child_library(), NULL, NULL);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest busy[] = {
        cmocka_unit_test(test_forks_of_a_busy_process),
        cmocka_unit_test(test_forks_with_shared_arenas),
    };
    const struct CMUnitTest in_signals[] = {
        cmocka_unit_test(test_forks_in_a_signal_handler),
        cmocka_unit_test(test_forks_in_a_signal_handler_with_shared_arenas),
    };
    const struct CMUnitTest beside_stdio[] = {cmocka_unit_test(test_forks_beside_stdio)};
    const struct CMUnitTest early[] = {
        cmocka_unit_test(test_early_handlers_of_a_preloaded_library),
        cmocka_unit_test(test_early_handlers_of_a_static_library),
        cmocka_unit_test(test_early_handlers_when_the_library_is_loaded_late),
    };
    const char *group = argc > 1 ? argv[1] : "";
    if (strcmp(group, "busy") == 0)
        return cmocka_run_group_tests(busy, NULL, NULL);
    if (strcmp(group, "signal") == 0)
        return cmocka_run_group_tests(in_signals, NULL, NULL);
    if (strcmp(group, "stdio") == 0)
        return cmocka_run_group_tests(beside_stdio, NULL, NULL);
    if (strcmp(group, "early") == 0)
        return cmocka_run_group_tests(early, NULL, NULL);
    printf("usage: test_life_fork busy|signal|stdio|early\n");
    return 2;
}
