/*
 * What threads do for arenas whose own threads are idle: they give back what has been unused for a
 * while, a bounded piece in each call. Each test runs in a child.
 */
#include "unit/visit.h"

#include "arena/thread.h"
#include "base/secret.h"

#include <pthread.h>
#include <stdatomic.h>
#include <time.h>
#include <unistd.h>

enum {
    /* An arena is idle a second after its tick was due. */
    IDLE = 10 * CLOCK_TENTH,
    /* All threads together look at other arenas no more often than this. */
    PIECE = CLOCK_TENTH / 25,
    /* By how much a piece may be larger than the bound. */
    PIECE_UNITS = 8,
};

/* Waits until threads may look at other arenas again, and does so. */
static void look(void)
{
    struct timespec time = {.tv_nsec = 3 * PIECE};

    REQUIRE(nanosleep(&time, NULL) == 0, "nanosleep");
    visit_others();
}

/* Each call looks at some arenas, and visits one. */
static void look_often(void)
{
    for (unsigned n = 0; n < 20; n++)
        look();
}

static void visit_idle(void *argument)
{
    (void)argument;
    struct arena *idle = unit_arena(), *busy = unit_arena(), *locked = unit_arena();
    struct arena *fresh = unit_arena(), *damaged = unit_arena();
    struct arena *all[] = {idle, busy, locked, fresh, damaged};
    size_t unused[5];

    for (unsigned n = 0; n < 5; n++)
        unused[n] = leave_unused(all[n], MANY);
    for (unsigned n = 0; n < 5; n++)
        used_before(all[n], 0);
    look_often();
    for (unsigned n = 0; n < 5; n++)
        REQUIRE(unit_unused(all[n]) == unused[n], "arena %u was used just now", n);
    for (unsigned n = 0; n < 5; n++)
        used_before(all[n], IDLE + 1);
    used_before(busy, 0);
    atomic_store(&fresh->bins.next_tick, 0);
    atomic_store(&damaged->damaged, ARENA_DAMAGED);
    arena_lock(locked);
    look_often();
    REQUIRE(unit_unused(idle) == 0 && !atomic_load(&idle->restless), "unused memory is kept");
    REQUIRE(unit_count_heaps(&idle->small) == 1, "a visitor unmapped a heap");
    REQUIRE(unit_unused(busy) == unused[1], "an arena in use was touched");
    REQUIRE(unit_unused(locked) == unused[2], "an arena was changed without its lock");
    REQUIRE(unit_unused(fresh) == unused[3], "an arena was visited before its first tick");
    REQUIRE(unit_unused(damaged) == unused[4], "an arena was visited before its repair");
    REQUIRE(arena_locked_here(locked), "a visitor took the lock of another thread");
    arena_unlock(locked);
    look_often();
    REQUIRE(unit_unused(locked) == 0, "an arena was forgotten because it was locked once");
}

static void test_the_memory_of_an_idle_arena_is_given_back(void **state)
{
    (void)state;
    assert_true(unit_child_succeeds(visit_idle, NULL));
}

static void visit_only_restless(void *argument)
{
    (void)argument;
    struct arena *arena = unit_arena(), *other = unit_arena();
    void *chunk = unit_alloc(arena, CHUNK);
    size_t unused;

    leave_unused(arena, MANY);
    used_before(arena, IDLE + 1);
    look_often();
    REQUIRE(unit_unused(arena) == 0, "not visited");
    /* Nobody entered the arena, as far as visitors know. */
    unused = leave_unused(arena, MANY);
    idle_since(arena, IDLE + 1);
    REQUIRE(!atomic_load(&arena->restless), "restless without a reason");
    look_often();
    REQUIRE(unit_unused(arena) == unused, "visited again although nothing had happened");
    /* A chunk that is sent to it is a reason to visit it; the chunk is returned to its slab. */
    free_remotely(other, chunk);
    remote_send_all(cache_first(other));
    REQUIRE(unit_chunk(chunk).kind == STATE_REMOTE, "returned although it is so little");
    look_often();
    REQUIRE(unit_unused(arena) == 0 && remote_inbox_empty(arena), "not visited after a push");
    REQUIRE(unit_count_state(arena, STATE_REMOTE) == 0, "a chunk was lost on its way");
    /* So is a thread of its own. */
    leave_unused(arena, MANY);
    thread_self.home = cache_first(arena);
    REQUIRE(cache_enter() == cache_first(arena), "not the thread's cache");
    cache_leave(cache_first(arena));
    idle_since(arena, IDLE + 1);
    look_often();
    REQUIRE(unit_unused(arena) == 0, "not visited after a slow call");
}

static void test_an_arena_is_visited_when_something_happened(void **state)
{
    (void)state;
    assert_true(unit_child_succeeds(visit_only_restless, NULL));
}

static void visit_in_pieces(void *argument)
{
    (void)argument;
    struct arena *arena = unit_arena();
    size_t before = leave_unused(arena, 10 * MANY), now = before;
    unsigned visits = 0, most = HEAP_ALLOWANCE + PIECE_UNITS + unit_page_units();

    REQUIRE(before > 3 * (size_t)HEAP_ALLOWANCE * UNIT_SIZE, "too little for this test");
    used_before(arena, IDLE + 1);
    do {
        look();
        REQUIRE(now - unit_unused(arena) <= (size_t)most * UNIT_SIZE,
                "%zu bytes were given back by one call", now - unit_unused(arena));
        now = unit_unused(arena);
        REQUIRE(now == 0 || atomic_load(&visit_unfinished), "the rest is forgotten");
        REQUIRE(now == 0 || atomic_load(&arena->restless), "the rest is forgotten later");
    } while (atomic_load(&visit_unfinished) && ++visits < 1000);
    REQUIRE(now == 0 && visits >= 3 && visits < 1000, "%zu bytes after %u visits", now, visits);
}

static void test_a_visit_gives_back_a_bounded_piece(void **state)
{
    (void)state;
    assert_true(unit_child_succeeds(visit_in_pieces, NULL));
}

static void look_without_pause(void *argument)
{
    (void)argument;
    enum { ARENAS = 12 };
    struct arena *arenas[ARENAS];
    uint64_t begin;
    unsigned visited = 0, most;

    for (unsigned n = 0; n < ARENAS; n++) {
        arenas[n] = unit_arena();
        leave_unused(arenas[n], 16);
        used_before(arenas[n], IDLE + 1);
    }
    begin = clock_now();
    for (unsigned n = 0; n < 1000; n++)
        visit_others();
    most = 2 + (unsigned)((clock_now() - begin) / PIECE);
    for (unsigned n = 0; n < ARENAS; n++)
        visited += unit_unused(arenas[n]) == 0;
    REQUIRE(visited >= 1 && visited <= most, "%u arenas were visited, not 1 to %u", visited, most);
    look_often();
    for (unsigned n = 0; n < ARENAS; n++)
        REQUIRE(unit_unused(arenas[n]) == 0, "arena %u was passed over", n);
}

static void test_threads_do_not_visit_all_arenas_at_once(void **state)
{
    (void)state;
    assert_true(unit_child_succeeds(look_without_pause, NULL));
}

static void visit_one_after_the_other(void *argument)
{
    (void)argument;
    struct arena *idle = unit_arena(), *busy = unit_arena();
    /* New arenas are first in the list, so these are seen before the others. */
    struct arena *locked = unit_arena(), *damaged = unit_arena();
    struct arena *all[] = {idle, busy, locked, damaged};
    size_t unused[4];
    unsigned visits = 0;

    for (unsigned n = 0; n < 4; n++) {
        unused[n] = leave_unused(all[n], MANY);
        used_before(all[n], IDLE + 1);
    }
    used_before(busy, 0);
    atomic_store(&damaged->damaged, ARENA_DAMAGED);
    arena_lock(locked);
    while (visit_one() && visits++ < 100)
        ;
    REQUIRE(visits >= 1 && visits < 100, "%u visits", visits);
    REQUIRE(unit_unused(idle) == 0, "an arena behind others was never visited");
    REQUIRE(unit_unused(busy) == unused[1] && unit_unused(locked) == unused[2] &&
                unit_unused(damaged) == unused[3],
            "an arena was touched that is not to be visited");
    arena_unlock(locked);
    REQUIRE(visit_one() && unit_unused(locked) == 0, "not visited when it was unlocked");
    REQUIRE(!visit_one(), "visited again although nothing is left");
}

static void test_visits_one_after_the_other_come_to_an_end(void **state)
{
    (void)state;
    assert_true(unit_child_succeeds(visit_one_after_the_other, NULL));
}

enum { VISITORS = 2, NEW_ARENAS = 200 };
static atomic_bool made;

static void *visit_on_and_on(void *argument)
{
    while (!atomic_load(&made))
        visit_others();
    return argument;
}

/* ThreadSanitizer finds an arena that one thread reads before another has told of it. */
static void visit_beside_new_arenas(void *argument)
{
    pthread_t visitors[VISITORS];

    (void)argument;
    unit_arena(); /* A thread that visits has an arena, so the list is never empty. */
    for (unsigned n = 0; n < VISITORS; n++)
        REQUIRE(pthread_create(&visitors[n], NULL, visit_on_and_on, NULL) == 0, "no thread");
    for (unsigned n = 0; n < NEW_ARENAS; n++)
        used_before(unit_arena(), IDLE + 1);
    atomic_store(&made, true);
    for (unsigned n = 0; n < VISITORS; n++)
        REQUIRE(pthread_join(visitors[n], NULL) == 0, "cannot join");
}

static void test_arenas_are_visited_while_others_are_made(void **state)
{
    (void)state;
    assert_true(unit_child_succeeds(visit_beside_new_arenas, NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_memory_of_an_idle_arena_is_given_back),
        cmocka_unit_test(test_an_arena_is_visited_when_something_happened),
        cmocka_unit_test(test_a_visit_gives_back_a_bounded_piece),
        cmocka_unit_test(test_threads_do_not_visit_all_arenas_at_once),
        cmocka_unit_test(test_visits_one_after_the_other_come_to_an_end),
        cmocka_unit_test(test_arenas_are_visited_while_others_are_made),
    };
    secret_init(environ);
    clock_init(environ);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
