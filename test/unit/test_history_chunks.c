/*
 * What the history knows of a chunk: which of several calls allocated and freed it, also where it
 * moves, and which call is going on. Each test runs in a child, because rings are never unmapped.
 */
#include "unit/noted.h"

#include <pthread.h>

static void find(uintptr_t address, bool allocated, size_t by, bool freed, size_t freed_by)
{
    struct history_chunk chunk;

    history_find(address, UINT64_MAX, &chunk);
    REQUIRE(chunk.allocated_known == allocated && chunk.freed_known == freed, "%lx: %d %d", address,
            chunk.allocated_known, chunk.freed_known);
    REQUIRE(!allocated || chunk.allocated.size == by, "%lx: allocated by %zu", address,
            chunk.allocated.size);
    REQUIRE(!freed || chunk.freed.size == freed_by, "%lx: freed by %zu", address, chunk.freed.size);
}

/* The size tells calls apart. */
static void find_chunks(void *unused)
{
    (void)unused;
    begin(100, DEPTH);
    find(16, false, 0, false, 0);
    note(EVENT_MALLOC, 16, 0, 1);
    find(16, true, 1, false, 0);
    note(EVENT_FREE, 0, 16, 2);
    note(EVENT_FREE, 0, 16, 3);
    find(16, true, 1, true, 2); /* the first one, not the double free */
    note(EVENT_CALLOC, 16, 0, 4);
    find(16, true, 4, false, 0);
    note(EVENT_REALLOC_BEGINS, 0, 16, 5);
    note(EVENT_REALLOC, 32, 16, 5); /* moved */
    find(16, true, 4, true, 5);
    find(32, true, 5, false, 0);
    note(EVENT_REALLOC_BEGINS, 0, 32, 6);
    note(EVENT_REALLOC, 32, 32, 6); /* stayed */
    find(32, true, 6, false, 0);
    note(EVENT_REALLOC_BEGINS, 0, 32, 7);
    note(EVENT_REALLOC, 0, 32, 7); /* failed */
    find(32, true, 6, false, 0);
    note(EVENT_REALLOC_BEGINS, 0, 32, 0);
    note(EVENT_REALLOC, 0, 32, 0); /* to nothing */
    find(32, true, 6, true, 0);
    note(EVENT_ALIGNED, 0, 0, 8); /* failed */
    find(0, false, 0, false, 0);
    note(EVENT_FREE, 0, 48, 9);
    find(48, false, 0, true, 9);
    find(64, false, 0, false, 0);
}

static void test_the_calls_of_a_chunk(void **state)
{
    (void)state;
    run(find_chunks);
}

static void *take_moved_address(void *unused)
{
    note(EVENT_MALLOC, 16, 0, 77);
    history_thread_end();
    return unused;
}

/* While one thread moves a chunk, another one gets the old address. */
static void find_moved(void *unused)
{
    pthread_t thread;
    (void)unused;

    begin(100, DEPTH);
    note(EVENT_MALLOC, 16, 0, 1);
    note(EVENT_REALLOC_BEGINS, 0, 16, 2);
    pthread_create(&thread, NULL, take_moved_address, NULL);
    pthread_join(thread, NULL);
    note(EVENT_REALLOC, 32, 16, 2);
    find(16, true, 77, false, 0);
    find(32, true, 2, false, 0);
}

static void test_a_chunk_that_moves(void **state)
{
    (void)state;
    run(find_moved);
}

static void know_the_current(void *unused)
{
    struct history_chunk chunk;
    struct caller caller;
    uint64_t order = 0;
    (void)unused;

    begin(100, DEPTH);
    REQUIRE(!history_current(16, &caller, &order), "no call yet");
    note(EVENT_MALLOC, 16, 0, 1);
    REQUIRE(!history_current(16, &caller, &order), "malloc was not given it");
    note(EVENT_FREE, 0, 16, 2);
    REQUIRE(history_current(16, &caller, &order) && order == 2, "free was given it");
    history_find(16, order, &chunk);
    REQUIRE(chunk.allocated_known && !chunk.freed_known, "the call itself is not left out");
    note(EVENT_REALLOC_BEGINS, 0, 16, 3);
    REQUIRE(history_current(16, &caller, &order) && order == 3 && caller.depth > 0 &&
                caller.thread == caller_thread(),
            "realloc was given it");
    REQUIRE(!history_current(32, &caller, &order), "it was given another one");
    note(EVENT_REALLOC, 0, 16, 3);
    REQUIRE(!history_current(16, &caller, &order), "it has ended");
}

static void test_the_current_call(void **state)
{
    (void)state;
    run(know_the_current);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_calls_of_a_chunk),
        cmocka_unit_test(test_a_chunk_that_moves),
        cmocka_unit_test(test_the_current_call),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
