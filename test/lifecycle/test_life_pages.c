/*
 * Pages: a program that keeps a MiB in chunks of 1 KiB has hardly more page faults than that needs.
 * One that frees each chunk at once has hardly more than one that allocates nothing, because the
 * memory for the first calls is already there. And the library takes few pages of a process that
 * does nothing.
 */
#include "lifecycle/runner.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

/*
 * The minimum of some runs, because how much of a file the kernel maps at once differs from run to
 * run.
 */
static long least_of(const char *mode, const char *preload, const char *format)
{
    enum { RUNS = 20 };
    long least = 0;

    for (int n = 0; n < RUNS; n++) {
        struct child_result result;
        long count = 0;

        life_run(&(struct life){.program = "life_pages", .arguments = {mode}}, preload, &result);
        assert_true(child_succeeded(&result));
        assert_int_equal(sscanf(result.out, format, &count), 1);
        least = n == 0 || count < least ? count : least;
        child_free(&result);
    }
    return least;
}

static long faults(const char *mode)
{
    long count = least_of(mode, child_library(), "%ld faults");

    assert_true(count > 0);
    return count;
}

static void test_memory_of_a_process_that_does_nothing(void **state)
{
    (void)state;
    enum { MOST = 60, PAGE = 4096 };
    long with = least_of("none", child_library(), "%*d faults\n%ld KiB");
    long without = least_of("none", NULL, "%*d faults\n%ld KiB");

    printf("%ld KiB with the library, %ld without\n", with, without);
    if (without == 0 || sysconf(_SC_PAGESIZE) != PAGE)
        skip();
    assert_true(with - without <= MOST);
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
        cmocka_unit_test(test_memory_of_a_process_that_does_nothing),
        cmocka_unit_test(test_pages_touched_by_a_mib_in_small_chunks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
