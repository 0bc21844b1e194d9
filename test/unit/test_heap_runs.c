/*
 * Which runs of units a heap hands out: the lowest run that fits, joined from what was returned.
 * And which arena an address belongs to.
 */
#include "unit/unit.h"

#include "bins/heap.h"
#include "support/rng.h"

/* The longest run that heap_set_take() can search for. */
enum { RUN_UNITS_MAX = 64 };

static void test_neighbouring_runs_join(void **state)
{
    (void)state;
    struct heap_set *set = &unit_arena()->tiny;
    unsigned count = unit_units_per_heap(set), first;
    struct heap *heap = unit_take_units(set, 1, &first);

    for (unsigned i = 1; i < count; i++)
        unit_take_units(set, 1, &first);
    for (unsigned step = 0; step < 3; step++)
        for (unsigned unit = heap_first_unit(heap) + step; unit < heap_units(heap); unit += 3)
            heap_give(heap, unit, 1);
    assert_int_equal(heap->free_units, count);
    /* Taking the longest runs one after the other leaves no unit over. */
    for (unsigned left = count, next = heap_first_unit(heap), units; left > 0; left -= units) {
        units = left < RUN_UNITS_MAX ? left : RUN_UNITS_MAX;
        assert_ptr_equal(unit_take_units(set, units, &first), heap);
        assert_int_equal(first, next);
        next += units;
    }
    assert_int_equal(heap->free_units, 0);
    assert_int_equal(unit_count_heaps(set), 1);
}

/* The lowest run of free units that is long enough, found the slow way. */
static unsigned lowest_run(const struct heap *heap, unsigned units)
{
    unsigned length = 0;

    for (unsigned unit = heap_first_unit(heap); unit < heap_units(heap); unit++) {
        length = heap->vacant[unit / 64] >> unit % 64 & 1 ? length + 1 : 0;
        if (length == units)
            return unit + 1 - units;
    }
    return heap_units(heap);
}

static void find_runs_among(struct heap_set *set, unsigned in_use_of_8, struct rng *rng)
{
    unsigned count = unit_units_per_heap(set), first, expected;
    struct heap *heap = unit_take_units(set, 1, &first);

    for (unsigned i = 1; i < count; i++)
        assert_ptr_equal(unit_take_units(set, 1, &first), heap);
    for (unsigned unit = heap_first_unit(heap); unit < heap_units(heap);) {
        /* Runs of up to a word and a half, at all places in a word. */
        unsigned length = 1 + (unsigned)rng_below(rng, 96);
        bool give = rng_below(rng, 8) >= in_use_of_8;

        length = length < heap_units(heap) - unit ? length : heap_units(heap) - unit;
        if (give)
            heap_give(heap, unit, length);
        unit += length;
    }
    for (unsigned units = 1; units <= RUN_UNITS_MAX; units++) {
        expected = lowest_run(heap, units);
        /* If the heap has no such run, another heap supplies it. */
        if (expected == heap_units(heap))
            continue;
        assert_ptr_equal(unit_take_units(set, units, &first), heap);
        assert_int_equal(first, expected);
        if (units % 3 != 0)
            heap_give(heap, first, units);
    }
}

static void test_the_lowest_run_of_any_length_is_found(void **state)
{
    (void)state;
    struct rng rng = rng_stream(7, 1);

    for (unsigned in_use_of_8 = 1; in_use_of_8 < 8; in_use_of_8++) {
        find_runs_among(&unit_arena()->tiny, in_use_of_8, &rng);
        find_runs_among(&unit_arena()->small, in_use_of_8, &rng);
    }
}

static void test_a_run_that_is_too_short_is_skipped(void **state)
{
    (void)state;
    struct heap_set *set = &unit_arena()->small;
    unsigned first[5], again;
    struct heap *heap = unit_take_units(set, 4, &first[0]);

    for (unsigned i = 1; i < 5; i++)
        assert_ptr_equal(unit_take_units(set, 4, &first[i]), heap);
    heap_give(heap, first[0], 4);
    heap_give(heap, first[2], 4);
    heap_give(heap, first[3], 4);
    unit_take_units(set, 5, &again);
    assert_int_equal(again, first[2]);
    unit_take_units(set, 4, &again);
    assert_int_equal(again, first[0]);
    unit_take_units(set, 4, &again);
    assert_true(again > first[4]);
}

static void test_every_address_of_a_heap_is_owned_and_no_other(void **state)
{
    (void)state;
    struct arena *arena = unit_arena();
    unsigned first;
    struct heap *heap = unit_take_units(&arena->small, 1, &first);
    uintptr_t end = heap->base + SMALL_HEAP_SIZE;

    for (uintptr_t at = heap->base; at < end; at += CHUNK_ALIGN)
        assert_true(heap_owned(&cache_first(arena)->own_small, at, SMALL_HEAP_SHIFT));
    /* A value that is not aligned is nobody's chunk. */
    for (uintptr_t at = heap->base; at < end; at += UNIT_SIZE)
        for (uintptr_t offset = 1; offset < CHUNK_ALIGN; offset++)
            assert_false(heap_owned(&cache_first(arena)->own_small, at + offset, SMALL_HEAP_SHIFT));
    assert_false(heap_owned(&cache_first(arena)->own_small, end - 1, SMALL_HEAP_SHIFT));
    assert_false(heap_owned(&cache_first(arena)->own_small, heap->base - 1, SMALL_HEAP_SHIFT));
    assert_false(
        heap_owned(&cache_first(arena)->own_small, heap->base - CHUNK_ALIGN, SMALL_HEAP_SHIFT));
    assert_false(heap_owned(&cache_first(arena)->own_small, end, SMALL_HEAP_SHIFT));
    /*
     * No value is mistaken for an empty entry, in an arena that never had a heap and in one that
     * had.
     */
    assert_int_equal(cache_first(arena)->own_tiny.of[0], OWN_NONE);
    for (uintptr_t number = 0; number < 4 * OWN_HEAPS; number++)
        for (uintptr_t offset = 0; offset <= 2 * CHUNK_ALIGN; offset++) {
            uintptr_t tiny_at = (number << TINY_HEAP_SHIFT) + offset;
            uintptr_t small_at = (number << SMALL_HEAP_SHIFT) + offset;

            assert_false(heap_owned(&cache_first(arena)->own_tiny, tiny_at, TINY_HEAP_SHIFT));
            assert_false(heap_owned(&cache_none.own_tiny, tiny_at, TINY_HEAP_SHIFT));
            assert_false(heap_owned(&cache_none.own_small, small_at, SMALL_HEAP_SHIFT));
        }
}

static void test_an_entry_of_an_unmapped_heap_owns_nothing(void **state)
{
    (void)state;
    struct heap_set *set = &unit_arena()->tiny;

    /* Makes more heaps than there are entries, so that each entry is written and cleared again. */
    for (unsigned n = 0; n < OWN_HEAPS + 8; n++)
        unit_take_heap(set);
    while (set->heaps != NULL) {
        unit_give_heap(set->heaps);
        heap_set_trim(set);
    }
    for (unsigned entry = 0; entry < OWN_HEAPS; entry++)
        assert_int_equal(set->own->of[entry], entry == 0 ? OWN_NONE : 0);
    unit_forget_heaps(set);
    for (unsigned entry = 0; entry < OWN_HEAPS; entry++)
        assert_int_equal(set->own->of[entry], entry == 0 ? OWN_NONE : 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_neighbouring_runs_join),
        cmocka_unit_test(test_the_lowest_run_of_any_length_is_found),
        cmocka_unit_test(test_a_run_that_is_too_short_is_skipped),
        cmocka_unit_test(test_every_address_of_a_heap_is_owned_and_no_other),
        cmocka_unit_test(test_an_entry_of_an_unmapped_heap_owns_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
