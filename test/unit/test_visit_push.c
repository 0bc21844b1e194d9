/*
 * What threads do at once for arenas that are not theirs: they return what has gathered in an
 * inbox, within a bound for all arenas, and trim all of them for malloc_trim(). Each test runs in a
 * child.
 */
#include "unit/visit.h"

#include "arena/thread.h"
#include "base/secret.h"

#include <pthread.h>
#include <stdatomic.h>
#include <time.h>
#include <unistd.h>

enum { INBOX_BYTES = VISIT_INBOX_BYTES, LEAVE_OWN = 512 << 10, LEAVE_COMMON = 6 << 20 };

struct batch {
    void *chunks[MANY];
    unsigned count;
};

static void allocate(struct batch *batch, struct arena *arena, unsigned count)
{
    REQUIRE(count <= MANY, "too many");
    batch->count = count;
    for (unsigned n = 0; n < count; n++)
        batch->chunks[n] = unit_alloc(arena, CHUNK);
}

/* Frees some of the chunks as a thread of another arena; returns their bytes. */
static size_t push(struct batch *batch, struct arena *from, unsigned count)
{
    size_t bytes = 0;

    REQUIRE(count <= batch->count, "too many");
    while (count-- > 0) {
        void *chunk = batch->chunks[--batch->count];

        bytes += unit_chunk(chunk).usable;
        free_remotely(from, chunk);
    }
    remote_send_all(cache_first(from));
    return bytes;
}

static void push_new(struct arena *arena, struct arena *from, unsigned count)
{
    struct batch batch;

    allocate(&batch, arena, count);
    push(&batch, from, count);
}

static void return_what_gathers(void *argument)
{
    (void)argument;
    struct arena *arena = unit_arena(), *from = unit_arena();
    struct batch batch;
    size_t bytes, returned;

    allocate(&batch, arena, 8 + 8 + 16 + 1);
    bytes = push(&batch, from, 8);
    REQUIRE(bytes < INBOX_BYTES && atomic_load(&arena->inbox_bytes) == bytes, "the sum is wrong");
    REQUIRE(!remote_inbox_empty(arena) && arena->returned == 0, "so little was returned");
    REQUIRE(unit_count_state(arena, STATE_REMOTE) == 8, "a state was changed");
    bytes += push(&batch, from, 8);
    REQUIRE(bytes >= INBOX_BYTES && arena->returned == bytes, "%zu of %zu bytes were returned",
            arena->returned, bytes);
    REQUIRE(remote_inbox_empty(arena) && atomic_load(&arena->inbox_bytes) == 0, "not emptied");
    REQUIRE(unit_count_state(arena, STATE_REMOTE) == 0, "chunks were lost on their way");
    REQUIRE(arena->small.own == NULL && !arena->small.alone, "entered as one of its threads");
    returned = arena->returned;
    /* While a thread of the arena has the lock, the sender does not wait for it. */
    arena_lock(arena);
    push(&batch, from, 16);
    REQUIRE(arena->returned == returned && !remote_inbox_empty(arena), "changed without the lock");
    REQUIRE(unit_count_state(arena, STATE_REMOTE) == 16, "changed without the lock");
    arena_unlock(arena);
    push(&batch, from, 1);
    REQUIRE(arena->returned > returned && remote_inbox_empty(arena), "not made up for");
    atomic_store(&arena->damaged, ARENA_DAMAGED);
    visit_after_push(arena, INBOX_BYTES);
    REQUIRE(atomic_load(&arena->inbox_bytes) == INBOX_BYTES, "returned before the repair");
}

/*
 * A thread that is in its arena keeps all who push from returning anything, and they may not come
 * again. So it does that itself when it leaves.
 */
static void push_beside_thread(void *argument)
{
    (void)argument;
    struct arena *arena = unit_arena(), *from = unit_arena();

    thread_self.home = cache_first(arena);
    REQUIRE(cache_enter() == cache_first(arena), "not the thread's cache");
    push_new(arena, from, MANY);
    REQUIRE(visit_inbox_is_full(arena), "returned without the lock");
    cache_leave(cache_first(arena));
    REQUIRE(remote_inbox_empty(arena), "it waits for nobody");
    REQUIRE(unit_count_state(arena, STATE_REMOTE) == 0, "chunks were lost on their way");
}

static void test_who_leaves_returns_what_came_meanwhile(void **state)
{
    (void)state;
    assert_true(unit_child_succeeds(push_beside_thread, NULL));
}

static void test_what_gathers_in_an_inbox_is_returned(void **state)
{
    (void)state;
    assert_true(unit_child_succeeds(return_what_gathers, NULL));
}

static void enter_as_own(struct arena *arena)
{
    thread_self.home = cache_first(arena);
    REQUIRE(cache_enter() == cache_first(arena), "not the thread's cache");
    REQUIRE(arena->returned == 0, "what was left to the thread still counts");
    cache_leave(cache_first(arena));
}

static void leave_to_many(void *argument)
{
    (void)argument;
    enum { ARENAS = 12 };
    struct arena *arenas[ARENAS], *from = unit_arena();
    size_t returned = 0, unused = 0, most = LEAVE_COMMON + ARENAS * (size_t)LEAVE_OWN;

    for (unsigned n = 0; n < ARENAS; n++) {
        arenas[n] = unit_arena();
        push_new(arenas[n], from, MANY);
        REQUIRE(n > 0 || arenas[n]->returned > 2 << 20, "one arena's bytes were not kept");
    }
    for (unsigned n = 0; n < ARENAS; n++) {
        returned += arenas[n]->returned;
        unused += unit_unused(arenas[n]);
    }
    REQUIRE(returned > LEAVE_COMMON / 2 && returned <= most, "%zu bytes are left", returned);
    REQUIRE(unused > LEAVE_COMMON / 2 && unused <= most, "%zu bytes are unused", unused);
    /* What arenas have whose threads came since does not count any more. */
    for (unsigned n = 0; n < ARENAS; n++)
        enter_as_own(arenas[n]);
    unit_trim(arenas[0]);
    push_new(arenas[0], from, MANY);
    REQUIRE(arenas[0]->returned > 2 << 20 && unit_unused(arenas[0]) > 2 << 20,
            "what arenas keep that are in use again still counts");
}

static void test_what_senders_leave_to_all_arenas_is_bounded(void **state)
{
    (void)state;
    assert_true(unit_child_succeeds(leave_to_many, NULL));
}

static void trim_others(void *argument)
{
    (void)argument;
    struct arena *own = unit_arena(), *other = unit_arena(), *third = unit_arena();
    struct stack *kept = &cache_first(other)->stacks.of[3];
    size_t own_unused = leave_unused(own, MANY);
    size_t unused = leave_unused(other, MANY) + leave_unused(third, MANY);
    unsigned count;

    unit_free(other, unit_alloc(other, unit_bin_size(kept)));
    count = stack_count(kept);
    push_new(other, own, 4);
    REQUIRE(count > 0 && !remote_inbox_empty(other), "nothing to do");
    REQUIRE(visit_to_trim(own) >= unused, "less was given back than was unused");
    REQUIRE(unit_unused(other) == 0 && unit_unused(third) == 0, "something is left");
    REQUIRE(remote_inbox_empty(other) && unit_count_state(other, STATE_REMOTE) == 0,
            "chunks are left in an inbox");
    REQUIRE(stack_count(kept) == count, "the cache of another thread was touched");
    REQUIRE(unit_count_heaps(&other->small) == 1 && unit_count_heaps(&third->small) == 1,
            "a heap was unmapped that another thread may know");
    REQUIRE(unit_unused(own) == own_unused, "the caller's arena was touched");
    REQUIRE(visit_to_trim(NULL) >= own_unused && unit_unused(own) == 0, "one was left out");
    REQUIRE(visit_to_trim(NULL) == 0, "the same bytes were given back twice");
}

static void test_trimming_other_arenas(void **state)
{
    (void)state;
    assert_true(unit_child_succeeds(trim_others, NULL));
}

static atomic_bool holding, released;

static void *hold_for_a_while(void *argument)
{
    struct arena *arena = argument;
    struct timespec time = {.tv_nsec = CLOCK_TENTH / 5};

    arena_lock(arena);
    atomic_store(&holding, true);
    REQUIRE(nanosleep(&time, NULL) == 0, "nanosleep");
    atomic_store(&released, true);
    arena_unlock(arena);
    return NULL;
}

static void trim_what_is_locked(void *argument)
{
    (void)argument;
    struct arena *arena = unit_arena();
    pthread_t thread;

    leave_unused(arena, MANY);
    REQUIRE(pthread_create(&thread, NULL, hold_for_a_while, arena) == 0, "no thread");
    while (!atomic_load(&holding))
        ;
    visit_to_trim(NULL);
    REQUIRE(atomic_load(&released) && unit_unused(arena) == 0, "a locked arena was left out");
    REQUIRE(pthread_join(thread, NULL) == 0, "cannot join");
}

static void test_trimming_waits_for_locked_arenas(void **state)
{
    (void)state;
    assert_true(unit_child_succeeds(trim_what_is_locked, NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_gathers_in_an_inbox_is_returned),
        cmocka_unit_test(test_who_leaves_returns_what_came_meanwhile),
        cmocka_unit_test(test_what_senders_leave_to_all_arenas_is_bounded),
        cmocka_unit_test(test_trimming_other_arenas),
        cmocka_unit_test(test_trimming_waits_for_locked_arenas),
    };
    secret_init(environ);
    clock_init(environ);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
