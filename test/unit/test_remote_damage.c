/*
 * Remote frees of a program that misuses memory: two threads free one chunk at once.
 */
#include "unit/remote.h"
#include "unit/unit.h"

#include "arena/remote.h"
#include "arena/thread.h"
#include "base/options.h"
#include "support/require.h"

#include <signal.h>
#include <string.h>

static void free_twice_at_once(void *argument)
{
    const bool *report = argument;
    struct arena *self[2] = {unit_arena(), unit_arena()}, *owner = unit_arena();
    struct chunk chunk = unit_chunk(unit_alloc(owner, 100));

    /* Two threads free the chunk, and both saw it live. */
    options.report_only = *report;
    remote_free(cache_first(self[0]), &chunk);
    remote_free(cache_first(self[1]), &chunk);
    remote_send_all(cache_first(self[0]));
    remote_receive_all(cache_first(owner));
    remote_send_all(cache_first(self[1]));
    remote_receive_all(cache_first(owner));
    REQUIRE(unit_alloc(owner, 100) != unit_alloc(owner, 100), "a chunk was handed out twice");
}

static void test_a_chunk_freed_by_two_threads_at_once_is_reported(void **state)
{
    (void)state;
    struct unit_end end;
    bool report = false;

    unit_in_child(free_twice_at_once, &report, &end);
    assert_int_equal(end.signal, SIGABRT);
    assert_non_null(strstr(end.err, "freed twice at once"));
    report = true;
    unit_in_child(free_twice_at_once, &report, &end);
    assert_int_equal(end.exit_code, 0);
    assert_int_equal(end.err_lines, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_chunk_freed_by_two_threads_at_once_is_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
