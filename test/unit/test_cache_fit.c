/*
 * The cache of freed LARGE mappings: which of several mappings serves a request.
 */
#include "unit/cache.h"
#include "unit/unit.h"

#include "large/large.h"

enum { MIB = 1 << 20 };

static void test_the_best_fit_is_taken(void **state)
{
    (void)state;
    /*
     * Sizes in KiB. A mapping's size is rounded up to an eighth of a power of two, so all of these
     * differ.
     */
    static const size_t sizes[] = {1300, 1100, 1010, 1200, 950};
    char *chunks[5];

    for (size_t n = 0; n < 5; n++)
        chunks[n] = allocate(sizes[n] << 10);
    for (size_t n = 0; n < 5; n++)
        release(chunks[n]);
    assert_ptr_equal(allocate(1090 << 10), chunks[1]);
    assert_ptr_equal(allocate(1090 << 10), chunks[3]);
    assert_ptr_equal(allocate(950 << 10), chunks[4]);
    assert_ptr_equal(allocate(950 << 10), chunks[2]);
    assert_ptr_equal(allocate(1290 << 10), chunks[0]);
    for (size_t n = 0; n < 5; n++)
        release(chunks[n]);
}

static void test_the_best_fit_in_a_list_is_taken(void **state)
{
    (void)state;
    /* Buffers that have grown have mappings of any size. All of these are in the same list. */
    static const size_t sizes[] = {4352, 4224, 4096, 4480};
    char *chunks[4];

    for (size_t n = 0; n < 4; n++)
        assert_non_null(chunks[n] = large_alloc_growing(sizes[n] << 10, &(bool){false}));
    for (size_t n = 0; n < 4; n++)
        release(chunks[n]);
    assert_ptr_equal(allocate(4 * MIB), chunks[2]);
    assert_ptr_equal(allocate(4 * MIB), chunks[1]);
    assert_ptr_equal(allocate(4 * MIB), chunks[0]);
    assert_ptr_equal(allocate(4 * MIB), chunks[3]);
    for (size_t n = 0; n < 4; n++)
        release(chunks[n]);
}

static void test_aligned_requests_take_aligned_mappings(void **state)
{
    (void)state;
    enum { ALIGN = 2 << 20, MOST = 16 };
    bool clean;
    char *odd, *even[MOST], *chunk, *again;
    unsigned count = 0;

    /* Some mappings have the alignment by chance. */
    while ((uintptr_t)(odd = allocate(3 * MIB)) % ALIGN == 0) {
        assert_true(count < MOST);
        even[count++] = odd;
    }
    release(odd);
    chunk = large_alloc(3 * MIB, ALIGN, &clean);
    assert_non_null(chunk);
    assert_true((uintptr_t)chunk % ALIGN == 0 && chunk != odd);
    assert_true(cached(odd));
    release(chunk);
    again = large_alloc(3 * MIB, ALIGN, &clean);
    assert_ptr_equal(again, chunk);
    assert_false(clean);
    release(again);
    while (count > 0)
        release(even[--count]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_the_best_fit_is_taken, empty),
        cmocka_unit_test_setup(test_the_best_fit_in_a_list_is_taken, empty),
        cmocka_unit_test_setup(test_aligned_requests_take_aligned_mappings, empty),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
