/*
 * Remote frees, with one thread that plays owner and freeing thread in turn: what is collected,
 * when it is sent, and that the owner gets all of it.
 */
#include "unit/remote.h"
#include "unit/unit.h"

#include "arena/parcel.h"
#include "arena/remote.h"
#include "arena/thread.h"

#include <string.h>

/* A call that needs a single chunk unpacks so many parcels. */
enum { MANY = 1000, STEP_PARCELS = 16 };

static struct parcel *inbox(struct arena *arena)
{
    return atomic_load(&arena->inbox);
}

static unsigned number_of_chunks(unsigned size_class)
{
    return size_class < TINY_CLASSES ? 300 : size_classes[size_class].size <= 8192 ? 100 : 20;
}

static void check_class(struct arena *self, struct arena *owner, unsigned size_class)
{
    unsigned count = number_of_chunks(size_class);
    size_t size = size_classes[size_class].size;
    static void *chunks[MANY];

    for (unsigned n = 0; n < count; n++)
        memset(chunks[n] = unit_alloc(owner, size), 0xee, size);
    for (unsigned n = 0; n < count; n++) {
        free_remotely(self, chunks[n]);
        assert_int_equal(unit_chunk(chunks[n]).kind, STATE_REMOTE);
        assert_int_equal(unit_chunk(chunks[n]).requested, size);
    }
    remote_send_all(cache_first(self));
    assert_non_null(inbox(owner));
    remote_receive_all(cache_first(owner));
    assert_null(inbox(owner));
    /* Either free, or no chunk any more: freeing its last chunk may return the slab. */
    for (unsigned n = 0; n < count; n++)
        assert_true(unit_chunk(chunks[n]).kind == STATE_FREE || unit_chunk(chunks[n]).kind == 0);
}

static void test_the_owner_gets_chunks_of_every_class(void **state)
{
    (void)state;
    struct arena *self = unit_arena(), *owner = busy_arena();

    for (unsigned size_class = 0; size_class < SIZE_CLASSES; size_class++)
        check_class(self, owner, size_class);
    assert_int_equal(unit_count_state(owner, STATE_REMOTE), 0);
    unit_trim(owner);
    assert_null(owner->tiny.heaps);
    assert_null(owner->small.heaps);
}

static void test_chunks_of_mixed_sizes_in_one_batch(void **state)
{
    (void)state;
    struct arena *self = unit_arena(), *owner = busy_arena();
    void *chunks[MANY];

    for (unsigned n = 0; n < MANY; n++)
        chunks[n] = unit_alloc(owner, n * 37 % 3000);
    for (unsigned n = 0; n < MANY; n++)
        free_remotely(self, chunks[n]);
    remote_send_all(cache_first(self));
    remote_receive_all(cache_first(owner));
    assert_int_equal(unit_count_state(owner, STATE_REMOTE), 0);
    assert_int_equal(unit_count_state(owner, STATE_LIVE), 0);
}

static void test_a_batch_is_sent_as_one(void **state)
{
    (void)state;
    struct arena *self = unit_arena(), *owner = busy_arena();
    struct parcel *before = NULL;
    static void *chunks[MANY];
    unsigned pushes = 0;

    for (unsigned n = 0; n < MANY; n++)
        chunks[n] = unit_alloc(owner, 64);
    for (unsigned n = 0; n < MANY; n++) {
        free_remotely(self, chunks[n]);
        pushes += inbox(owner) != before;
        before = inbox(owner);
    }
    assert_int_equal(pushes, (MANY - 1) / PARCEL_CHUNKS);
}

static void test_a_batch_holds_little_memory(void **state)
{
    (void)state;
    struct arena *self = unit_arena(), *owner = busy_arena();

    free_remotely(self, unit_alloc(owner, SMALL_MAX));
    assert_non_null(inbox(owner));
    remote_receive_all(cache_first(owner));
    for (unsigned n = 0; n < REMOTE_BATCH_BYTES / (32 << 10); n++) {
        assert_null(inbox(owner));
        free_remotely(self, unit_alloc(owner, 32 << 10));
    }
    assert_non_null(inbox(owner));
}

static void test_batches_for_many_owners(void **state)
{
    (void)state;
    enum { OWNERS = 2 * OUTGOING + 3 };
    struct arena *self = unit_arena(), *owners[OWNERS];

    for (unsigned n = 0; n < OWNERS; n++)
        owners[n] = busy_arena();
    for (unsigned round = 0; round < 100; round++)
        for (unsigned n = 0; n < OWNERS; n++)
            free_remotely(self, unit_alloc(owners[n], 48));
    remote_send_all(cache_first(self));
    for (unsigned n = 0; n < OWNERS; n++) {
        remote_receive_all(cache_first(owners[n]));
        assert_int_equal(unit_count_state(owners[n], STATE_REMOTE), 0);
        assert_int_equal(unit_count_state(owners[n], STATE_LIVE), 0);
    }
}

/* Frees a chunk of each class with this cache; it must come back to its slab at once. */
static void return_directly(struct cache *cache, struct arena *owner)
{
    for (unsigned size_class = 0; size_class < SIZE_CLASSES; size_class++) {
        struct stack *stack = &cache_first(owner)->stacks.of[size_class];
        void *chunk = unit_alloc(owner, size_classes[size_class].size);
        void *neighbour = unit_alloc(owner, size_classes[size_class].size);
        struct chunk described = unit_chunk(chunk);
        unsigned count = stack_count(stack);

        atomic_store(&owner->restless, false);
        remote_free(cache, &described);
        REQUIRE(inbox(owner) == NULL && owner->unpacking == NULL, "in a parcel");
        REQUIRE(stack_count(stack) == count, "in the stack of another thread");
        REQUIRE(atomic_load(&owner->restless), "nobody would give it back");
        REQUIRE(atomic_load(&owner->holder) == NULL, "still locked");
        REQUIRE(owner->small.own == NULL && !owner->small.alone, "entered as one of its threads");
        cache_use(cache_first(owner));
        REQUIRE(unit_chunk(chunk).kind == STATE_FREE || unit_chunk(chunk).kind == STATE_NONE,
                "not free");
        REQUIRE(unit_chunk(neighbour).kind == STATE_LIVE, "another one was freed");
        unit_free(owner, neighbour);
        unit_check_bin(owner, stack, 0);
    }
}

static void return_without_own_cache(void *argument)
{
    (void)argument;
    struct arena *common = unit_arena();

    return_directly(NULL, unit_arena());
    cache_first(common)->common = true;
    return_directly(cache_first(common), unit_arena());
    REQUIRE(cache_first(common)->parcels == NULL, "others may be using a common cache");
}

static void test_a_thread_without_a_cache_of_its_own_returns_each_chunk(void **state)
{
    (void)state;
    assert_true(unit_child_succeeds(return_without_own_cache, NULL));
}

static void return_without_parcels(void *argument)
{
    (void)argument;
    struct arena *self = unit_arena(), *owner = unit_arena();
    void *tiny = unit_alloc(owner, 100), *small = unit_alloc(owner, 2000);
    void *collected = unit_alloc(owner, 100);

    free_remotely(self, collected);
    /* So many that there is memory for them when there is none for parcels. */
    for (unsigned size_class = 0; size_class < SIZE_CLASSES; size_class++)
        for (unsigned n = 0; n < 3; n++)
            unit_free(owner, unit_alloc(owner, size_classes[size_class].size));
    remote_send_all(cache_first(self));
    use_up_parcels(cache_first(self));
    REQUIRE(remote_free_aligned(cache_first(self), (uintptr_t)tiny, owner->tiny_tag) &&
                remote_free_aligned(cache_first(self), (uintptr_t)small, owner->small_tag),
            "live chunks are refused");
    REQUIRE(!remote_free_known(cache_first(self), (uintptr_t)tiny, false, 0),
            "nothing is known of the heap");
    REQUIRE(unit_count_state(owner, STATE_LIVE) == 0, "not freed");
    REQUIRE(unit_count_state(owner, STATE_REMOTE) == 1 && inbox(owner)->next == NULL, "sent");
    /* There are parcels again when one has arrived. */
    remote_receive_all(cache_first(owner));
    parcel_put_all(cache_first(owner));
    free_remotely(self, unit_alloc(owner, 100));
    REQUIRE(unit_count_state(owner, STATE_REMOTE) == 1, "not collected");
    os_fail_after(0, false);
    return_directly(NULL, unit_arena());
}

static void test_without_memory_for_a_parcel_a_chunk_is_returned(void **state)
{
    (void)state;
    assert_true(unit_child_succeeds(return_without_parcels, NULL));
}

static void test_a_bin_that_runs_empty_takes_what_has_arrived(void **state)
{
    (void)state;
    struct arena *self = unit_arena(), *owner = busy_arena();
    struct stack *stack = &cache_first(owner)->stacks.of[size_class_of(400)];
    void *chunk = unit_alloc(owner, 400);

    while (stack_count(stack) > 0)
        unit_alloc(owner, 400);
    free_remotely(self, chunk);
    remote_send_all(cache_first(self));
    assert_ptr_equal(unit_alloc(owner, 400), chunk);
}

static void test_a_long_backlog_is_received_in_steps(void **state)
{
    (void)state;
    struct arena *self = unit_arena(), *owner = busy_arena();
    const struct stack *wanted = &cache_first(owner)->stacks.of[size_class_of(16)];
    static void *chunks[5 * MANY];
    unsigned steps = 0;

    for (unsigned n = 0; n < 5 * MANY; n++)
        chunks[n] = unit_alloc(owner, 16);
    for (unsigned n = 0; n < 5 * MANY; n++)
        free_remotely(self, chunks[n]);
    remote_send_all(cache_first(self));
    do {
        size_t before = unit_count_state(owner, STATE_REMOTE);

        remote_receive(cache_first(owner), wanted);
        assert_in_range(before - unit_count_state(owner, STATE_REMOTE), 1,
                        STEP_PARCELS * PARCEL_CHUNKS);
        steps++;
    } while (!remote_inbox_empty(owner));
    assert_int_equal(steps, 5 * MANY / (STEP_PARCELS * PARCEL_CHUNKS) + 1);
    assert_int_equal(unit_count_state(owner, STATE_REMOTE), 0);
}

/* Adds a cache to an arena, as if a second thread used it, and enters the arena with the first. */
static void share_with_another(struct arena *arena)
{
    struct cache *second;

    arena_unlock(arena);
    second = cache_create(arena);
    arena_lock(arena);
    assert_non_null(second);
    second->in_use = true;
    cache_use(cache_first(arena));
}

static void test_threads_that_share_an_arena_leave_each_other_parcels(void **state)
{
    (void)state;
    struct arena *self = unit_arena(), *owner = busy_arena();
    struct cache *cache = cache_first(owner);
    const struct stack *wanted = &cache->stacks.of[size_class_of(64)];
    const struct stack *other = &cache->stacks.of[size_class_of(800)];
    void *chunks[4 * PARCEL_CHUNKS];

    for (unsigned n = 0; n < 4 * PARCEL_CHUNKS; n++)
        chunks[n] = unit_alloc(owner, 64);
    for (unsigned n = 0; n < 4 * PARCEL_CHUNKS; n++)
        free_remotely(self, chunks[n]);
    remote_send_all(cache_first(self));
    while (stack_count(wanted) > 0)
        unit_alloc(owner, 64);
    share_with_another(owner);
    remote_receive(cache, wanted);
    assert_int_equal(stack_count(wanted), PARCEL_CHUNKS);
    assert_int_equal(unit_count_state(owner, STATE_REMOTE), 3 * PARCEL_CHUNKS);
    /* No parcel serves this one. */
    remote_receive(cache, other);
    assert_int_equal(unit_count_state(owner, STATE_REMOTE), 0);
}

static void test_forgotten_chunks_are_not_sent(void **state)
{
    (void)state;
    struct arena *self = unit_arena(), *owner = busy_arena();

    free_remotely(self, unit_alloc(owner, 100));
    remote_drop(cache_first(self));
    remote_send_all(cache_first(self));
    assert_null(inbox(owner));
    /* What was collected before a fork is not sent either. */
    free_remotely(self, unit_alloc(owner, 100));
    fork_generation++;
    remote_send_all(cache_first(self));
    assert_null(inbox(owner));
    free_remotely(self, unit_alloc(owner, 100));
    remote_send_all(cache_first(self));
    assert_non_null(inbox(owner));
}

/*
 * The allocator keeps what it knows elsewhere, so freed memory tells nothing and destroys nothing.
 */
static void test_chunks_on_their_way_are_not_touched(void **state)
{
    (void)state;
    struct arena *self = unit_arena(), *owner = busy_arena();
    unsigned char *chunks[MANY];

    for (unsigned n = 0; n < MANY; n++)
        memset(chunks[n] = unit_alloc(owner, 16 + n % 2000), (int)n, 16 + n % 2000);
    for (unsigned n = 0; n < MANY; n++)
        free_remotely(self, chunks[n]);
    for (unsigned n = 0; n < MANY; n++)
        for (unsigned byte = 0; byte < 16 + n % 2000; byte++)
            assert_int_equal(chunks[n][byte], n & 0xff);
    /* The program may still write to them. */
    for (unsigned n = 0; n < MANY; n++)
        memset(chunks[n], 0x41, 16 + n % 2000);
    remote_send_all(cache_first(self));
    remote_receive_all(cache_first(owner));
    assert_int_equal(unit_count_state(owner, STATE_REMOTE), 0);
    assert_int_equal(unit_count_state(owner, STATE_LIVE), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_owner_gets_chunks_of_every_class),
        cmocka_unit_test(test_chunks_of_mixed_sizes_in_one_batch),
        cmocka_unit_test(test_a_batch_is_sent_as_one),
        cmocka_unit_test(test_a_batch_holds_little_memory),
        cmocka_unit_test(test_batches_for_many_owners),
        cmocka_unit_test(test_a_thread_without_a_cache_of_its_own_returns_each_chunk),
        cmocka_unit_test(test_without_memory_for_a_parcel_a_chunk_is_returned),
        cmocka_unit_test(test_a_bin_that_runs_empty_takes_what_has_arrived),
        cmocka_unit_test(test_a_long_backlog_is_received_in_steps),
        cmocka_unit_test(test_threads_that_share_an_arena_leave_each_other_parcels),
        cmocka_unit_test(test_forgotten_chunks_are_not_sent),
        cmocka_unit_test(test_chunks_on_their_way_are_not_touched),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
