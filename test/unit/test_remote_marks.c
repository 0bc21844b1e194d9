/*
 * Remote frees by address alone: which pointers are refused, which heaps are known, what a free
 * costs in atomic operations, when chunks are sent that have waited, and arenas that wait for their
 * repair.
 */
#include "unit/remote.h"
#include "unit/unit.h"

#include "arena/parcel.h"
#include "arena/remote.h"
#include "base/clock.h"
#include "base/secret.h"
#include "os/os.h"

#include <unistd.h>

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

/* Frees a chunk of the arena by address, so that the heap is known. */
static void learn(struct arena *self, struct arena *owner, size_t size)
{
    uint16_t tag = size <= TINY_MAX ? owner->tiny_tag : owner->small_tag;

    assert_true(remote_free_aligned(cache_first(self), (uintptr_t)unit_alloc(owner, size), tag));
}

static bool free_known(struct arena *self, const void *chunk)
{
    return remote_free_known(cache_first(self), (uintptr_t)chunk, false, 0);
}

static void check_known(size_t size)
{
    struct arena *self = unit_arena(), *owner = busy_arena(), *third = busy_arena();
    char *chunk = unit_alloc(owner, size), *next = unit_alloc(owner, size);
    char *others = unit_alloc(third, size);
    size_t chunk_size = unit_chunk(chunk).usable;

    assert_false(free_known(self, chunk));
    learn(self, owner, size);
    for (size_t offset = 1; offset < chunk_size; offset += offset < CHUNK_ALIGN ? 1 : CHUNK_ALIGN)
        assert_false(free_known(self, chunk + offset));
    assert_false(free_known(self, others));
    assert_int_equal(unit_count_state(owner, STATE_LIVE), 2);
    assert_true(free_known(self, chunk));
    assert_int_equal(unit_chunk(chunk).kind, STATE_REMOTE);
    assert_int_equal(unit_chunk(chunk).requested, size);
    assert_false(free_known(self, chunk));
    /* A heap was removed, and this could have been it. */
    atomic_fetch_add(&heap_map_removals, 1);
    assert_false(free_known(self, next));
    learn(self, third, size);
    assert_true(free_known(self, others));
    assert_false(free_known(self, next));
    learn(self, owner, size);
    assert_true(free_known(self, next));
    remote_send_all(cache_first(self));
    /* Without a parcel to put it in, a chunk is not freed. */
    chunk = unit_alloc(owner, size);
    assert_false(free_known(self, chunk));
    assert_int_equal(unit_chunk(chunk).kind, STATE_LIVE);
    remote_receive_all(cache_first(owner));
    assert_int_equal(unit_count_state(owner, STATE_REMOTE), 0);
    assert_int_equal(unit_count_state(owner, STATE_LIVE), 1);
    assert_int_equal(unit_count_state(third, STATE_LIVE), 0);
}

static void test_chunks_of_known_heaps_are_freed_quickly(void **state)
{
    (void)state;
    check_known(100);
    check_known(2000);
}

static bool free_sized_known(struct arena *self, const void *chunk, size_t size)
{
    return remote_free_known(cache_first(self), (uintptr_t)chunk, true, size);
}

static void check_sized(size_t size)
{
    struct arena *self = unit_arena(), *owner = busy_arena();
    char *chunk = unit_alloc(owner, size);
    size_t usable = unit_chunk(chunk).usable;

    assert_false(free_sized_known(self, chunk, size));
    learn(self, owner, size);
    for (size_t wrong = 0; wrong < 2 * usable; wrong++)
        if (wrong != size)
            assert_false(free_sized_known(self, chunk, wrong));
    assert_false(free_sized_known(self, chunk, SIZE_MAX));
    assert_false(free_sized_known(self, chunk + CHUNK_ALIGN, size));
    assert_int_equal(unit_chunk(chunk).kind, STATE_LIVE);
    assert_true(free_sized_known(self, chunk, size));
    assert_int_equal(unit_chunk(chunk).kind, STATE_REMOTE);
    assert_int_equal(unit_chunk(chunk).requested, size);
    assert_false(free_sized_known(self, chunk, size));
    remote_send_all(cache_first(self));
    remote_receive_all(cache_first(owner));
    assert_int_equal(unit_count_state(owner, STATE_LIVE), 0);
}

static void test_the_size_of_a_remote_free_must_be_right(void **state)
{
    (void)state;
    check_sized(100);
    check_sized(1024);
    check_sized(2000);
    check_sized(5001);
}

static void test_a_known_heap_is_forgotten_with_its_place(void **state)
{
    (void)state;
    struct arena *self = unit_arena(), *owners[2 * OUTGOING];
    void *chunks[2 * OUTGOING];
    unsigned known = 0;

    for (unsigned n = 0; n < 2 * OUTGOING; n++) {
        owners[n] = busy_arena();
        learn(self, owners[n], 64);
        chunks[n] = unit_alloc(owners[n], 64);
    }
    for (unsigned n = 0; n < 2 * OUTGOING; n++)
        known += free_known(self, chunks[n]);
    /* A chunk is collected for its own arena or not at all. */
    assert_in_range(known, 1, OUTGOING);
    remote_send_all(cache_first(self));
    for (unsigned n = 0; n < 2 * OUTGOING; n++) {
        remote_receive_all(cache_first(owners[n]));
        assert_int_equal(unit_count_state(owners[n], STATE_REMOTE), 0);
        known -= unit_count_state(owners[n], STATE_LIVE) == 0;
    }
    assert_int_equal(known, 0);
}

static void test_known_heaps_fill_parcels(void **state)
{
    (void)state;
    enum { LARGER = 32 << 10, FEW = REMOTE_BATCH_BYTES / LARGER };
    struct arena *self = unit_arena(), *owner = busy_arena();
    static void *chunks[PARCEL_CHUNKS];

    for (unsigned n = 0; n < PARCEL_CHUNKS; n++)
        chunks[n] = unit_alloc(owner, 64);
    learn(self, owner, 64);
    for (unsigned n = 0; n < PARCEL_CHUNKS - 1; n++)
        assert_true(free_known(self, chunks[n]));
    /* The parcel is full. */
    assert_false(free_known(self, chunks[PARCEL_CHUNKS - 1]));
    assert_null(inbox(owner));
    free_remotely(self, chunks[PARCEL_CHUNKS - 1]);
    assert_int_equal(inbox(owner)->count, PARCEL_CHUNKS);
    remote_receive_all(cache_first(owner));
    for (unsigned n = 0; n < FEW - 1; n++)
        chunks[n] = unit_alloc(owner, LARGER);
    learn(self, owner, LARGER);
    for (unsigned n = 0; n < FEW - 1; n++) {
        assert_null(inbox(owner));
        assert_true(free_known(self, chunks[n]));
    }
    /* It keeps much memory from its arena. */
    assert_int_equal(inbox(owner)->count, FEW);
}

enum { AGE = CLOCK_TENTH };

static void test_what_has_waited_is_sent(void **state)
{
    (void)state;
    struct arena *self = unit_arena(), *owner = busy_arena();
    struct cache *cache = cache_first(self);
    uint64_t now, due;

    secret_init(environ);
    clock_init(environ);
    now = clock_now();
    remote_send_old(cache);
    assert_in_range(cache->send_at, now + AGE, clock_now() + AGE);
    free_remotely(self, unit_alloc(owner, 64));
    assert_null(inbox(owner));
    cache->send_at = due = clock_now() + AGE;
    remote_send_old(cache);
    /* Unless something else kept the processor so long. */
    assert_true(inbox(owner) == NULL || clock_now() >= due);
    cache->send_at = clock_now();
    remote_send_old(cache);
    assert_non_null(inbox(owner));
    assert_true(cache->send_at > clock_now());
    /* The clock has jumped back. */
    remote_receive_all(cache_first(owner));
    free_remotely(self, unit_alloc(owner, 64));
    cache->send_at = clock_now() + 100 * (uint64_t)AGE;
    remote_send_old(cache);
    assert_non_null(inbox(owner));
    assert_true(cache->send_at <= clock_now() + AGE);
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
        cmocka_unit_test(test_chunks_of_known_heaps_are_freed_quickly),
        cmocka_unit_test(test_the_size_of_a_remote_free_must_be_right),
        cmocka_unit_test(test_a_known_heap_is_forgotten_with_its_place),
        cmocka_unit_test(test_known_heaps_fill_parcels),
        cmocka_unit_test(test_what_has_waited_is_sent),
        cmocka_unit_test(test_with_a_backlog_one_atomic_operation_serves_many_frees),
        cmocka_unit_test(test_at_worst_a_free_is_three_atomic_operations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
