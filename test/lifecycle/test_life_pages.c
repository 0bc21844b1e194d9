/*
 * Pages: a program that keeps a MiB in chunks of 1 KiB has hardly more page faults than that needs.
 * One that frees each chunk at once has hardly more than one that allocates nothing, because the
 * memory for the first calls is already there.
 */
#include "lifecycle/runner.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

/*
 * The minimum of some runs, because how much of a file the kernel maps at once differs from run to
 * run.
 */
static long faults(const char *mode)
{
    enum { RUNS = 20 };
    long least = 0;

    for (int n = 0; n < RUNS; n++) {
        struct child_result result;
        long count = 0;

        life_run(&(struct life){.program = "life_pages", .arguments = {mode}}, child_library(),
                 &result);
        assert_true(child_succeeded(&result));
        assert_int_equal(sscanf(result.out, "%ld faults", &count), 1);
        assert_true(count > 0);
        least = n == 0 || count < least ? count : least;
        child_free(&result);
    }
    return least;
}

static void test_pages_touched_by_a_mib_in_small_chunks(void **state)
{
    (void)state;
    long none = faults("none"), kept = faults("kept"), freed = faults("freed");

    printf("page faults beyond those of a program that allocates nothing: %ld kept, %ld freed at "
           "once\n",
           kept - none, freed - none);
    assert_in_range(kept - none, 255, 272);
    assert_true(freed - none <= 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pages_touched_by_a_mib_in_small_chunks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
