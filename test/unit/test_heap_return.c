/*
 * How heaps give memory back to the kernel: a bounded piece of it in each call, and all of it in
 * the end.
 */
#include "unit/unit.h"

#include "base/mappings.h"
#include "bins/heap_walk.h"
#include "os/os.h"
#include "support/require.h"

#include <string.h>

enum { HEAPS = 8, CALLS_MAX = 1000, ALLOWANCE = 300 };

static unsigned dirty_in(const struct heap *heap)
{
    unsigned units = 0;

    for (unsigned word = 0; word < UNIT_WORDS; word++)
        units += (unsigned)__builtin_popcountll(heap->dirty[word]);
    return units;
}

/* Heaps that are unmapped have no dirty units. */
static unsigned dirty_units(const struct heap_set *set)
{
    unsigned units = 0;

    for (const struct heap *heap = set->heaps; heap != NULL; heap = heap->next)
        units += dirty_in(heap);
    return units;
}

/*
 * By how much a call may exceed the allowance, because runs are not cut into pieces that are too
 * short.
 */
static unsigned most_given(void)
{
    return ALLOWANCE + 8 + unit_page_units();
}

static void make_heaps(struct heap_set *set, struct heap **heaps, size_t count)
{
    for (size_t n = 0; n < count; n++)
        heaps[n] = unit_take_heap(set);
}

/* Purges as slow calls do, one after the other; returns how many calls it took. */
static unsigned let_go_in_calls(struct heap_set *set)
{
    unsigned calls = 0;

    for (; set->waiting && calls < CALLS_MAX; calls++) {
        unsigned before = dirty_units(set);

        set->allowance = ALLOWANCE;
        heap_set_let_go(set);
        assert_true(before - dirty_units(set) <= most_given());
    }
    assert_false(set->waiting);
    return calls;
}

static void test_many_heaps_that_get_empty_at_once(void **state)
{
    struct heap_set *set = &unit_arena()->tiny;
    struct heap *heaps[HEAPS];
    unsigned before;

    (void)state;
    make_heaps(set, heaps, HEAPS);
    /* All units but one of each heap are free before. One call then frees the last ones. */
    for (size_t n = 0; n < HEAPS; n++)
        unit_give_units(heaps[n], TINY_FIRST_UNIT + 1, heap_units(heaps[n]) - TINY_FIRST_UNIT - 1);
    before = dirty_units(set);
    set->allowance = ALLOWANCE;
    for (size_t n = 0; n < HEAPS; n++)
        heap_give(heaps[n], TINY_FIRST_UNIT, 1);
    assert_true(before + HEAPS - dirty_units(set) <= most_given());
    assert_true(unit_count_heaps(set) > 1);
    assert_true(let_go_in_calls(set) > 1);
    assert_int_equal(unit_count_heaps(set), 1);
    assert_ptr_equal(set->heaps, set->idle);
}

static void test_a_heap_that_is_too_much_for_one_call(void **state)
{
    struct heap_set *set = &unit_arena()->small;
    struct heap *heaps[2];

    (void)state;
    make_heaps(set, heaps, 2);
    unit_give_heap(heaps[0]);
    set->allowance = ALLOWANCE;
    unit_give_heap(heaps[1]);
    assert_int_equal(unit_count_heaps(set), 2);
    assert_true(let_go_in_calls(set) >= (SMALL_UNITS - SMALL_FIRST_UNIT) / most_given() - 1);
    assert_int_equal(unit_count_heaps(set), 1);
    assert_ptr_equal(set->heaps, heaps[0]);
}

/* What was purged before is not lost. */
static void test_a_heap_to_be_unmapped_is_used_again(void **state)
{
    struct heap_set *set = &unit_arena()->small;
    struct heap *heaps[2];
    unsigned first;

    (void)state;
    make_heaps(set, heaps, 2);
    unit_give_heap(heaps[0]);
    set->allowance = ALLOWANCE;
    unit_give_heap(heaps[1]);
    assert_true(heaps[1]->leaving);
    assert_ptr_equal(unit_take_heap(set), heaps[0]);
    assert_ptr_equal(unit_take_units(set, 1, &first), heaps[1]);
    assert_false(heaps[1]->leaving);
    (void)let_go_in_calls(set);
    assert_int_equal(unit_count_heaps(set), 2);
    heap_give(heaps[1], first, 1);
    unit_give_heap(heaps[0]);
    (void)let_go_in_calls(set);
    assert_int_equal(unit_count_heaps(set), 1);
}

/* Makes heaps in each of which one unit stays in use. */
static void make_sparse(struct heap_set *set, struct heap **heaps)
{
    make_heaps(set, heaps, HEAPS);
    for (size_t n = 0; n < HEAPS; n++)
        unit_give_units(heaps[n], heap_first_unit(heaps[n]) + unit_page_units(),
                        heap_units(heaps[n]) - heap_first_unit(heaps[n]) - unit_page_units());
}

static unsigned age_in_calls(struct heap_set *set, unsigned *most)
{
    unsigned calls = 0;
    bool over = false;

    for (*most = 0; !over && calls < CALLS_MAX; calls++) {
        unsigned before = dirty_units(set);

        set->allowance = ALLOWANCE;
        over = heap_set_age(set);
        *most = before - dirty_units(set) > *most ? before - dirty_units(set) : *most;
    }
    assert_true(over);
    return calls;
}

static void age_sparse_heaps(struct heap_set *set)
{
    struct heap *heaps[HEAPS];
    unsigned most;

    make_sparse(set, heaps);
    /* The first round notes what is free, the second purges it. */
    assert_int_equal(age_in_calls(set, &most), 1);
    assert_int_equal(most, 0);
    assert_true(age_in_calls(set, &most) > HEAPS / 2);
    assert_true(most > ALLOWANCE / 2 && most <= most_given());
    for (size_t n = 0; n < HEAPS; n++)
        assert_true(dirty_in(heaps[n]) <= 2 * unit_page_units());
    assert_int_equal(age_in_calls(set, &most), 1);
    assert_int_equal(unit_count_heaps(set), HEAPS);
}

static void test_a_round_over_tiny_heaps_in_pieces(void **state)
{
    (void)state;
    age_sparse_heaps(&unit_arena()->tiny);
}

static void test_a_round_over_small_heaps_in_pieces(void **state)
{
    (void)state;
    age_sparse_heaps(&unit_arena()->small);
}

/* The heap that the round would visit next is unmapped, and the round goes on. */
static void test_heaps_are_unmapped_during_a_round(void **state)
{
    struct heap_set *set = &unit_arena()->small;
    struct heap *heaps[HEAPS];
    unsigned most;

    (void)state;
    make_sparse(set, heaps);
    age_in_calls(set, &most);
    set->allowance = ALLOWANCE;
    assert_false(heap_set_age(set));
    assert_non_null(set->age_next);
    for (size_t n = 0; n < HEAPS; n++) {
        set->allowance = HEAP_ALLOWANCE_ALL;
        heap_give(heaps[n], SMALL_FIRST_UNIT, unit_page_units());
    }
    assert_int_equal(unit_count_heaps(set), 1);
    assert_int_equal(age_in_calls(set, &most), (SMALL_UNITS + ALLOWANCE) / ALLOWANCE);
}

static void test_trim_in_pieces(void **state)
{
    struct heap_set *set = &unit_arena()->small;
    struct heap *heaps[HEAPS], *more[2];
    unsigned most, before;

    (void)state;
    make_heaps(set, more, 2);
    make_sparse(set, heaps);
    unit_give_heap(more[0]);
    unit_give_heap(more[1]);
    before = dirty_units(set);
    set->allowance = ALLOWANCE;
    assert_false(heap_set_trim_step(set));
    assert_true(before - dirty_units(set) <= most_given());
    /*
     * What a call leaves over does not wait for the tick after next: the next calls purge it
     * whatever its age is.
     */
    assert_true(age_in_calls(set, &most) > HEAPS / 2);
    assert_true(most <= most_given());
    (void)let_go_in_calls(set);
    assert_int_equal(unit_count_heaps(set), HEAPS);
    assert_null(set->idle);
    assert_false(set->thorough);
    for (size_t n = 0; n < HEAPS; n++)
        assert_true(dirty_in(heaps[n]) <= 2 * unit_page_units());
}

/*
 * The piece may be a hole now, so the heap stays mapped. Other refusals of the kernel are made up
 * for later.
 */
static void test_a_piece_that_the_kernel_refuses(void **state)
{
    struct heap_set *set = &unit_arena()->small;
    struct heap *heaps[2];

    (void)state;
    make_heaps(set, heaps, 2);
    unit_give_heap(heaps[0]);
    set->allowance = ALLOWANCE;
    os_fail_after(1, false);
    unit_give_heap(heaps[1]);
    os_fail_after(0, false);
    assert_false(heaps[1]->leaving);
    (void)let_go_in_calls(set);
    set->allowance = HEAP_ALLOWANCE_ALL;
    heap_set_age(set);
    heap_set_trim(set);
    assert_int_equal(unit_count_heaps(set), 1);
    assert_ptr_equal(set->heaps, heaps[1]);
}

static void test_a_heap_that_the_kernel_does_not_unmap_waits(void **state)
{
    struct heap_set *set = &unit_arena()->tiny;
    struct heap *heaps[4];

    (void)state;
    make_heaps(set, heaps, 4);
    set->allowance = HEAP_ALLOWANCE_ALL;
    unit_give_heap(heaps[0]);
    os_fail_after(1, true);
    for (size_t n = 1; n < 4; n++)
        unit_give_heap(heaps[n]);
    heap_set_age(set);
    os_fail_after(0, false);
    assert_int_equal(unit_count_heaps(set), 4);
    assert_false(set->waiting);
    os_fail_after(1, true);
    assert_int_equal(heap_set_release(set), 0);
    heap_set_age(set);
    os_fail_after(0, false);
    assert_int_equal(unit_count_heaps(set), 4);
    heap_set_age(set);
    assert_int_equal(unit_count_heaps(set), 1);
}

/* Other threads may have the heap in their own-heap tables, so only its memory is given back. */
static void keep_heaps_beside_others(struct heap_set *set, size_t size)
{
    struct heap *heaps[HEAPS];
    struct os_counters before;
    size_t bytes = (size_t)unit_units_per_heap(set) * UNIT_SIZE;
    size_t shared;

    make_heaps(set, heaps, HEAPS);
    before = os_counted();
    shared = unit_page_from(heap_first_unit(heaps[0])) - heap_first_unit(heaps[0]);
    heap_set_enter(set, set->own, false, HEAP_ALLOWANCE_ALL);
    for (size_t n = 0; n < HEAPS; n++)
        unit_give_heap(heaps[n]);
    assert_false(set->waiting);
    assert_int_equal(unit_count_heaps(set), HEAPS);
    for (unsigned round = 0; round < 3; round++)
        assert_true(heap_set_age(set));
    /* The one in reserve ages like the others. A page that is in part the header's stays. */
    assert_int_equal(dirty_units(set), HEAPS * shared);
    /* The address space serves the set again, before there is another heap. */
    unit_take_all(set, HEAPS);
    assert_int_equal(unit_count_heaps(set), HEAPS);
    for (size_t n = 0; n < HEAPS; n++)
        unit_give_heap(heaps[n]);
    assert_true(heap_set_release(set) >=
                HEAPS * (bytes - (shared + unit_page_units()) * UNIT_SIZE));
    assert_int_equal(dirty_units(set), HEAPS * shared);
    assert_int_equal(heap_set_trim(set), 0);
    assert_true(heap_set_trim_step(set));
    assert_int_equal(unit_count_heaps(set), HEAPS);
    assert_int_equal(os_counted().munmap, before.munmap);
    /* A thread that is alone unmaps what was kept until then. */
    heap_set_enter(set, set->own, true, HEAP_ALLOWANCE_ALL);
    assert_true(heap_set_age(set));
    assert_int_equal(unit_count_heaps(set), 1);
    assert_int_equal(heap_set_release(set), size);
    assert_int_equal(unit_count_heaps(set), 0);
}

static void test_heaps_stay_mapped_beside_other_threads(void **state)
{
    (void)state;
    keep_heaps_beside_others(&unit_arena()->tiny, TINY_HEAP_SIZE);
    keep_heaps_beside_others(&unit_arena()->small, SMALL_HEAP_SIZE);
}

/* Heaps that were to be unmapped stay, as soon as another thread may know them. */
static void test_a_leaving_heap_stays_when_another_thread_comes(void **state)
{
    struct heap_set *set = &unit_arena()->small;
    struct heap *heaps[2];

    (void)state;
    make_heaps(set, heaps, 2);
    unit_give_heap(heaps[0]);
    set->allowance = ALLOWANCE;
    unit_give_heap(heaps[1]);
    assert_true(heaps[1]->leaving && set->waiting);
    heap_set_enter(set, NULL, false, HEAP_ALLOWANCE_ALL);
    heap_set_let_go(set);
    assert_false(heaps[1]->leaving || set->waiting);
    assert_int_equal(unit_count_heaps(set), 2);
    unit_take_all(set, 2);
    assert_int_equal(unit_count_heaps(set), 2);
}

static void purge_in_child(void *argument)
{
    struct heap_set *set = argument;
    struct os_counters before;

    mappings_after_fork();
    /* Nothing is left on the account of mappings. */
    mappings_bound(1);
    before = os_counted();
    (void)heap_set_trim(set);
    REQUIRE(os_counted().mmap == before.mmap, "a piece of an inherited heap was renewed");
    mappings_bound(0);
    (void)heap_set_trim(set);
    REQUIRE(os_counted().mmap > before.mmap, "nothing is renewed though the account allows it");
}

static void test_purging_in_a_forks_child_is_accounted(void **state)
{
    (void)state;
    struct arena *arena = unit_arena();
    unsigned first;
    struct heap *heap = unit_take_units(&arena->small, 16, &first), *other;
    unsigned second;

    other = unit_take_units(&arena->small, 1, &second);
    heap_give(heap, first, 16);
    assert_true(unit_child_succeeds(purge_in_child, &arena->small));
    heap_give(other, second, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_purging_in_a_forks_child_is_accounted),
        cmocka_unit_test(test_many_heaps_that_get_empty_at_once),
        cmocka_unit_test(test_a_heap_that_is_too_much_for_one_call),
        cmocka_unit_test(test_a_heap_to_be_unmapped_is_used_again),
        cmocka_unit_test(test_a_round_over_tiny_heaps_in_pieces),
        cmocka_unit_test(test_a_round_over_small_heaps_in_pieces),
        cmocka_unit_test(test_heaps_are_unmapped_during_a_round),
        cmocka_unit_test(test_trim_in_pieces),
        cmocka_unit_test(test_a_piece_that_the_kernel_refuses),
        cmocka_unit_test(test_a_heap_that_the_kernel_does_not_unmap_waits),
        cmocka_unit_test(test_heaps_stay_mapped_beside_other_threads),
        cmocka_unit_test(test_a_leaving_heap_stays_when_another_thread_comes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
