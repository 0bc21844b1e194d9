/*
 * Memory that nobody has used is only reserved. So it is neither promised by the kernel
 * (overcommit_memory = 2) nor locked (mlockall): neither by a process that allocates a little, nor
 * by threads that each have an arena.
 */
#include "lifecycle/runner.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* In KiB. */
struct figures {
    long first_data, first_resident, data, resident;
};

/* Returns false if the process may not lock memory. */
static bool measure(const char *mode, const char *threads, struct figures *figures)
{
    struct child_result result;
    bool permitted;

    life_run(&(struct life){.program = "life_commit", .arguments = {mode, threads}},
             child_library(), &result);
    assert_true(child_succeeded(&result));
    permitted = strcmp(result.out, "no permission\n") != 0;
    if (permitted)
        assert_int_equal(sscanf(result.out, "first %ld %ld\nthreads %ld %ld", &figures->first_data,
                                &figures->first_resident, &figures->data, &figures->resident),
                         4);
    child_free(&result);
    return permitted;
}

/* A heap of each zone is 36 MiB of address space. */
static void test_what_the_kernel_promises(void **state)
{
    (void)state;
    struct figures ours = {0};

    assert_true(measure("plain", "50", &ours));
    printf("the process may write to %ld KiB at first, and to %ld KiB for each of 50 threads\n",
           ours.first_data, (ours.data - ours.first_data) / 50);
    assert_true(ours.first_data < 6 << 10);
    assert_true((ours.data - ours.first_data) / 50 < 4 << 10);
}

static void test_what_is_locked(void **state)
{
    (void)state;
    struct figures ours = {0};

    if (!measure("locked", "20", &ours))
        skip();
    printf("locked, %ld KiB are resident at first, and %ld KiB for each of 20 threads\n",
           ours.first_resident, (ours.resident - ours.first_resident) / 20);
    assert_true(ours.first_resident < 16 << 10);
    assert_true((ours.resident - ours.first_resident) / 20 < 4 << 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_the_kernel_promises),
        cmocka_unit_test(test_what_is_locked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
