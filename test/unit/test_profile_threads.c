/*
 * Profiles and records of several threads, of ended ones, in a child, and of nested calls.
 */
#include "unit/recorded.h"

#include "arena/thread.h"
#include "debug/hooks.h"
#include "debug/mode_memory.h"
#include "debug/profile.h"
#include "support/prefixed.h"

#include <pthread.h>
#include <string.h>
#include <unistd.h>

static void *record_in_thread(void *argument)
{
    uintptr_t own = (uintptr_t)argument;

    for (uintptr_t n = 1; n <= 20000; n++) {
        const struct event alloc = {.kind = EVENT_MALLOC,
                                    .pointer = pointer_to((own << 32) + n * 16),
                                    .size = 10,
                                    .frame = frames[n % SITES],
                                    .time = n},
                           free = {.kind = EVENT_FREE,
                                   .old = pointer_to((own << 32) + n * 16),
                                   .frame = frames[0],
                                   .time = n + 1};

        profile_note(&alloc);
        if (n % 4 != 0)
            profile_note(&free);
    }
    return NULL;
}

static void test_threads_add_up(void **state)
{
    (void)state;
    enum { THREADS = 4 };
    pthread_t threads[THREADS];
    uint64_t allocations = 0, live = 0;

    switch_on(MODE_RECORD);
    for (uintptr_t n = 0; n < THREADS; n++)
        assert_int_equal(pthread_create(&threads[n], NULL, record_in_thread, pointer_to(n + 1)), 0);
    for (unsigned n = 0; n < THREADS; n++)
        pthread_join(threads[n], NULL);
    for (unsigned n = 0; n < SITES; n++) {
        allocations += counters(n)->allocations;
        live += counters(n)->bytes - counters(n)->freed_bytes;
    }
    assert_int_equal(allocations, THREADS * 20000);
    assert_int_equal(live, THREADS * 5000 * 10);
    assert_int_equal(live_table_count(), THREADS * 5000);
    assert_int_equal(stack_table->totals.live_bytes, live);
    assert_true(stack_table->totals.peak_bytes >= live);
}

static void *record_and_allocate(void *argument)
{
    ft_free(ft_malloc(16)); /* so that the library notices when the thread ends */
    return record_in_thread(argument);
}

/* What an ended thread leaves serves the next one. */
static void test_threads_that_end_leave_nothing(void **state)
{
    (void)state;
    size_t used = 0;

    switch_on(MODE_RECORD);
    for (uintptr_t n = 1; n <= 200; n++) {
        pthread_t thread;

        assert_int_equal(
            pthread_create(&thread, NULL, record_and_allocate, pointer_to(100 + n % 4)), 0);
        pthread_join(thread, NULL);
        if (n == 10)
            used = mode_memory_of(MODE_PROFILE).used;
    }
    assert_int_equal(mode_memory_of(MODE_PROFILE).used, used);
}

static pthread_key_t late;

/* A destructor of a key that runs when the library has taken the thread's record back. */
static void note_late(void *argument)
{
    if (!thread_self.ended) {
        pthread_setspecific(late, argument);
        return;
    }
    emit(EVENT_MALLOC, 0x111110, 0, 100, 5);
    emit(EVENT_REALLOC_BEGINS, 0, 0x111110, 200, 5);
    emit(EVENT_REALLOC, 0x222220, 0x111110, 200, 5);
    emit(EVENT_FREE, 0, 0x222220, 0, 5);
    assert_ptr_equal(profile_self, PROFILE_NONE);
}

static void *end_late(void *unused)
{
    ft_free(ft_malloc(16));
    pthread_setspecific(late, &late);
    return unused;
}

static void test_what_an_ended_thread_calls_is_noted(void **state)
{
    (void)state;
    pthread_t thread;

    switch_on(MODE_RECORD);
    assert_int_equal(pthread_key_create(&late, note_late), 0);
    assert_int_equal(pthread_create(&thread, NULL, end_late, NULL), 0);
    pthread_join(thread, NULL);
    pthread_key_delete(late);
    assert_int_equal(counters(5)->allocations, 2);
    assert_int_equal(counters(5)->freed, 2);
    assert_int_equal(counters(5)->bytes, 300);
    assert_int_equal(live_table_count(), 0);
}

static void use_in_child(void *unused)
{
    (void)unused;
    uint64_t before;

    profile_after_fork();
    before = counters(3)->allocations;
    emit(EVENT_MALLOC, new_address(), 0, 100, 3);
    if (counters(3)->allocations != before + 1)
        _exit(1);
    switch_on(MODE_PROFILE);
    while (!profile_due(100))
        ;
    if (profile_take(100, 1, frames[0]) == NULL)
        _exit(2);
}

static _Atomic bool stop;

static void *record_until_stopped(void *argument)
{
    while (!atomic_load(&stop))
        record_in_thread(argument);
    return NULL;
}

static void test_a_child_of_fork_continues(void **state)
{
    (void)state;
    pthread_t thread;

    assert_true(profile_begin(1024, 7));
    switch_on(MODE_RECORD);
    assert_int_equal(pthread_create(&thread, NULL, record_until_stopped, pointer_to(9)), 0);
    for (unsigned n = 0; n < 50; n++)
        assert_true(unit_child_succeeds(use_in_child, NULL));
    atomic_store(&stop, true);
    pthread_join(thread, NULL);
}

static unsigned inner_calls;

/* An unwinder that allocates and frees. */
static unsigned hook(void *frame, uintptr_t *pcs, unsigned most, bool *complete)
{
    (void)most;
    inner_calls++;
    emit(EVENT_MALLOC, 0x6543210, 0, 100, 7);
    emit(EVENT_FREE, 0, 0x6543210, 0, 7);
    profile_freed(0x6543210);
    assert_false(profile_due_slow(1 << 30));
    pcs[0] = ((uintptr_t *)frame)[1];
    *complete = false;
    return 1;
}

/* Must come last, because hooks stay. */
static void test_nested_calls_are_not_noted(void **state)
{
    (void)state;
    static const struct ft_malloc_debug_hooks hooks = {
        .version = DEBUG_HOOKS_VERSION, .size = sizeof hooks, .unwind = hook};
    uint64_t nested;

    assert_int_equal(ft_malloc_debug_register(&hooks), 0);
    switch_on(MODE_RECORD);
    nested = stack_table->totals.nested;
    allocate(100, 0);
    check_figures();
    assert_int_equal(inner_calls, 1);
    assert_int_equal(stack_table->totals.nested, nested + 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_threads_add_up, recorded_begin, recorded_end),
        cmocka_unit_test_setup_teardown(test_threads_that_end_leave_nothing, recorded_begin,
                                        recorded_end),
        cmocka_unit_test_setup_teardown(test_what_an_ended_thread_calls_is_noted, recorded_begin,
                                        recorded_end),
        cmocka_unit_test_setup_teardown(test_a_child_of_fork_continues, recorded_begin,
                                        recorded_end),
        cmocka_unit_test_setup_teardown(test_nested_calls_are_not_noted, recorded_begin,
                                        recorded_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
