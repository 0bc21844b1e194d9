/*
 * Remote frees by address alone: which pointers are refused, what a free costs in atomic
 * operations, and arenas that wait for their repair.
 */
#include "unit/remote.h"
#include "unit/unit.h"

#include "arena/remote.h"
#include "os/os.h"

static struct parcel *inbox(struct arena *arena)
{
    return atomic_load(&arena->inbox);
}

static void test_chunks_of_a_damaged_arena_are_only_marked(void **state)
{
    (void)state;
    struct arena *self = unit_arena(), *owner = unit_arena();
    void *tiny = unit_alloc(owner, 100), *small = unit_alloc(owner, 2000);

    atomic_store(&owner->damaged, true);
    assert_false(remote_free_aligned(cache_first(self), (uintptr_t)tiny, owner->tiny_tag));
    assert_false(remote_free_aligned(cache_first(self), (uintptr_t)small, owner->small_tag));
    assert_int_equal(unit_chunk(tiny).kind, STATE_LIVE);
    assert_int_equal(unit_chunk(small).kind, STATE_LIVE);
    free_remotely(self, tiny);
    free_remotely(self, small);
    assert_int_equal(unit_chunk(tiny).kind, STATE_REMOTE);
    assert_int_equal(unit_chunk(small).kind, STATE_REMOTE);
    remote_send_all(cache_first(self));
    assert_null(inbox(owner));
}

static void test_remote_free_by_address(void **state)
{
    (void)state;
    struct arena *self = unit_arena(), *owner = busy_arena();

    for (unsigned size_class = 0; size_class < SIZE_CLASSES; size_class++) {
        size_t size = size_classes[size_class].size;
        uint16_t tag = size_class < TINY_CLASSES ? owner->tiny_tag : owner->small_tag;
        char *chunk = unit_alloc(owner, size - 3);
        uintptr_t address = (uintptr_t)chunk;

        /*
         * Inside the chunk, behind it, and after it was freed: each is refused, and nothing
         * changes.
         */
        for (size_t offset = CHUNK_ALIGN; offset <= size; offset += CHUNK_ALIGN)
            assert_false(remote_free_aligned(cache_first(self), address + offset, tag));
        assert_int_equal(unit_chunk(chunk).kind, STATE_LIVE);
        assert_true(remote_free_aligned(cache_first(self), address, tag));
        assert_int_equal(unit_chunk(chunk).kind, STATE_REMOTE);
        assert_int_equal(unit_chunk(chunk).requested, size - 3);
        assert_false(remote_free_aligned(cache_first(self), address, tag));
    }
    assert_int_equal(unit_count_state(owner, STATE_LIVE), 0);
    remote_send_all(cache_first(self));
    remote_receive_all(cache_first(owner));
    assert_int_equal(unit_count_state(owner, STATE_REMOTE), 0);
}

enum { ROUNDS = 100, BACKLOG = 64, OWNERS = 2 * OUTGOING + 3 };

/*
 * Counts the atomic read-modify-writes of both sides, for one free among others to the same owner.
 */
static void test_with_a_backlog_one_atomic_operation_serves_many_frees(void **state)
{
    (void)state;
    struct arena *self = unit_arena(), *owner = unit_arena();
    uint64_t before = os_counted().rmw;
    static void *chunks[BACKLOG];

    for (unsigned round = 0; round < ROUNDS; round++) {
        for (unsigned n = 0; n < BACKLOG; n++)
            chunks[n] = unit_alloc(owner, n % 2 == 0 ? 64 : 2000);
        for (unsigned n = 0; n < BACKLOG; n++)
            free_remotely(self, chunks[n]);
        remote_receive_all(cache_first(owner));
    }
    assert_in_range(os_counted().rmw - before, 1, ROUNDS * BACKLOG / 10);
}

/*
 * There are more owners than places to collect for, so each free is sent by itself: the push, the
 * bytes in the inbox, and a part of what it takes to get parcels.
 */
static void test_at_worst_a_free_is_three_atomic_operations(void **state)
{
    (void)state;
    struct arena *self = unit_arena(), *owners[OWNERS];
    static void *chunks[ROUNDS][OWNERS];
    uint64_t before;

    for (unsigned n = 0; n < OWNERS; n++) {
        owners[n] = busy_arena();
        for (unsigned round = 0; round < ROUNDS; round++)
            chunks[round][n] = unit_alloc(owners[n], 64);
    }
    before = os_counted().rmw;
    for (unsigned round = 0; round < ROUNDS; round++)
        for (unsigned n = 0; n < OWNERS; n++)
            free_remotely(self, chunks[round][n]);
    remote_send_all(cache_first(self));
    assert_in_range(os_counted().rmw - before, ROUNDS * OWNERS / BACKLOG, 3 * ROUNDS * OWNERS);
    for (unsigned n = 0; n < OWNERS; n++)
        remote_receive_all(cache_first(owners[n]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_chunks_of_a_damaged_arena_are_only_marked),
        cmocka_unit_test(test_remote_free_by_address),
        cmocka_unit_test(test_with_a_backlog_one_atomic_operation_serves_many_frees),
        cmocka_unit_test(test_at_worst_a_free_is_three_atomic_operations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
