/*
 * Every size with every alignment, through the public functions: the chunk is aligned, large
 * enough, and of the first possible class, once no classes share slabs any more. What
 * test_size_class.c checks of the tables alone is not repeated.
 */
#include "unit/unit.h"

#include "bins/size_class.h"
#include "support/prefixed.h"

enum { ALIGN_MAX = 1 << 16 };

/*
 * Computed in another way than in the library: the smallest of all chunks that can serve the
 * request.
 */
static size_t smallest_chunk(size_t align, size_t size)
{
    for (unsigned size_class = 0; size_class < SIZE_CLASSES; size_class++) {
        size_t chunk = size_classes[size_class].size;

        /* 63 bytes, the largest slack that a TINY state can express. */
        if (chunk >= size && chunk >= align && chunk % align == 0 &&
            (chunk > TINY_MAX || chunk - size <= 63))
            return chunk;
    }
    return 0;
}

/*
 * Two sizes with the same rounded size request the same chunk, so the search is made once for each
 * step of 16.
 */
static size_t wrong_with(size_t align)
{
    size_t wrong = 0, expected = 0;

    for (size_t size = 0; size <= SMALL_MAX + 1; size++) {
        void *chunk = ft_memalign(align, size);
        size_t usable = ft_malloc_usable_size(chunk);

        if (size % CHUNK_ALIGN <= 1 || size <= TINY_MAX)
            expected = align > UNIT_SIZE
                           ? 0
                           : smallest_chunk(align < CHUNK_ALIGN ? CHUNK_ALIGN : align, size);
        wrong += chunk == NULL || (uintptr_t)chunk % align != 0 || usable < size;
        wrong += expected != 0 && usable != expected;
        ft_free(chunk);
    }
    return wrong;
}

/* While few chunks of a class were requested, a larger one may serve, but not a misaligned one. */
static void test_shared_slabs_keep_alignments(void **state)
{
    (void)state;
    for (size_t align = 1; align <= UNIT_SIZE; align *= 2)
        for (size_t size = 0; size <= UNIT_SIZE; size += 1 + size / 64) {
            void *plain = ft_malloc(size), *chunk = ft_memalign(align, size);

            assert_true((uintptr_t)chunk % align == 0 && ft_malloc_usable_size(chunk) >= size);
            assert_true(ft_malloc_usable_size(plain) >= size);
            ft_free(plain);
            ft_free(chunk);
        }
}

/*
 * Makes so many requests of each class that it shares no other one's slabs any more. Then leaves a
 * used chunk of each class in its stack, so that none has to borrow: the empty slabs that the first
 * classes left have made way for the last ones. Aligned requests never borrow.
 */
static void use_all_classes(void)
{
    enum { MANY = 256, ONE_BY_ONE = 16 };
    static void *chunks[MANY];

    for (unsigned size_class = 0; size_class < SIZE_CLASSES; size_class++) {
        for (unsigned n = 0; n < MANY; n++)
            chunks[n] = ft_malloc(size_classes[size_class].size);
        for (unsigned n = 0; n < MANY; n++)
            ft_free(chunks[n]);
    }
    for (unsigned size_class = 0; size_class < SIZE_CLASSES; size_class++)
        for (unsigned n = 0; n < ONE_BY_ONE; n++)
            ft_free(ft_memalign(CHUNK_ALIGN * 2, size_classes[size_class].size));
}

static void test_every_size_with_every_alignment(void **state)
{
    (void)state;
    use_all_classes();
    for (size_t align = 1; align <= UNIT_SIZE; align *= 2)
        assert_int_equal(wrong_with(align), 0);
}

/* Each of these is a mapping of its own, so only some of the sizes are tried. */
static void test_alignments_above_a_unit(void **state)
{
    (void)state;
    for (size_t align = UNIT_SIZE * 2; align <= ALIGN_MAX; align *= 2)
        for (size_t size = 0; size <= SMALL_MAX + 1; size += 4093) {
            void *chunk = ft_memalign(align, size);

            assert_true(chunk != NULL && (uintptr_t)chunk % align == 0 &&
                        ft_malloc_usable_size(chunk) >= size);
            ft_free(chunk);
        }
}

static void test_the_first_size_above_the_classes_is_large(void **state)
{
    void *chunk = ft_malloc(SMALL_MAX + 1);

    (void)state;
    assert_true(ft_malloc_usable_size(chunk) > SMALL_MAX);
    ft_free(chunk);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shared_slabs_keep_alignments),
        cmocka_unit_test(test_every_size_with_every_alignment),
        cmocka_unit_test(test_alignments_above_a_unit),
        cmocka_unit_test(test_the_first_size_above_the_classes_is_large),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
