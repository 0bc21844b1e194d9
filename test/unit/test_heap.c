/*
 * Heaps: taking and returning runs of units, joining free runs, which units are known to be zero,
 * and what is unmapped when.
 */
#include "unit/unit.h"

#include "base/structure_lock.h"
#include "bins/heap.h"
#include "os/os.h"
#include "support/pattern.h"

#include <string.h>

static char *address_of(const struct heap *heap, unsigned unit)
{
    return (char *)(heap->base + (uintptr_t)unit * UNIT_SIZE);
}

static void test_a_heap_holds_a_hundred_of_the_largest_chunks(void **state)
{
    (void)state;
    struct arena *arena = unit_arena();

    for (size_t i = 0; i < 100; i++) {
        unit_alloc(arena, TINY_MAX);
        unit_alloc(arena, SMALL_MAX);
    }
    assert_int_equal(unit_count_heaps(&arena->tiny), 1);
    assert_int_equal(unit_count_heaps(&arena->small), 1);
    assert_int_equal(TINY_HEAP_SIZE % os_page_size(), 0);
    assert_int_equal(SMALL_HEAP_SIZE % os_page_size(), 0);
}

static void test_units_are_handed_out_once_lowest_first(struct heap_set *set)
{
    unsigned count = unit_units_per_heap(set), first;
    struct heap *heap = unit_take_units(set, 1, &first);

    assert_int_equal(heap->base % heap_size(heap), 0);
    for (unsigned i = 0; i < count; i++) {
        assert_int_equal(first, heap_first_unit(heap) + i);
        pattern_write(address_of(heap, first), 0, UNIT_SIZE, first);
        if (i + 1 < count)
            assert_ptr_equal(unit_take_units(set, 1, &first), heap);
    }
    assert_int_equal(heap->free_units, 0);
    for (unsigned unit = heap_first_unit(heap); unit < heap_units(heap); unit++)
        assert_int_equal(pattern_mismatch(address_of(heap, unit), UNIT_SIZE, unit), UNIT_SIZE);
    /* The heap is full, so the next run comes from another heap. */
    assert_ptr_not_equal(unit_take_units(set, 1, &first), heap);
    assert_int_equal(unit_count_heaps(set), 2);
}

static void test_units_of_tiny_heaps(void **state)
{
    (void)state;
    test_units_are_handed_out_once_lowest_first(&unit_arena()->tiny);
}

static void test_units_of_small_heaps(void **state)
{
    (void)state;
    test_units_are_handed_out_once_lowest_first(&unit_arena()->small);
}

static void test_fresh_units_are_clean_and_used_ones_are_not(void **state)
{
    (void)state;
    struct heap_set *set = &unit_arena()->small;
    unsigned first, again;
    bool clean = false;
    struct heap *heap = heap_set_take(set, 3, &first, &clean);

    assert_true(clean);
    memset(address_of(heap, first), 0xee, 3 * (size_t)UNIT_SIZE);
    heap_give(heap, first, 3);
    assert_ptr_equal(heap_set_take(set, 2, &again, &clean), heap);
    assert_int_equal(again, first);
    assert_false(clean);
    heap_give(heap, again, 2);
    /* A run that is only partly zero is not reported as zero. */
    assert_ptr_equal(heap_set_take(set, 8, &again, &clean), heap);
    assert_false(clean);
    assert_ptr_equal(heap_set_take(set, 8, &again, &clean), heap);
    assert_true(clean);
    assert_int_equal(pattern_first_nonzero(address_of(heap, again), 8 * (size_t)UNIT_SIZE),
                     8 * (size_t)UNIT_SIZE);
}

/* Such a run costs no page faults, even if a lower one is free. */
static void test_a_run_that_is_memory_is_preferred(void **state)
{
    (void)state;
    struct heap_set *set = &unit_arena()->small;
    unsigned first, between, second, again;
    struct heap *heap = unit_take_units(set, 16, &first);

    unit_take_units(set, 1, &between);
    unit_take_units(set, 16, &second);
    memset(address_of(heap, first), 0xee, 33 * (size_t)UNIT_SIZE);
    heap_give(heap, first, 16);
    (void)heap_set_trim(set);
    assert_false(heap_set_keeps(set, 16, 1));
    heap_give(heap, second, 16);
    assert_true(heap_set_keeps(set, 16, 1));
    unit_take_units(set, 16, &again);
    assert_int_equal(again, second);
    assert_false(heap_set_keeps(set, 16, 1));
    unit_take_units(set, 16, &again);
    assert_int_equal(again, first);
}

static void test_one_empty_heap_is_kept_and_the_second_unmapped(void **state)
{
    (void)state;
    struct heap_set *set = &unit_arena()->tiny;
    unsigned first;
    struct heap *heaps[2] = {unit_take_heap(set), unit_take_heap(set)};
    uintptr_t bases[2] = {heaps[0]->base, heaps[1]->base};

    assert_ptr_not_equal(heaps[0], heaps[1]);
    assert_true(heap_owned(set->own, bases[1], TINY_HEAP_SHIFT));
    unit_give_heap(heaps[0]);
    assert_int_equal(unit_count_heaps(set), 2);
    unit_give_heap(heaps[1]);
    assert_int_equal(unit_count_heaps(set), 1);
    assert_ptr_equal(set->heaps, heaps[0]);
    assert_int_equal(heap_map_tag(bases[0]), set->tag);
    assert_int_equal(heap_map_tag(bases[1]), TAG_NONE);
    assert_false(heap_owned(set->own, bases[1], TINY_HEAP_SHIFT));
    /* The heap in reserve is used again before a new one is mapped. */
    assert_ptr_equal(unit_take_units(set, 1, &first), heaps[0]);
    assert_null(set->idle);
}

/* The owner must not wait for the walk to end, or it would wait for ever here. */
static void test_an_empty_heap_waits_for_the_end_of_a_walk(void **state)
{
    (void)state;
    struct heap_set *set = &unit_arena()->tiny;
    struct heap *heaps[4];

    for (size_t n = 0; n < 4; n++)
        heaps[n] = unit_take_heap(set);
    structure_lock_read();
    for (size_t n = 0; n < 4; n++)
        unit_give_heap(heaps[n]);
    heap_set_age(set);
    structure_unlock();
    assert_int_equal(unit_count_heaps(set), 4);
    assert_ptr_equal(set->idle, heaps[0]);
    /*
     * The heap in reserve serves first. Of the heaps that wait to be unmapped, one becomes the next
     * reserve and the others are unmapped.
     */
    assert_ptr_equal(unit_take_heap(set), heaps[0]);
    heap_set_age(set);
    assert_int_equal(unit_count_heaps(set), 2);
    assert_non_null(set->idle);
    assert_ptr_not_equal(set->idle, heaps[0]);
    /* The heap still has all its contents, and serves on. */
    assert_ptr_equal(unit_take_heap(set), heaps[3]);
    assert_null(set->idle);
    unit_give_heap(heaps[3]);
    unit_give_heap(heaps[0]);
    assert_int_equal(unit_count_heaps(set), 1);
    assert_ptr_equal(set->heaps, heaps[3]);
}

static void test_trim_unmaps_empty_heaps_and_purges_the_rest(void **state)
{
    (void)state;
    struct heap_set *set = &unit_arena()->small;
    unsigned kept, given, again, two = unit_page_from(SMALL_FIRST_UNIT + 2) - SMALL_FIRST_UNIT;
    unsigned three = 3 * unit_page_units();
    bool clean = false;
    struct heap *heap = unit_take_units(set, two, &kept);

    assert_ptr_equal(unit_take_units(set, three, &given), heap);
    pattern_write(address_of(heap, kept), 0, two * (size_t)UNIT_SIZE, 7);
    memset(address_of(heap, given), 0xee, three * (size_t)UNIT_SIZE);
    heap_give(heap, given, three);
    assert_int_equal(heap_set_trim(set), three * UNIT_SIZE);
    assert_int_equal(heap_set_trim(set), 0);
    assert_int_equal(pattern_first_nonzero(address_of(heap, given), three * (size_t)UNIT_SIZE),
                     three * (size_t)UNIT_SIZE);
    assert_int_equal(pattern_mismatch(address_of(heap, kept), two * (size_t)UNIT_SIZE, 7),
                     two * (size_t)UNIT_SIZE);
    assert_ptr_equal(heap_set_take(set, three, &again, &clean), heap);
    assert_true(again == given && clean);
    heap_give(heap, again, three);
    heap_give(heap, kept, two);
    assert_int_equal(heap_set_trim(set), SMALL_HEAP_SIZE);
    assert_null(set->heaps);
    assert_null(set->open);
}

static bool is_clean(struct heap_set *set, unsigned units, unsigned expected)
{
    unsigned first;
    bool clean = false;
    struct heap *heap = heap_set_take(set, units, &first, &clean);

    assert_int_equal(first, expected);
    heap_give(heap, first, units);
    return clean;
}

static void test_the_second_tick_purges_long_free_runs(void **state)
{
    (void)state;
    struct heap_set *set = &unit_arena()->small;
    unsigned long_run, other, short_run, last, page = unit_page_units();
    /* The long run begins at a page. */
    struct heap *heap =
        unit_take_units(set, unit_page_from(SMALL_FIRST_UNIT + 1) - SMALL_FIRST_UNIT, &other);

    unit_take_units(set, 32, &long_run);
    unit_take_units(set, 1, &other);
    unit_take_units(set, 2, &short_run);
    unit_take_units(set, 1, &last);
    memset(address_of(heap, long_run), 0xee, 32 * (size_t)UNIT_SIZE);
    memset(address_of(heap, short_run), 0xee, 2 * (size_t)UNIT_SIZE);
    heap_give(heap, long_run, 32);
    heap_give(heap, short_run, 2);
    /* The first tick notes what is free, the second purges it. */
    for (unsigned tick = 0; tick < 2; tick++) {
        assert_int_equal(*address_of(heap, long_run + 31), (char)0xee);
        heap_set_age(set);
        /*
         * A unit of the run that is in use in between restarts the ageing, together with its page.
         */
        unit_take_units(set, 1, &last);
        heap_give(heap, last, 1);
        assert_int_equal(last, long_run);
    }
    assert_int_equal(*address_of(heap, long_run), (char)0xee);
    assert_int_equal(
        pattern_first_nonzero(address_of(heap, long_run + page), (32 - page) * (size_t)UNIT_SIZE),
        (32 - page) * (size_t)UNIT_SIZE);
    assert_int_equal(*address_of(heap, short_run), (char)0xee);
}

static void test_a_unit_used_at_the_first_tick_is_kept_at_the_second(void **state)
{
    (void)state;
    struct heap_set *set = &unit_arena()->small;
    unsigned run, last;
    struct heap *heap = unit_take_units(set, 32, &run);

    unit_take_units(set, 1, &last);
    heap_give(heap, run, 32);
    heap_give(heap, last, 1);
    heap_set_age(set);
    unit_take_units(set, 33, &run);
    memset(address_of(heap, run), 0xee, 33 * (size_t)UNIT_SIZE);
    heap_give(heap, run, 33);
    heap_set_age(set);
    assert_int_equal(*address_of(heap, run), (char)0xee);
    assert_int_equal(*address_of(heap, run + 32), (char)0xee);
    assert_false(is_clean(set, 32, run));
}

static void test_without_memory_for_a_heap(void **state)
{
    (void)state;
    struct heap_set *set = &unit_arena()->small;
    unsigned first;
    bool clean;

    os_fail_after(1, true);
    assert_null(heap_set_take(set, 1, &first, &clean));
    os_fail_after(0, false);
    assert_null(set->heaps);
    assert_null(set->open);
    unit_take_units(set, 1, &first);
}

static void test_a_heap_that_the_kernel_keeps_stays_usable(void **state)
{
    (void)state;
    struct heap_set *set = &unit_arena()->tiny;
    unsigned count = unit_units_per_heap(set), first, kept, page = unit_page_units();
    struct heap *heap =
        unit_take_units(set, unit_page_from(TINY_FIRST_UNIT + 1) - TINY_FIRST_UNIT, &kept);

    unit_take_units(set, page, &first);
    heap_give(heap, first, page);
    heap_give_touched(heap, kept, first - kept, 0);
    os_fail_after(1, true);
    assert_int_equal(heap_set_trim(set), 0);
    os_fail_after(0, false);
    assert_ptr_equal(set->heaps, heap);
    assert_int_equal(heap_map_tag(heap->base), set->tag);
    assert_true(heap_owned(set->own, heap->base, TINY_HEAP_SHIFT));
    /*
     * Its dirty page could not be renewed and may be a hole now, so it is never handed out again.
     */
    assert_int_equal(heap->free_units, count - page);
    for (unsigned i = page; i < count; i++) {
        unsigned unit;

        assert_ptr_equal(unit_take_units(set, 1, &unit), heap);
        assert_true(unit < first || unit >= first + page);
    }
    assert_ptr_not_equal(unit_take_units(set, 1, &first), heap);
}

static void test_a_heap_with_lost_units_is_never_unmapped(void **state)
{
    (void)state;
    struct heap_set *set = &unit_arena()->tiny;
    unsigned kept, lost, page = unit_page_units();
    unsigned some = unit_page_from(TINY_FIRST_UNIT + 1) - TINY_FIRST_UNIT;
    struct heap *heap = unit_take_units(set, some, &kept);

    unit_take_units(set, page, &lost);
    heap_give(heap, lost, page);
    os_fail_after(1, false);
    assert_int_equal(heap_set_trim(set), 0);
    os_fail_after(0, false);
    heap_give(heap, kept, some);
    (void)heap_set_trim(set);
    assert_ptr_equal(set->heaps, heap);
    unit_forget_heaps(set);
    assert_int_equal(heap->free_units, unit_units_per_heap(set) - page);
    assert_false(heap_claim(heap, lost, 1));
}

static void test_units_claimed_after_a_reset_are_taken(void **state)
{
    (void)state;
    struct heap_set *set = &unit_arena()->small;
    unsigned first, again;
    struct heap *heap = unit_take_units(set, 40, &first);

    pattern_write(address_of(heap, first), 0, 40 * (size_t)UNIT_SIZE, 3);
    unit_forget_heaps(set);
    assert_int_equal(heap->free_units, unit_units_per_heap(set));
    assert_true(heap_claim(heap, first + 4, 4));
    assert_false(heap_claim(heap, first + 4, 4));
    assert_false(heap_claim(heap, first + 1, 4));
    assert_false(heap_claim(heap, first + 7, 2));
    assert_false(heap_claim(heap, 0, 1));
    assert_false(heap_claim(heap, SMALL_FIRST_UNIT - 1, 2));
    assert_false(heap_claim(heap, SMALL_UNITS - 1, 2));
    assert_false(is_clean(set, 4, first));
    unit_take_units(set, 5, &again);
    assert_int_equal(again, first + 8);
    assert_int_equal(pattern_mismatch(address_of(heap, first), 40 * (size_t)UNIT_SIZE, 3),
                     40 * (size_t)UNIT_SIZE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_heap_holds_a_hundred_of_the_largest_chunks),
        cmocka_unit_test(test_units_of_tiny_heaps),
        cmocka_unit_test(test_units_of_small_heaps),
        cmocka_unit_test(test_fresh_units_are_clean_and_used_ones_are_not),
        cmocka_unit_test(test_a_run_that_is_memory_is_preferred),
        cmocka_unit_test(test_one_empty_heap_is_kept_and_the_second_unmapped),
        cmocka_unit_test(test_an_empty_heap_waits_for_the_end_of_a_walk),
        cmocka_unit_test(test_trim_unmaps_empty_heaps_and_purges_the_rest),
        cmocka_unit_test(test_the_second_tick_purges_long_free_runs),
        cmocka_unit_test(test_a_unit_used_at_the_first_tick_is_kept_at_the_second),
        cmocka_unit_test(test_without_memory_for_a_heap),
        cmocka_unit_test(test_a_heap_that_the_kernel_keeps_stays_usable),
        cmocka_unit_test(test_a_heap_with_lost_units_is_never_unmapped),
        cmocka_unit_test(test_units_claimed_after_a_reset_are_taken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
