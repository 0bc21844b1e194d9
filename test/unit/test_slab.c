/*
 * Slabs: the order in which chunks are taken, the counts, what is known to be zero, and rebuilding
 * from states.
 */
#include "unit/unit.h"

#include "base/bits.h"
#include "bins/heap_pages.h"
#include "bins/page_look.h"
#include "bins/slab.h"
#include "support/pattern.h"

#include <string.h>

/*
 * The smallest and the largest class of each zone, a size that is no power of two, and one that
 * leaves a remainder at the end of its slab.
 */
static const unsigned some_classes[] = {
    0, 6, 7, 16, TINY_CLASSES - 1, TINY_CLASSES, 37, 60, SIZE_CLASSES - 1};

enum { SOME_CLASSES = sizeof some_classes / sizeof some_classes[0] };

static struct slab *create(struct arena *arena, unsigned size_class)
{
    struct slab *slab =
        slab_create(size_class < TINY_CLASSES ? &arena->tiny : &arena->small, size_class);

    assert_non_null(slab);
    return slab;
}

static void put(struct slab *slab, unsigned index)
{
    slab_put(slab, index);
    slab->free++;
}

static unsigned vacant_bits(const struct slab *slab)
{
    unsigned count = 0;

    for (size_t word = 0; word * 64 < size_classes[slab->size_class].chunks; word++)
        count += (unsigned)__builtin_popcountll(slab->vacant[word]);
    return count;
}

static void test_a_new_slab_is_vacant_and_has_an_identity(void **state)
{
    (void)state;
    struct arena *arena = unit_arena();

    for (unsigned size_class = 0; size_class < SIZE_CLASSES; size_class++) {
        struct slab *slab = create(arena, size_class);
        uint64_t identity = atomic_load(&slab->identity);

        assert_int_equal(slab->free, size_classes[size_class].chunks);
        assert_int_equal(vacant_bits(slab), slab->free);
        assert_int_equal(slab->fresh, 0);
        assert_int_equal(identity & 1, 1);
        assert_int_equal(identity_class(identity), size_class);
        assert_int_equal(slab_start(slab),
                         slab_heap(slab)->base + (uintptr_t)identity_unit(identity) * UNIT_SIZE);
        assert_ptr_equal(slab_heap(slab)->arena, arena);
    }
}

static void test_chunks_are_taken_in_address_order(void **state)
{
    (void)state;
    struct arena *arena = unit_arena();
    static void *out[TINY_SLAB_CHUNKS_MAX];

    for (unsigned i = 0; i < SOME_CLASSES; i++) {
        const struct size_class *shape = &size_classes[some_classes[i]];
        struct slab *slab = create(arena, some_classes[i]);
        unsigned taken = 0;

        /* Takes 1, 2, 3 ... chunks at a time, and in the end more than are left. */
        for (unsigned most = 1; slab->free > 0; most++) {
            unsigned left = slab->free;
            unsigned count = slab_take(slab, out, most);

            assert_int_equal(count, most < left ? most : left);
            assert_int_equal(slab->free, left - count);
            assert_int_equal(vacant_bits(slab), slab->free);
            for (unsigned at = 0; at < count; at++)
                assert_int_equal((uintptr_t)out[count - 1 - at],
                                 slab_start(slab) + (uintptr_t)(taken + at) * shape->size);
            taken += count;
        }
        assert_int_equal(taken, shape->chunks);
    }
}

static void test_all_chunks_at_once(void **state)
{
    (void)state;
    struct arena *arena = unit_arena();
    static void *out[TINY_SLAB_CHUNKS_MAX];

    for (unsigned size_class = 0; size_class < SIZE_CLASSES; size_class++) {
        struct slab *slab = create(arena, size_class);
        unsigned count = slab_take(slab, out, TINY_SLAB_CHUNKS_MAX);

        assert_int_equal(count, size_classes[size_class].chunks);
        assert_int_equal(vacant_bits(slab), 0);
        for (unsigned at = 0; at < count; at++)
            assert_int_equal((uintptr_t)out[count - 1 - at],
                             slab_start(slab) + (uintptr_t)at * size_classes[size_class].size);
    }
}

static void test_the_lowest_vacant_chunk_is_taken_first_again(void **state)
{
    (void)state;
    struct slab *slab = create(unit_arena(), 2);
    static void *out[TINY_SLAB_CHUNKS_MAX];
    unsigned size = size_classes[2].size;

    slab_take(slab, out, 200);
    put(slab, 150);
    put(slab, 3);
    put(slab, 64);
    assert_int_equal(slab_take(slab, out, 4), 4);
    assert_int_equal((uintptr_t)out[3], slab_start(slab) + 3 * (uintptr_t)size);
    assert_int_equal((uintptr_t)out[2], slab_start(slab) + 64 * (uintptr_t)size);
    assert_int_equal((uintptr_t)out[1], slab_start(slab) + 150 * (uintptr_t)size);
    assert_int_equal((uintptr_t)out[0], slab_start(slab) + 200 * (uintptr_t)size);
}

static void test_only_chunks_that_were_never_out_are_clean(void **state)
{
    (void)state;
    struct arena *arena = unit_arena();

    for (unsigned i = 0; i < SOME_CLASSES; i++) {
        const struct size_class *shape = &size_classes[some_classes[i]];
        struct slab *slab = create(arena, some_classes[i]);
        void *again;

        for (unsigned index = 0; index < shape->chunks; index++) {
            char *chunk = slab_take_clean(slab);

            assert_non_null(chunk);
            assert_int_equal(pattern_first_nonzero(chunk, shape->size), shape->size);
            memset(chunk, 0xee, shape->size);
            /* The same units are not zero when the class gets them again. */
            put(slab, index);
            assert_null(slab_take_clean(slab));
            assert_int_equal(slab_take(slab, &again, 1), 1);
            assert_ptr_equal(again, chunk);
        }
        assert_int_equal(slab->free, 0);
        assert_null(slab_take_clean(slab));
    }
}

static void test_a_slab_in_used_memory_has_no_clean_chunks(void **state)
{
    (void)state;
    struct arena *arena = unit_arena();
    unsigned size_class = TINY_CLASSES + 3;
    struct slab *slab = create(arena, size_class);
    void *out[SMALL_SLAB_CHUNKS_MAX];
    unsigned count = slab_take(slab, out, SMALL_SLAB_CHUNKS_MAX);

    memset((void *)slab_start(slab), 0xee, size_classes[size_class].units * (size_t)UNIT_SIZE);
    for (unsigned index = 0; index < count; index++)
        put(slab, index);
    slab_destroy(slab);
    slab = create(arena, size_class);
    assert_null(slab_take_clean(slab));
    assert_int_equal(slab_take(slab, out, 1), 1);
    assert_int_equal(*(char *)out[0], (char)0xee);
}

/*
 * If a page is lost to a hole, the slab hides the chunks on it, also those that were never out. So
 * the count of free chunks does not tell which chunk is next.
 */
static void test_hidden_chunks_do_not_make_others_clean(void **state)
{
    (void)state;
    unsigned size_class = size_class_of(5000), last = size_classes[size_class].chunks - 1;
    struct slab *slab = create(unit_arena(), size_class);
    uint64_t *lost = heap_page_map(slab_heap(slab), PAGES_LOST);
    unsigned page = slab->first_unit * UNIT_PAGES + last * size_classes[size_class].size / OS_PAGE;
    void *out[3];

    assert_int_equal(slab_take(slab, out, 3), 3);
    *(char *)out[2] = (char)0xee;
    put(slab, 0);
    /* A page that only the last chunk uses. */
    bits_set(lost, page + 1, 1);
    slab_pages_hide_lost(slab);
    bits_clear(lost, page + 1, 1);
    assert_int_equal(slab->free, last - 2);
    assert_null(slab_take_clean(slab));
    assert_int_equal(slab_take(slab, out, 1), 1);
    assert_int_equal(*(char *)out[0], (char)0xee);
    assert_non_null(slab_take_clean(slab));
}

static void test_a_destroyed_slab_is_not_found(void **state)
{
    (void)state;
    struct arena *arena = unit_arena();

    for (unsigned size_class = 0; size_class < SIZE_CLASSES; size_class++) {
        struct slab *slab = create(arena, size_class), *again;
        uintptr_t start = slab_start(slab);
        uint64_t identity = atomic_load(&slab->identity);

        slab_destroy(slab);
        assert_int_equal(atomic_load(&slab->identity) & 1, 0);
        if (size_class >= TINY_CLASSES)
            assert_null(small_slab(start));
        /*
         * The same class gets the same memory again. A walker can still tell the two slabs apart.
         */
        again = create(arena, size_class);
        assert_ptr_equal(again, slab);
        assert_true(atomic_load(&again->identity) != identity);
        slab_destroy(again);
    }
}

static void test_small_slabs_are_found_from_all_their_units(void **state)
{
    (void)state;
    struct arena *arena = unit_arena();

    for (unsigned size_class = TINY_CLASSES; size_class < SIZE_CLASSES; size_class++) {
        struct slab *slab = create(arena, size_class);

        for (unsigned unit = 0; unit < size_classes[size_class].units; unit++)
            assert_ptr_equal(small_slab(slab_start(slab) + (uintptr_t)unit * UNIT_SIZE), slab);
    }
}

static void test_a_heap_full_of_the_shortest_slabs(void **state)
{
    (void)state;
    struct arena *arena = unit_arena();
    unsigned units = size_classes[TINY_CLASSES].units;
    unsigned count = unit_units_per_heap(&arena->small) / units;

    /* No slab is shorter, so there is a number for each. */
    for (unsigned size_class = TINY_CLASSES; size_class < SIZE_CLASSES; size_class++)
        assert_true(size_classes[size_class].units >= units);
    assert_true(count <= SMALL_SLABS);
    for (unsigned i = 0; i < count; i++)
        create(arena, TINY_CLASSES);
    assert_int_equal(unit_count_heaps(&arena->small), 1);
    assert_int_equal(arena->small.heaps->free_units, unit_units_per_heap(&arena->small) % units);
    create(arena, TINY_CLASSES);
    assert_int_equal(unit_count_heaps(&arena->small), 2);
}

static void rebuild_with_every_third_live(struct arena *arena, unsigned size_class)
{
    struct slab *slab = create(arena, size_class);
    struct heap *heap = slab_heap(slab);
    static void *out[TINY_SLAB_CHUNKS_MAX];
    unsigned count = slab_take(slab, out, TINY_SLAB_CHUNKS_MAX), live = 0;

    for (unsigned at = 0; at < count; at++) {
        struct chunk chunk;

        (void)chunk_find((uintptr_t)out[at], heap->set->tag, &chunk);
        chunk.requested = chunk.usable;
        chunk_mark(&chunk, STATE_LIVE);
        chunk.kind = STATE_LIVE;
        chunk_mark(&chunk, at % 3 == 0 ? STATE_LIVE : at % 3 == 1 ? STATE_FREE : STATE_REMOTE);
        live += at % 3 == 0;
    }
    unit_forget_heaps(heap->set);
    assert_true(slab_rebuild(slab, heap));
    assert_int_equal(slab->free, count - live);
    assert_int_equal(vacant_bits(slab), slab->free);
    for (unsigned at = 0; at < count; at++) {
        unsigned index = count - 1 - at;

        assert_int_equal(slab->vacant[index / 64] >> index % 64 & 1, at % 3 != 0);
    }
    /* Its units are taken, so that it is not built twice. */
    assert_false(slab_rebuild(slab, heap));
}

static void test_rebuilding_from_the_states(void **state)
{
    (void)state;
    for (unsigned i = 0; i < SOME_CLASSES; i++)
        rebuild_with_every_third_live(unit_arena(), some_classes[i]);
}

static void test_units_without_a_slab_are_not_rebuilt(void **state)
{
    (void)state;
    struct arena *arena = unit_arena();
    struct slab *slab = create(arena, 3);
    uint64_t identity = atomic_load(&slab->identity);

    unit_forget_heaps(&arena->tiny);
    atomic_store(&slab->identity, identity & ~UINT64_C(1));
    assert_false(slab_rebuild(slab, arena->tiny.heaps));
    atomic_store(&slab->identity, (identity & ~UINT64_C(0xff00)) | (uint64_t)TINY_CLASSES << 8);
    assert_false(slab_rebuild(slab, arena->tiny.heaps));
    atomic_store(&slab->identity, identity | 0xff00);
    assert_false(slab_rebuild(slab, arena->tiny.heaps));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_new_slab_is_vacant_and_has_an_identity),
        cmocka_unit_test(test_chunks_are_taken_in_address_order),
        cmocka_unit_test(test_all_chunks_at_once),
        cmocka_unit_test(test_the_lowest_vacant_chunk_is_taken_first_again),
        cmocka_unit_test(test_only_chunks_that_were_never_out_are_clean),
        cmocka_unit_test(test_hidden_chunks_do_not_make_others_clean),
        cmocka_unit_test(test_a_slab_in_used_memory_has_no_clean_chunks),
        cmocka_unit_test(test_a_destroyed_slab_is_not_found),
        cmocka_unit_test(test_small_slabs_are_found_from_all_their_units),
        cmocka_unit_test(test_a_heap_full_of_the_shortest_slabs),
        cmocka_unit_test(test_rebuilding_from_the_states),
        cmocka_unit_test(test_units_without_a_slab_are_not_rebuilt),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
