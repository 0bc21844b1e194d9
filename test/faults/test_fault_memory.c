/*
 * Out of memory at every place: the work of fault_memory is done again and again, in a new process
 * each time, and each time the kernel refuses from a later one of its calls on, until a whole run
 * passes in which nothing was refused. FT_FAULT_STRIDE=N tries only every N-th call. After 15
 * seconds the test leaves out more of them.
 */
#include "faults/kernel.h"
#include "support/child.h"
#include "support/deadline.h"

#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { RUNS_MOST = 5000, RUNS_LEAST = 20 };

struct counts {
    unsigned long runs;
    unsigned long calls;
    unsigned long refused;
    unsigned long failures;
};

static unsigned long stride(void)
{
    const char *given = getenv("FT_FAULT_STRIDE");
    return given == NULL ? 1 : strtoul(given, NULL, 10);
}

/* Returns false if nothing was refused in this run. */
static bool run(const struct kernel_plan *plan, struct counts *sum)
{
    char line[100];
    struct counts one = {0};
    struct child_result result;
    (void)snprintf(line, sizeof line, KERNEL_PLAN "=%u %lu %lu", plan->kinds, plan->first,
                   plan->count);
    child_run(
        &(struct child_spec){.argv = (const char *const[]){FT_PROGRAM_DIR "/fault_memory", NULL},
                             .environment = (const char *const[]){line, NULL}},
        &result);
    if (!child_succeeded(&result))
        fail_msg("with %s", line);
    if (sscanf(result.out, "calls %lu refused %lu failures %lu", &one.calls, &one.refused,
               &one.failures) != 3)
        fail_msg("with %s: output \"%s\"", line, result.out);
    child_free(&result);
    sum->runs++;
    sum->calls += one.calls;
    sum->refused += one.refused;
    sum->failures += one.failures;
    return one.refused > 0;
}

static struct counts refuse_each_in_turn(const char *what, unsigned kinds, unsigned long count)
{
    struct counts sum = {0};
    struct kernel_plan plan = {.kinds = kinds, .first = 1, .count = count};
    time_t started = deadline_in(0);
    while (run(&plan, &sum)) {
        plan.first += stride() * deadline_stride(started, 15);
        assert_in_range(plan.first, 1, RUNS_MOST);
    }
    printf("%s: %lu runs, %lu calls, %lu refused and survived, %lu requests answered with ENOMEM\n",
           what, sum.runs, sum.calls, sum.refused, sum.failures);
    assert_true(sum.runs * stride() >= RUNS_LEAST);
    return sum;
}

static void test_one_call(void **state)
{
    (void)state;
    /* The allocator makes up for most refusals. */
    struct counts counts = refuse_each_in_turn("one call", KERNEL_ANY, 1);
    assert_true(counts.failures < counts.refused);
}

static void test_four_calls(void **state)
{
    (void)state;
    refuse_each_in_turn("four calls", KERNEL_ANY, 4);
}

static void test_all_calls_from_one_on(void **state)
{
    (void)state;
    struct counts counts = refuse_each_in_turn("all calls from one on", KERNEL_ANY, ULONG_MAX);
    assert_true(counts.failures > counts.runs);
}

static void test_unmapping(void **state)
{
    (void)state;
    struct counts counts = refuse_each_in_turn("one munmap", KERNEL_UNMAP, 1);
    assert_int_equal(counts.failures, 0);
    counts = refuse_each_in_turn("all munmaps from one on", KERNEL_UNMAP, ULONG_MAX);
    assert_int_equal(counts.failures, 0);
}

static void test_renewing(void **state)
{
    (void)state;
    struct counts counts = refuse_each_in_turn("one renewal", KERNEL_RENEW, 1);
    assert_int_equal(counts.failures, 0);
    counts = refuse_each_in_turn("all renewals from one on", KERNEL_RENEW, ULONG_MAX);
    assert_int_equal(counts.failures, 0);
}

static void test_renewing_that_leaves_holes(void **state)
{
    (void)state;
    struct counts counts = refuse_each_in_turn("one hole", KERNEL_RENEW | KERNEL_LEAVE_HOLES, 1);
    assert_int_equal(counts.failures, 0);
    counts = refuse_each_in_turn("holes from one on", KERNEL_RENEW | KERNEL_LEAVE_HOLES, ULONG_MAX);
    assert_int_equal(counts.failures, 0);
}

/*
 * Takes the name of a test as argument, so that ctest can run several at a time; without one, runs
 * all.
 */
int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_call),
        cmocka_unit_test(test_four_calls),
        cmocka_unit_test(test_all_calls_from_one_on),
        cmocka_unit_test(test_unmapping),
        cmocka_unit_test(test_renewing),
        cmocka_unit_test(test_renewing_that_leaves_holes),
    };
    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
