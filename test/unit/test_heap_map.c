/*
 * The heap map: what it says of any value whatever. The heaps here are only entered, never mapped.
 */
#include "unit/unit.h"

#include "base/structure_lock.h"
#include "bins/heap_map.h"
#include "os/os.h"

enum { TINY_SIZE = 4 << 20, SMALL_SIZE = 32 << 20, SOME_TAG = 0x1234 };

static const uintptr_t leaf_span = (uintptr_t)1 << MAP_ROOT_SHIFT;
/* An address range that the kernel does not use. */
static const uintptr_t nowhere = (uintptr_t)1 << 44;

static bool enter_units(uintptr_t base, size_t size, unsigned units, uint16_t tag)
{
    bool entered;

    structure_lock_write();
    entered = heap_map_set(base, size, units, tag);
    structure_unlock();
    return entered;
}

/*
 * A heap whose units fill its whole range. No real heap is like that; the end of the units has a
 * test of its own.
 */
static bool enter(uintptr_t base, size_t size, uint16_t tag)
{
    return enter_units(base, size, (unsigned)(size / UNIT_SIZE), tag);
}

static void leave(uintptr_t base, size_t size)
{
    structure_lock_write();
    heap_map_clear(base, size);
    structure_unlock();
}

static void test_values_outside_of_all_heaps(void **state)
{
    (void)state;
    int on_the_stack = 0;
    static const uintptr_t values[] = {0,
                                       1,
                                       16,
                                       OS_PAGE,
                                       (uintptr_t)1 << 46,
                                       (uintptr_t)1 << 47,
                                       (uintptr_t)1 << 48,
                                       (uintptr_t)1 << 63,
                                       UINTPTR_MAX - 15,
                                       UINTPTR_MAX};

    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++)
        assert_int_equal(heap_map_tag(values[i]), TAG_NONE);
    assert_int_equal(heap_map_tag((uintptr_t)&on_the_stack), TAG_NONE);
    assert_int_equal(heap_map_tag((uintptr_t)&first_memory.map), TAG_NONE);
    assert_int_equal(heap_map_tag((uintptr_t)(void *)test_values_outside_of_all_heaps), TAG_NONE);
    for (uintptr_t bit = 1; bit != 0; bit <<= 1)
        assert_int_equal(heap_map_tag(bit), TAG_NONE);
}

static void test_a_tag_covers_its_heap_and_nothing_else(void **state)
{
    (void)state;
    static const size_t sizes[] = {TINY_SIZE, SMALL_SIZE};

    for (size_t i = 0; i < 2; i++) {
        assert_true(enter(nowhere, sizes[i], SOME_TAG));
        for (uintptr_t at = nowhere; at < nowhere + sizes[i]; at += 1 << 20)
            assert_int_equal(heap_map_tag(at), SOME_TAG);
        assert_int_equal(heap_map_tag(nowhere + sizes[i] - 1), SOME_TAG);
        assert_int_equal(heap_map_tag(nowhere + 12345), SOME_TAG);
        assert_int_equal(heap_map_tag(nowhere - 1), TAG_NONE);
        assert_int_equal(heap_map_tag(nowhere + sizes[i]), TAG_NONE);
        /* The same place in another leaf, and addresses with bits that no address has. */
        assert_int_equal(heap_map_tag(nowhere + leaf_span), TAG_NONE);
        assert_int_equal(heap_map_tag(nowhere | (uintptr_t)1 << 48), TAG_NONE);
        assert_int_equal(heap_map_tag(nowhere | (uintptr_t)1 << 63), TAG_NONE);
        leave(nowhere, sizes[i]);
        assert_int_equal(heap_map_tag(nowhere), TAG_NONE);
        assert_int_equal(heap_map_tag(nowhere + sizes[i] - 1), TAG_NONE);
    }
}

/* Behind the units is a guard, or anything else. */
static void test_a_tag_ends_with_the_units(void **state)
{
    static const struct {
        size_t size;
        unsigned units;
    } heaps[] = {
        {TINY_SIZE, 255},   {TINY_SIZE, 31},    {TINY_SIZE, 1},
        {SMALL_SIZE, 2047}, {SMALL_SIZE, 1024}, {SMALL_SIZE, 255},
    };

    (void)state;
    for (size_t i = 0; i < sizeof heaps / sizeof heaps[0]; i++) {
        uintptr_t end = nowhere + (uintptr_t)heaps[i].units * UNIT_SIZE;

        assert_true(enter_units(nowhere, heaps[i].size, heaps[i].units, SOME_TAG));
        for (uintptr_t at = nowhere; at < end; at += UNIT_SIZE) {
            assert_int_equal(heap_map_tag(at), SOME_TAG);
            assert_int_equal(heap_map_tag(at + UNIT_SIZE - 1), SOME_TAG);
        }
        for (uintptr_t at = end; at < nowhere + heaps[i].size; at += UNIT_SIZE) {
            assert_int_equal(heap_map_tag(at), TAG_NONE);
            assert_int_equal(heap_map_tag(at + UNIT_SIZE - 1), TAG_NONE);
        }
        leave(nowhere, heaps[i].size);
        assert_int_equal(heap_map_tag(nowhere), TAG_NONE);
    }
}

static void test_neighbours_keep_their_own_tags(void **state)
{
    (void)state;
    enum { COUNT = 64 };

    for (unsigned i = 0; i < COUNT; i++)
        assert_true(enter(nowhere + (uintptr_t)i * TINY_SIZE, TINY_SIZE, (uint16_t)(i + 1)));
    for (unsigned i = 0; i < COUNT; i += 2)
        leave(nowhere + (uintptr_t)i * TINY_SIZE, TINY_SIZE);
    for (unsigned i = 0; i < COUNT; i++)
        assert_int_equal(heap_map_tag(nowhere + (uintptr_t)i * TINY_SIZE),
                         i % 2 == 0 ? TAG_NONE : i + 1);
    for (unsigned i = 1; i < COUNT; i += 2)
        leave(nowhere + (uintptr_t)i * TINY_SIZE, TINY_SIZE);
}

static void test_heaps_in_many_leaves(void **state)
{
    (void)state;
    enum { LEAVES = 8 };

    for (unsigned i = 0; i < LEAVES; i++)
        assert_true(enter(nowhere + (i + 1) * leaf_span, SMALL_SIZE, (uint16_t)(i + 1)));
    for (unsigned i = 0; i < LEAVES; i++) {
        assert_int_equal(heap_map_tag(nowhere + (i + 1) * leaf_span), i + 1);
        assert_int_equal(heap_map_tag(nowhere + (i + 1) * leaf_span + SMALL_SIZE), TAG_NONE);
        leave(nowhere + (i + 1) * leaf_span, SMALL_SIZE);
    }
}

static void test_a_heap_over_the_border_of_two_leaves(void **state)
{
    (void)state;
    uintptr_t base = nowhere + 32 * leaf_span - SMALL_SIZE / 2;

    assert_true(enter(base, SMALL_SIZE, SOME_TAG));
    for (uintptr_t at = base; at < base + SMALL_SIZE; at += TINY_SIZE)
        assert_int_equal(heap_map_tag(at), SOME_TAG);
    assert_int_equal(heap_map_tag(base + SMALL_SIZE), TAG_NONE);
    leave(base, SMALL_SIZE);
}

static void test_beyond_the_address_space(void **state)
{
    (void)state;
    uintptr_t end = (uintptr_t)1 << ADDRESS_BITS;

    assert_false(enter(end, TINY_SIZE, SOME_TAG));
    assert_false(enter(end - TINY_SIZE, SMALL_SIZE, SOME_TAG));
    assert_int_equal(heap_map_tag(end - TINY_SIZE), TAG_NONE);
    assert_true(enter(end - TINY_SIZE, TINY_SIZE, SOME_TAG));
    assert_int_equal(heap_map_tag(end - 1), SOME_TAG);
    leave(end - TINY_SIZE, TINY_SIZE);
}

static void test_without_memory_for_a_leaf_nothing_changes(void **state)
{
    (void)state;
    uintptr_t base = nowhere + 64 * leaf_span;
    unsigned used = 0;

    /* The first leaves are static and need no memory. */
    os_fail_after(1, true);
    while (enter(base + used * leaf_span, TINY_SIZE, SOME_TAG))
        used++;
    assert_int_equal(heap_map_tag(base + used * leaf_span), TAG_NONE);
    /*
     * The heap crosses a border between leaves. The first half has its leaf already, the second has
     * none.
     */
    os_fail_after(2, true);
    assert_false(enter(base + (used + 1) * leaf_span - TINY_SIZE, 2 * TINY_SIZE, SOME_TAG));
    os_fail_after(0, false);
    assert_int_equal(heap_map_tag(base + (used + 1) * leaf_span - TINY_SIZE), TAG_NONE);
    assert_true(enter(base + used * leaf_span, TINY_SIZE, SOME_TAG));
    for (unsigned i = 0; i <= used; i++)
        leave(base + i * leaf_span, TINY_SIZE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values_outside_of_all_heaps),
        cmocka_unit_test(test_a_tag_covers_its_heap_and_nothing_else),
        cmocka_unit_test(test_a_tag_ends_with_the_units),
        cmocka_unit_test(test_neighbours_keep_their_own_tags),
        cmocka_unit_test(test_heaps_in_many_leaves),
        cmocka_unit_test(test_a_heap_over_the_border_of_two_leaves),
        cmocka_unit_test(test_beyond_the_address_space),
        cmocka_unit_test(test_without_memory_for_a_leaf_nothing_changes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
