/*
 * Ten thousand forks of processes whose threads are in the middle of malloc; a fork that hangs ends in a time-out.
 */
#include "lifecycle/runner.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

static void require(const char *program, const char *count, const char *environment)
{
    struct child_stats stats;
    life_require(
        &(struct life){
            .program = program, .arguments = {count}, .environment = environment, .timeout_s = 120},
        &stats);
}

static void test_forks_of_a_busy_process(void **state)
{
    (void)state;
    require("life_forks", "5000", NULL);
}

static void test_forks_with_shared_arenas(void **state)
{
    (void)state;
    require("life_forks", "2000", "FT_MALLOC_ARENA_MAX=1");
}

static void test_forks_in_a_signal_handler(void **state)
{
    (void)state;
    require("life_fork_signal", "1000", NULL);
}

static void test_forks_in_a_signal_handler_with_shared_arenas(void **state)
{
    (void)state;
    require("life_fork_signal", "1000", "FT_MALLOC_ARENA_MAX=1");
}

static void test_forks_beside_stdio(void **state)
{
    (void)state;
    require("life_fork_stdio", "1000", NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forks_of_a_busy_process),
        cmocka_unit_test(test_forks_with_shared_arenas),
        cmocka_unit_test(test_forks_in_a_signal_handler),
        cmocka_unit_test(test_forks_in_a_signal_handler_with_shared_arenas),
        cmocka_unit_test(test_forks_beside_stdio),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
