/*
 * Remote frees: the short way by the address, and arenas that wait for their repair.
 */
#include "unit/unit.h"

#include "arena/remote.h"
#include "support/require.h"

static void free_remotely(struct arena *self, void *pointer)
{
    struct chunk chunk = unit_chunk(pointer);

    REQUIRE(chunk.kind == STATE_LIVE, "%p is not live", pointer);
    remote_free(self, &chunk);
}

static struct parcel *inbox(struct arena *arena)
{
    return atomic_load(&arena->inbox);
}

static void test_a_damaged_arena_only_gets_marks(void **state)
{
    (void)state;
    struct arena *self = unit_arena(), *owner = unit_arena();
    void *tiny = unit_alloc(owner, 100), *small = unit_alloc(owner, 2000);

    atomic_store(&owner->damaged, true);
    assert_false(remote_free_aligned(self, (uintptr_t)tiny, owner->tiny_tag));
    assert_false(remote_free_aligned(self, (uintptr_t)small, owner->small_tag));
    assert_int_equal(unit_chunk(tiny).kind, STATE_LIVE);
    assert_int_equal(unit_chunk(small).kind, STATE_LIVE);
    free_remotely(self, tiny);
    free_remotely(self, small);
    assert_int_equal(unit_chunk(tiny).kind, STATE_REMOTE);
    assert_int_equal(unit_chunk(small).kind, STATE_REMOTE);
    remote_send_all(self);
    assert_null(inbox(owner));
}

static void test_the_short_way(void **state)
{
    (void)state;
    struct arena *self = unit_arena(), *owner = unit_arena();

    for (unsigned class = 0; class < SIZE_CLASSES; class ++) {
        size_t size = size_classes[class].size;
        uint16_t tag = class < TINY_CLASSES ? owner->tiny_tag : owner->small_tag;
        char *chunk = unit_alloc(owner, size - 3);
        uintptr_t address = (uintptr_t)chunk;

        /* Inside the chunk, behind it, and after it was freed: refused, and nothing has changed. */
        for (size_t offset = CHUNK_ALIGN; offset <= size; offset += CHUNK_ALIGN)
            assert_false(remote_free_aligned(self, address + offset, tag));
        assert_int_equal(unit_chunk(chunk).kind, STATE_LIVE);
        assert_true(remote_free_aligned(self, address, tag));
        assert_int_equal(unit_chunk(chunk).kind, STATE_REMOTE);
        assert_int_equal(unit_chunk(chunk).requested, size - 3);
        assert_false(remote_free_aligned(self, address, tag));
    }
    assert_int_equal(unit_count_state(owner, STATE_LIVE), 0);
    remote_send_all(self);
    remote_receive_all(owner);
    assert_int_equal(unit_count_state(owner, STATE_REMOTE), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_damaged_arena_only_gets_marks),
        cmocka_unit_test(test_the_short_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
