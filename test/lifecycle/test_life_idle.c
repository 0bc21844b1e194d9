/*
 * Idle threads: memory that threads used and freed goes back to the kernel while they sleep,
 * whoever owned it. Without a trim, it goes back because it has been unused for a while.
 *
 * The bounds are those of the design and a quarter to a half as much again, for what else a process
 * holds.
 */
#include "lifecycle/runner.h"
#include "support/sanitized.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

enum { KIB_OF_A_BURST = 8192 * 32, MIB = 1024, IDLE_THREADS = 1000 };

struct resident {
    long full, freed, end;
};

static struct resident idle(const char *mode, const char *size, const char *environment)
{
    struct child_result result;
    struct resident kib;

    life_run(&(struct life){.program = "life_idle",
                            .arguments = {mode, size},
                            .environment = environment,
                            .timeout_s = 120},
             child_library(), &result);
    assert_true(child_succeeded(&result));
    assert_int_equal(sscanf(result.out, "resident %ld, %ld, %ld", &kib.full, &kib.freed, &kib.end),
                     3);
    printf("%s %s: %s", mode, size, result.out);
    child_free(&result);
    /* Otherwise nothing was there that could go back. */
    assert_true(kib.full >= KIB_OF_A_BURST);
    return kib;
}

static void test_trim_reaches_what_sleeping_threads_freed(void **state)
{
    (void)state;
    assert_true(idle("trim", "8000", NULL).end <= 24 * MIB);
    assert_true(idle("trim", "200", NULL).end <= 24 * MIB);
}

static void test_frees_into_sleeping_owners_go_back(void **state)
{
    (void)state;
    struct resident kib = idle("remote", "8000", NULL);

    assert_true(kib.freed <= 48 * MIB);
    assert_true(kib.end <= 24 * MIB);
}

static void test_frees_into_owners_that_only_hit_go_back(void **state)
{
    (void)state;
    struct resident kib = idle("hits", "8000", NULL);

    /*
     * The first of an owner's calls is slow, and takes what has arrived until then for the owner,
     * where it is left to age.
     */
    assert_true(kib.freed <= kib.full * 2 / 3);
    assert_true(kib.end <= 24 * MIB);
}

static void test_another_threads_work_ages_idle_memory(void **state)
{
    (void)state;
    assert_true(idle("work", "8000", NULL).end <= 80 * MIB);
    assert_true(idle("work", "200", NULL).end <= 80 * MIB);
}

static void test_the_background_thread_ages_idle_memory(void **state)
{
    (void)state;
    assert_true(idle("wait", "8000", "FT_MALLOC_BACKGROUND=1").end <= 80 * MIB);
}

static long crowd(const char *count)
{
    struct child_result result;
    long before, after;

    life_run(&(struct life){.program = "life_crowd", .arguments = {count}, .timeout_s = 120},
             child_library(), &result);
    assert_true(child_succeeded(&result));
    assert_int_equal(sscanf(result.out, "resident %ld, %ld", &before, &after), 2);
    child_free(&result);
    return after - before;
}

static void test_idle_threads_keep_little(void **state)
{
    (void)state;
    /* A burst of 200 KiB. */
    const long none = crowd("0"), some = crowd("225");

    printf("each of %d threads keeps %ld KiB\n", IDLE_THREADS, (some - none) / IDLE_THREADS);
    assert_true(some - none <= 40L * IDLE_THREADS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_trim_reaches_what_sleeping_threads_freed),
        cmocka_unit_test(test_frees_into_sleeping_owners_go_back),
        cmocka_unit_test(test_frees_into_owners_that_only_hit_go_back),
        cmocka_unit_test(test_another_threads_work_ages_idle_memory),
        cmocka_unit_test(test_the_background_thread_ages_idle_memory),
        cmocka_unit_test(test_idle_threads_keep_little),
    };
    /* The memory of a sanitizer, which keeps what the program frees, would be counted. */
    return sanitized ? 0 : cmocka_run_group_tests(tests, NULL, NULL);
}
