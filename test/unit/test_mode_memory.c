/*
 * The memory of the modes: counted for each mode, bounded by its cap, and no part of any figure
 * about the program.
 */
#include "unit/unit.h"

#include "debug/census.h"
#include "debug/mode_memory.h"
#include "os/os.h"
#include "support/prefixed.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

static size_t used(enum mode mode)
{
    return mode_memory_of(mode).used;
}

static void test_memory_is_counted_in_pages(void **state)
{
    (void)state;
    size_t before = used(MODE_HISTORY), all = mode_memory_used();
    char *memory = mode_memory_map(MODE_HISTORY, 1);

    assert_non_null(memory);
    assert_int_equal(used(MODE_HISTORY) - before, os_page_size());
    assert_int_equal(mode_memory_used() - all, os_page_size());
    for (size_t i = 0; i < os_page_size(); i++)
        assert_int_equal(memory[i], 0);
    mode_memory_unmap(MODE_HISTORY, memory, 1);
    assert_int_equal(used(MODE_HISTORY), before);
    assert_int_equal(mode_memory_used(), all);
}

static void test_the_cap_holds(void **state)
{
    (void)state;
    struct mode_memory before = mode_memory_of(MODE_PROFILE);
    size_t room = before.cap - before.used;
    void *memory;

    assert_int_equal(before.cap, 2 << 20);
    errno = 0;
    assert_null(mode_memory_map(MODE_PROFILE, room + 1));
    assert_null(mode_memory_map(MODE_PROFILE, SIZE_MAX));
    assert_null(mode_memory_map(MODE_PROFILE, 0));
    assert_int_equal(errno, 0);
    assert_int_equal(used(MODE_PROFILE), before.used);
    memory = mode_memory_map(MODE_PROFILE, room);
    assert_non_null(memory);
    assert_null(mode_memory_map(MODE_PROFILE, 1));
    /* Another mode has a cap of its own. */
    assert_true(mode_memory_take(MODE_GUARD, room));
    mode_memory_give(MODE_GUARD, room);
    mode_memory_unmap(MODE_PROFILE, memory, room);
    assert_int_equal(used(MODE_PROFILE), before.used);
}

static void test_modes_without_tables_get_nothing(void **state)
{
    (void)state;
    assert_null(mode_memory_map(MODE_STATS, 1));
    assert_false(mode_memory_take(MODE_FAIL, 1));
}

static void test_what_the_kernel_refuses_is_not_counted(void **state)
{
    (void)state;
    size_t before = used(MODE_RECORD);

    os_fail_after(1, true);
    assert_null(mode_memory_map(MODE_RECORD, 100000));
    os_fail_after(0, false);
    assert_int_equal(used(MODE_RECORD), before);
}

static void test_the_dropped_are_counted(void **state)
{
    (void)state;
    uint64_t before = mode_memory_of(MODE_RECORD).dropped;
    uint64_t others = mode_memory_of(MODE_PROFILE).dropped;

    mode_memory_drop(MODE_RECORD);
    mode_memory_drop(MODE_RECORD);
    assert_int_equal(mode_memory_of(MODE_RECORD).dropped, before + 2);
    assert_int_equal(mode_memory_of(MODE_PROFILE).dropped, others);
}

static void test_no_figure_of_the_program_has_it(void **state)
{
    (void)state;
    struct census before, after;
    void *memory;

    census_take(&before);
    memory = mode_memory_map(MODE_RECORD, 1 << 20);
    census_take(&after);
    assert_non_null(memory);
    assert_memory_equal(&before, &after, sizeof before);
    mode_memory_unmap(MODE_RECORD, memory, 1 << 20);
}

enum { THREADS = 4, ROUNDS = 2000, SHARE = 300 << 10 };
static atomic_size_t taken;

static void *take_shares(void *unused)
{
    (void)unused;
    for (unsigned n = 0; n < ROUNDS; n++)
        if (mode_memory_take(MODE_PROFILE, SHARE)) {
            if (atomic_fetch_add(&taken, SHARE) + SHARE > 2 << 20)
                return "more than the cap";
            atomic_fetch_sub(&taken, SHARE);
            mode_memory_give(MODE_PROFILE, SHARE);
        }
    return NULL;
}

static void test_the_cap_holds_for_all_threads_together(void **state)
{
    (void)state;
    pthread_t threads[THREADS];
    size_t before = used(MODE_PROFILE);

    for (size_t n = 0; n < THREADS; n++)
        assert_int_equal(pthread_create(&threads[n], NULL, take_shares, NULL), 0);
    for (size_t n = 0; n < THREADS; n++) {
        void *wrong;

        assert_int_equal(pthread_join(threads[n], &wrong), 0);
        assert_null(wrong);
    }
    assert_int_equal(used(MODE_PROFILE), before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_memory_is_counted_in_pages),
        cmocka_unit_test(test_the_cap_holds),
        cmocka_unit_test(test_modes_without_tables_get_nothing),
        cmocka_unit_test(test_what_the_kernel_refuses_is_not_counted),
        cmocka_unit_test(test_the_dropped_are_counted),
        cmocka_unit_test(test_no_figure_of_the_program_has_it),
        cmocka_unit_test(test_the_cap_holds_for_all_threads_together),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
