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

enum { MANY = 1000 };

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
    unsigned pushes = 0;

    for (unsigned n = 0; n < MANY; n++) {
        free_remotely(self, unit_alloc(owner, 64));
        pushes += inbox(owner) != before;
        before = inbox(owner);
    }
    assert_true(pushes >= 1 && pushes <= MANY / 16);
}

static void test_a_batch_holds_little_memory(void **state)
{
    (void)state;
    struct arena *self = unit_arena(), *owner = busy_arena();

    free_remotely(self, unit_alloc(owner, SMALL_MAX));
    assert_non_null(inbox(owner));
    remote_receive_all(cache_first(owner));
    for (unsigned n = 0; n < 8; n++)
        free_remotely(self, unit_alloc(owner, 32 << 10));
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

static void test_a_thread_without_cache_returns_each_chunk(void **state)
{
    (void)state;
    struct arena *owner = unit_arena();

    for (unsigned size_class = 0; size_class < SIZE_CLASSES; size_class += 5) {
        void *chunk = unit_alloc(owner, size_classes[size_class].size);
        void *neighbour = unit_alloc(owner, size_classes[size_class].size);
        struct chunk described = unit_chunk(chunk);

        remote_free(NULL, &described);
        assert_null(inbox(owner));
        cache_use(cache_first(owner));
        assert_true(unit_chunk(chunk).kind == STATE_FREE || unit_chunk(chunk).kind == STATE_NONE);
        unit_free(owner, neighbour);
        unit_check_bin(owner, &cache_first(owner)->stacks.of[size_class], 0);
    }
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
    static void *chunks[5 * MANY];
    unsigned steps = 0;

    for (unsigned n = 0; n < 5 * MANY; n++)
        chunks[n] = unit_alloc(owner, 16);
    for (unsigned n = 0; n < 5 * MANY; n++)
        free_remotely(self, chunks[n]);
    remote_send_all(cache_first(self));
    do {
        size_t before = unit_count_state(owner, STATE_REMOTE);

        remote_receive(cache_first(owner));
        assert_true(unit_count_state(owner, STATE_REMOTE) < before);
        steps++;
    } while (owner->unpacking != NULL || inbox(owner) != NULL);
    assert_true(steps > 5 * MANY / (PARCEL_CHUNKS * 64));
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
        cmocka_unit_test(test_a_thread_without_cache_returns_each_chunk),
        cmocka_unit_test(test_a_bin_that_runs_empty_takes_what_has_arrived),
        cmocka_unit_test(test_a_long_backlog_is_received_in_steps),
        cmocka_unit_test(test_forgotten_chunks_are_not_sent),
        cmocka_unit_test(test_chunks_on_their_way_are_not_touched),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
