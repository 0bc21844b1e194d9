/*
 * Size classes, exhaustively: every size gets the smallest class that holds it, and for every
 * offset into a slab the index by multiplication says whether a chunk starts there.
 */
#include "unit/unit.h"

#include "bins/size_class.h"

static void test_every_size_has_the_smallest_class_that_fits(void **state)
{
    (void)state;
    for (size_t size = 0; size <= SMALL_MAX; size++) {
        unsigned size_class = size_class_of(size);

        assert_true(size_class < SIZE_CLASSES);
        assert_true(size_classes[size_class].size >= size);
        assert_true(size_class == 0 || size_classes[size_class - 1].size < size);
    }
}

static void test_waste_is_at_most_an_eighth_above_128_bytes(void **state)
{
    (void)state;
    for (size_t size = 129; size <= SMALL_MAX; size++)
        assert_true((size_classes[size_class_of(size)].size - size) * 8 <= size);
}

static void test_tiny_and_spaced_formulas_agree(void **state)
{
    (void)state;
    for (size_t size = 129; size <= TINY_MAX; size++)
        assert_int_equal(tiny_class(size), spaced_class(size));
    for (size_t size = 1; size <= SMALL_MAX; size++)
        assert_int_equal(any_class(size), size_class_of(size));
    assert_int_equal(tiny_class(TINY_MAX), TINY_CLASSES - 1);
    assert_int_equal(spaced_class(TINY_MAX + 1), TINY_CLASSES);
}

static void test_classes_are_multiples_of_the_alignment_and_grow(void **state)
{
    (void)state;
    for (unsigned size_class = 0; size_class < SIZE_CLASSES; size_class++) {
        assert_int_equal(size_classes[size_class].size % CHUNK_ALIGN, 0);
        assert_true(size_class == 0 ||
                    size_classes[size_class].size > size_classes[size_class - 1].size);
    }
    assert_int_equal(size_classes[0].size, CHUNK_ALIGN);
    assert_int_equal(size_classes[SIZE_CLASSES - 1].size, SMALL_MAX);
}

static void test_slabs_hold_their_chunks(void **state)
{
    (void)state;
    for (unsigned index = 0; index < SIZE_CLASSES; index++) {
        const struct size_class *shape = &size_classes[index];
        size_t bytes = (size_t)shape->units * UNIT_SIZE;

        assert_int_equal(shape->chunks, bytes / shape->size);
        assert_true(shape->chunks >= 1 && shape->units <= SLAB_UNITS_MAX);
        if (index < TINY_CLASSES)
            assert_true(shape->units == 1 && shape->chunks <= TINY_SLAB_CHUNKS_MAX);
        else
            assert_true(shape->units >= 2 && shape->chunks <= SMALL_SLAB_CHUNKS_MAX);
        /* At most an eighth of a slab is left over at its end. */
        assert_true((bytes - (size_t)shape->chunks * shape->size) * 8 <= bytes);
    }
}

static size_t wrong_offsets(const struct size_class *shape)
{
    size_t wrong = 0;

    for (uint32_t offset = 0; offset < shape->units * (uint32_t)UNIT_SIZE; offset++) {
        uint32_t index = chunk_index(shape, offset);
        bool found = index < shape->chunks && index * shape->size == offset;
        bool start = offset % shape->size == 0 && offset / shape->size < shape->chunks;

        wrong += found != start || (start && index != offset / shape->size);
        /*
         * chunk_find() relies on this: the index is that of the chunk around the offset, or of the
         * next one.
         */
        wrong += index != offset / shape->size && index != offset / shape->size + 1;
    }
    return wrong;
}

static void test_every_offset_of_every_slab(void **state)
{
    (void)state;
    for (unsigned size_class = 0; size_class < SIZE_CLASSES; size_class++)
        assert_int_equal(wrong_offsets(&size_classes[size_class]), 0);
}

static void test_offsets_of_other_slabs_are_no_chunks(void **state)
{
    (void)state;
    /*
     * A stale slab number gives an offset behind the slab, or in front of it, which wraps around.
     */
    for (unsigned index = 0; index < SIZE_CLASSES; index++) {
        const struct size_class *shape = &size_classes[index];

        for (uint32_t distance = 0; distance < 4 * UNIT_SIZE; distance += CHUNK_ALIGN) {
            uint32_t behind = (uint32_t)shape->chunks * shape->size + distance;

            assert_true(chunk_index(shape, behind) >= shape->chunks);
            assert_true(chunk_index(shape, (uint32_t)0 - distance - CHUNK_ALIGN) >= shape->chunks);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_size_has_the_smallest_class_that_fits),
        cmocka_unit_test(test_waste_is_at_most_an_eighth_above_128_bytes),
        cmocka_unit_test(test_tiny_and_spaced_formulas_agree),
        cmocka_unit_test(test_classes_are_multiples_of_the_alignment_and_grow),
        cmocka_unit_test(test_slabs_hold_their_chunks),
        cmocka_unit_test(test_every_offset_of_every_slab),
        cmocka_unit_test(test_offsets_of_other_slabs_are_no_chunks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
