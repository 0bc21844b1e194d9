/*
 * Remote frees, with one thread that plays owner and freeing thread in turn: what is collected,
 * when it is sent, and that the owner gets all of it.
 */
#include "unit/remote.h"
#include "unit/unit.h"

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
    remote_send_all(self);
    assert_non_null(inbox(owner));
    remote_receive_all(owner);
    assert_null(inbox(owner));
    /* Either free, or no chunk any more: freeing its last chunk may return the slab. */
    for (unsigned n = 0; n < count; n++)
        assert_true(unit_chunk(chunks[n]).kind == STATE_FREE || unit_chunk(chunks[n]).kind == 0);
}

static void test_the_owner_gets_chunks_of_every_class(void **state)
{
    (void)state;
    struct arena *self = unit_arena(), *owner = unit_arena();

    for (unsigned size_class = 0; size_class < SIZE_CLASSES; size_class++)
        check_class(self, owner, size_class);
    assert_int_equal(unit_count_state(owner, STATE_REMOTE), 0);
    arena_trim(owner);
    assert_null(owner->tiny.heaps);
    assert_null(owner->small.heaps);
}

static void test_chunks_of_mixed_sizes_in_one_batch(void **state)
{
    (void)state;
    struct arena *self = unit_arena(), *owner = unit_arena();
    void *chunks[MANY];

    for (unsigned n = 0; n < MANY; n++)
        chunks[n] = unit_alloc(owner, n * 37 % 3000);
    for (unsigned n = 0; n < MANY; n++)
        free_remotely(self, chunks[n]);
    remote_send_all(self);
    remote_receive_all(owner);
    assert_int_equal(unit_count_state(owner, STATE_REMOTE), 0);
    assert_int_equal(unit_count_state(owner, STATE_LIVE), 0);
}

static void test_a_batch_is_sent_as_one(void **state)
{
    (void)state;
    struct arena *self = unit_arena(), *owner = unit_arena();
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
    struct arena *self = unit_arena(), *owner = unit_arena();

    free_remotely(self, unit_alloc(owner, SMALL_MAX));
    assert_non_null(inbox(owner));
    remote_receive_all(owner);
    for (unsigned n = 0; n < 8; n++)
        free_remotely(self, unit_alloc(owner, 32 << 10));
    assert_non_null(inbox(owner));
}

static void test_batches_for_many_owners(void **state)
{
    (void)state;
    enum { OWNERS = 2 * PARCELS + 3 };
    struct arena *self = unit_arena(), *owners[OWNERS];

    for (unsigned n = 0; n < OWNERS; n++)
        owners[n] = unit_arena();
    for (unsigned round = 0; round < 100; round++)
        for (unsigned n = 0; n < OWNERS; n++)
            free_remotely(self, unit_alloc(owners[n], 48));
    remote_send_all(self);
    for (unsigned n = 0; n < OWNERS; n++) {
        remote_receive_all(owners[n]);
        assert_int_equal(unit_count_state(owners[n], STATE_REMOTE), 0);
        assert_int_equal(unit_count_state(owners[n], STATE_LIVE), 0);
    }
}

static void test_a_thread_without_arena_sends_each_chunk(void **state)
{
    (void)state;
    struct arena *owner = unit_arena();

    for (unsigned size_class = 0; size_class < SIZE_CLASSES; size_class += 5) {
        void *chunk = unit_alloc(owner, size_classes[size_class].size);

        free_remotely(NULL, chunk);
        assert_non_null(inbox(owner));
        remote_receive_all(owner);
        assert_int_equal(unit_chunk(chunk).kind, STATE_FREE);
    }
}

static void test_a_bin_that_runs_empty_takes_what_has_arrived(void **state)
{
    (void)state;
    struct arena *self = unit_arena(), *owner = unit_arena();
    struct bin *bin = &owner->bins.of[size_class_of(400)];
    void *chunk = unit_alloc(owner, 400);

    while (bin_count(bin) > 0)
        unit_alloc(owner, 400);
    free_remotely(self, chunk);
    remote_send_all(self);
    assert_ptr_equal(unit_alloc(owner, 400), chunk);
}

static void test_a_long_backlog_is_received_in_steps(void **state)
{
    (void)state;
    struct arena *self = unit_arena(), *owner = unit_arena();
    static void *chunks[5 * MANY];
    unsigned steps = 0;

    for (unsigned n = 0; n < 5 * MANY; n++)
        chunks[n] = unit_alloc(owner, 16);
    for (unsigned n = 0; n < 5 * MANY; n++)
        free_remotely(self, chunks[n]);
    remote_send_all(self);
    do {
        size_t before = unit_count_state(owner, STATE_REMOTE);

        remote_receive(owner);
        assert_true(unit_count_state(owner, STATE_REMOTE) < before);
        steps++;
    } while (owner->unpacking != NULL || inbox(owner) != NULL);
    /* Each chunk is a parcel of its own, because it has no room for an address. */
    assert_true(steps > 5 * MANY / 100);
    assert_int_equal(unit_count_state(owner, STATE_REMOTE), 0);
}

static void test_the_inbox_of_a_pooled_arena_is_unpacked_by_the_pusher(void **state)
{
    (void)state;
    struct arena *self = unit_arena(), *owner = unit_arena();
    void *chunks[100];

    for (unsigned n = 0; n < 100; n++)
        chunks[n] = unit_alloc(owner, 200 + n);
    atomic_store(&owner->use, ARENA_POOLED);
    for (unsigned n = 0; n < 100; n++)
        free_remotely(self, chunks[n]);
    remote_send_all(self);
    assert_null(inbox(owner));
    assert_int_equal(unit_count_state(owner, STATE_REMOTE), 0);
    assert_int_equal(unit_count_state(owner, STATE_LIVE), 0);
}

static void test_forgotten_chunks_are_not_sent(void **state)
{
    (void)state;
    struct arena *self = unit_arena(), *owner = unit_arena();

    free_remotely(self, unit_alloc(owner, 100));
    remote_forget(self);
    remote_send_all(self);
    assert_null(inbox(owner));
    /* What was collected before a fork is not sent either. */
    free_remotely(self, unit_alloc(owner, 100));
    fork_generation++;
    remote_send_all(self);
    assert_null(inbox(owner));
    free_remotely(self, unit_alloc(owner, 100));
    remote_send_all(self);
    assert_non_null(inbox(owner));
}

/*
 * A program that reads freed memory learns no address from it, and finds no small number to change.
 */
static void test_parcels_do_not_reveal_addresses(void **state)
{
    (void)state;
    struct arena *self = unit_arena(), *owner = unit_arena();
    uintptr_t words[256 / sizeof(uintptr_t)], top = 0;
    void *chunks[31];

    thread_runtime_init(NULL);
    for (unsigned n = 0; n < 31; n++)
        memset(chunks[n] = unit_alloc(owner, 256), 0, 256);
    for (unsigned n = 0; n < 31; n++)
        free_remotely(self, chunks[n]);
    remote_send_all(self);
    /* The first chunk is the parcel of the other thirty. Link, count and addresses fill it. */
    memcpy(words, chunks[0], sizeof words);
    for (unsigned word = 0; word < sizeof words / sizeof *words; word++) {
        top |= words[word] >> 48;
        assert_int_not_equal(words[word] >> 32, (uintptr_t)owner->tiny.heaps->base >> 32);
        assert_true(words[word] > 4096);
    }
    assert_int_not_equal(top, 0);
    remote_receive_all(owner);
    assert_int_equal(unit_count_state(owner, STATE_REMOTE), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_owner_gets_chunks_of_every_class),
        cmocka_unit_test(test_chunks_of_mixed_sizes_in_one_batch),
        cmocka_unit_test(test_a_batch_is_sent_as_one),
        cmocka_unit_test(test_a_batch_holds_little_memory),
        cmocka_unit_test(test_batches_for_many_owners),
        cmocka_unit_test(test_a_thread_without_arena_sends_each_chunk),
        cmocka_unit_test(test_a_bin_that_runs_empty_takes_what_has_arrived),
        cmocka_unit_test(test_a_long_backlog_is_received_in_steps),
        cmocka_unit_test(test_the_inbox_of_a_pooled_arena_is_unpacked_by_the_pusher),
        cmocka_unit_test(test_forgotten_chunks_are_not_sent),
        cmocka_unit_test(test_parcels_do_not_reveal_addresses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
