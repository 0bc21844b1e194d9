/*
 * Ten thousand threads in waves: memory stays bounded, arenas are reused, and FT_MALLOC_ARENA_MAX
 * bounds their number.
 */
#include "lifecycle/runner.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

static void test_memory_is_bounded_over_10000_threads(void **state)
{
    (void)state;
    struct child_result result;
    struct child_stats stats;
    size_t sizes[2];
    size_t resident[2];
    life_run(
        &(struct life){.program = "life_threads", .arguments = {"625", "16"}, .timeout_s = 120},
        child_library(), &result);
    assert_true(child_succeeded(&result));
    assert_int_equal(sscanf(result.out, "10000 threads, size %zu to %zu, resident %zu to %zu",
                            &sizes[0], &sizes[1], &resident[0], &resident[1]),
                     4);
    printf("%s", result.out);
    assert_true(sizes[1] <= sizes[0] + sizes[0] / 4 + 8192);
    assert_true(resident[1] <= resident[0] + resident[0] / 4 + 4096);
    /*
     * Some 2 MiB are live at a time. What the arenas keep beside them is bounded, although each has
     * seen every size.
     */
    assert_true(resident[1] <= 48 * 1024);
    assert_true(child_read_stats(&result, &stats));
    /*
     * One for each thread of a wave, one for the main thread, and some that ending threads share.
     */
    assert_true(stats.arenas <= 16 + 1 + 16);
    child_free(&result);
}

static void test_arena_maximum(void **state)
{
    (void)state;
    static const struct {
        const char *setting;
        unsigned maximum;
    } cases[] = {
        {"FT_MALLOC_ARENA_MAX=1", 1}, {"FT_MALLOC_ARENA_MAX=2", 2}, {"FT_MALLOC_ARENA_MAX=4", 4}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct child_stats stats;
        life_require(&(struct life){.program = "life_threads",
                                    .arguments = {"40", "16"},
                                    .environment = cases[i].setting},
                     &stats);
        assert_int_equal(stats.arenas, cases[i].maximum);
    }
}

static void test_memory_of_ended_threads_is_given_back(void **state)
{
    (void)state;
    struct child_result result;
    size_t highest, end;

    /* The program waits for it for up to a minute, however busy the machine is. */
    life_run(&(struct life){.program = "life_rest", .timeout_s = 120}, child_library(), &result);
    assert_true(child_succeeded(&result));
    assert_int_equal(sscanf(result.out, "resident %zu to %zu", &highest, &end), 2);
    assert_true(highest > 60 * 1024);
    child_free(&result);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_memory_is_bounded_over_10000_threads),
        cmocka_unit_test(test_arena_maximum),
        cmocka_unit_test(test_memory_of_ended_threads_is_given_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
