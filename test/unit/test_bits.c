/*
 * Bit maps: ranges that begin and end anywhere, compared with one bit at a time.
 */
#include "unit/unit.h"

#include "base/bits.h"

enum { WORDS = 4, BITS = WORDS * 64 };

static void fill(uint64_t *map, uint64_t value)
{
    for (unsigned word = 0; word < WORDS; word++)
        map[word] = value;
}

static bool inside(unsigned bit, unsigned first, unsigned count)
{
    return bit >= first && bit < first + count;
}

static void check(unsigned first, unsigned count)
{
    static const uint64_t pattern = UINT64_C(0x9249249249249249);
    uint64_t set[WORDS], clear[WORDS], some[WORDS];
    unsigned expected = 0;

    fill(set, 0);
    fill(clear, ~UINT64_C(0));
    fill(some, pattern);
    bits_set(set, first, count);
    bits_clear(clear, first, count);
    for (unsigned bit = 0; bit < BITS; bit++) {
        assert_int_equal(bit_get(set, bit), inside(bit, first, count));
        assert_int_equal(bit_get(clear, bit), !inside(bit, first, count));
        expected += inside(bit, first, count) && bit_get(some, bit);
    }
    assert_int_equal(bits_count(some, first, count), expected);
    assert_int_equal(bits_count(set, 0, BITS), count);
}

static void test_ranges_begin_and_end_anywhere(void **state)
{
    (void)state;
    for (unsigned first = 0; first < BITS; first++)
        for (unsigned count = 0; first + count <= BITS; count++)
            check(first, count);
}

/* Other bits of the words stay as they are. */
static void test_other_bits_stay(void **state)
{
    (void)state;
    uint64_t map[WORDS];

    fill(map, UINT64_C(0xaaaaaaaaaaaaaaaa));
    bits_set(map, 3, 3);
    bits_clear(map, 61, 6);
    assert_int_equal(map[0], UINT64_C(0x0aaaaaaaaaaaaaba));
    assert_int_equal(map[1], UINT64_C(0xaaaaaaaaaaaaaaa8));
    assert_int_equal(map[2], UINT64_C(0xaaaaaaaaaaaaaaaa));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ranges_begin_and_end_anywhere),
        cmocka_unit_test(test_other_bits_stay),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
