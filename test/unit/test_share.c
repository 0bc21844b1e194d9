/*
 * Sharing: the first requests of a class are served by a larger one. Which one that is, how much
 * that wastes at most, and who does not share.
 */
#include "unit.h"

#include "bins/bin.h"
#include "bins/slab.h"

enum { SHARED_MOST = 100, SHARED_WASTE = 4 << 10 };

static size_t size_of(unsigned size_class)
{
    return size_classes[size_class].size;
}

/* Returns an arena like the first one of a process. */
static struct arena *sharing_arena(void)
{
    struct arena *arena = unit_arena();

    cache_first(arena)->stacks.shares = true;
    return arena;
}

/* Allocates as malloc does. */
static void *alloc(struct arena *arena, size_t size)
{
    void *pointer = cache_alloc(cache_first(arena), size_class_of(size), size, NULL);

    assert_non_null(pointer);
    return pointer;
}

static unsigned slabs_of(struct arena *arena)
{
    unsigned slabs = 0;

    for (unsigned size_class = 0; size_class < SIZE_CLASSES; size_class++)
        slabs += arena->bins.of[size_class].current != NULL;
    return slabs;
}

static void test_a_few_small_sizes_share_the_slabs_of_larger_ones(void **state)
{
    (void)state;
    struct arena *arena = sharing_arena();

    for (size_t size = 0; size <= 128; size++)
        if (size % CHUNK_ALIGN == 1) {
            void *pointer = alloc(arena, size);
            size_t usable = size <= 32 ? 32 : size <= 64 ? 64 : 128;

            assert_int_equal(unit_chunk(pointer).usable, usable);
            assert_int_equal(unit_chunk(pointer).requested, size);
            assert_int_equal(unit_chunk(pointer).kind, STATE_LIVE);
        }
    assert_int_equal(slabs_of(arena), 3);
    unit_check_bin(arena, &cache_first(arena)->stacks.of[size_class_of(32)], 2);
}

/* The first one has the largest chunk whose state can tell the slack; the others use its slab. */
static void test_a_few_larger_sizes_share_the_slab_of_their_neighbour(void **state)
{
    (void)state;
    struct arena *arena = sharing_arena();

    assert_int_equal(unit_chunk(alloc(arena, 145)).usable, 208);
    assert_int_equal(unit_chunk(alloc(arena, 160)).usable, 208);
    assert_int_equal(unit_chunk(alloc(arena, 208)).usable, 208);
    assert_int_equal(slabs_of(arena), 1);
    assert_int_equal(unit_chunk(alloc(arena, 225)).usable, 288);
    assert_int_equal(unit_chunk(alloc(arena, 424)).usable, 480);
    assert_int_equal(unit_chunk(alloc(arena, 472)).usable, 480);
    assert_int_equal(unit_chunk(alloc(arena, 481)).usable, 512);
    assert_int_equal(slabs_of(arena), 4);
    /* The nearest slab serves, not the largest one. */
    assert_int_equal(unit_chunk(alloc(arena, 130)).usable, 144);
    assert_int_equal(unit_chunk(alloc(arena, 140)).usable, 144);
    for (size_t size = 129; size <= TINY_MAX; size++) {
        void *pointer = alloc(arena, size);
        struct chunk chunk = unit_chunk(pointer);

        assert_int_equal(chunk.requested, size);
        assert_true(chunk.usable >= size && chunk.usable - size <= TINY_SLACK_MAX);
        unit_free(arena, pointer);
        assert_int_equal(unit_chunk(pointer).kind, STATE_FREE);
    }
}

static void test_sizes_up_to_2_kib_share_a_slab(void **state)
{
    (void)state;
    struct arena *arena = sharing_arena();

    assert_int_equal(unit_chunk(alloc(arena, 1025)).usable, 2048);
    assert_int_equal(unit_chunk(alloc(arena, 1600)).usable, 2048);
    assert_int_equal(unit_chunk(alloc(arena, 2049)).usable, 2304);
    assert_int_equal(unit_chunk(alloc(arena, 1024)).usable, 2048);
    assert_int_equal(slabs_of(arena), 2);
}

static void test_what_sharing_wastes_is_bounded(void **state)
{
    (void)state;
    for (unsigned size_class = 0; size_class < SIZE_CLASSES; size_class++) {
        struct arena *arena = sharing_arena();
        size_t size = size_of(size_class), wasted = 0, requests = 0;
        struct chunk chunk;

        for (; chunk = unit_chunk(alloc(arena, size)), chunk.usable != size; requests++)
            wasted += chunk.usable - size;
        assert_true(wasted <= SHARED_WASTE && requests <= SHARED_MOST);
        /* It never shares again. */
        for (unsigned n = 0; n < 3; n++)
            unit_free(arena, alloc(arena, size));
        cache_flush(cache_first(arena));
        assert_int_equal(unit_chunk(alloc(arena, size)).usable, size);
    }
}

/* A class that has a slab, because an aligned request needed one, uses it. */
static void test_a_class_with_a_slab_shares_nothing(void **state)
{
    (void)state;
    for (unsigned size_class = 0; size_class < SIZE_CLASSES; size_class++) {
        struct arena *arena = sharing_arena();

        unit_alloc(arena, size_of(size_class));
        assert_int_equal(unit_chunk(alloc(arena, size_of(size_class))).size_class, size_class);
        assert_int_equal(slabs_of(arena), 1);
    }
}

static void test_aligned_requests_share_nothing(void **state)
{
    (void)state;
    for (unsigned size_class = 0; size_class < SIZE_CLASSES; size_class++)
        assert_int_equal(unit_chunk(unit_alloc(sharing_arena(), size_of(size_class))).size_class,
                         size_class);
}

static void test_a_thread_with_an_arena_of_its_own_shares_nothing(void **state)
{
    (void)state;
    struct arena *arena;

    unit_arena();
    arena = unit_arena();
    assert_false(cache_first(arena)->stacks.shares);
    assert_true(cache_create(arena)->stacks.shares);
    for (unsigned size_class = 0; size_class < SIZE_CLASSES; size_class++)
        assert_int_equal(unit_chunk(alloc(arena, size_of(size_class))).size_class, size_class);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_a_few_small_sizes_share_the_slabs_of_larger_ones,
                                  unit_flush_all),
        cmocka_unit_test_teardown(test_a_few_larger_sizes_share_the_slab_of_their_neighbour,
                                  unit_flush_all),
        cmocka_unit_test_teardown(test_sizes_up_to_2_kib_share_a_slab, unit_flush_all),
        cmocka_unit_test_teardown(test_what_sharing_wastes_is_bounded, unit_flush_all),
        cmocka_unit_test_teardown(test_a_class_with_a_slab_shares_nothing, unit_flush_all),
        cmocka_unit_test_teardown(test_a_thread_with_an_arena_of_its_own_shares_nothing,
                                  unit_flush_all),
        cmocka_unit_test_teardown(test_aligned_requests_share_nothing, unit_flush_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
