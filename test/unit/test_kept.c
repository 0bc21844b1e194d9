/*
 * Units that are free and still memory: how they are counted, when there are too many, and which of
 * them make way for fresh memory.
 */
#include "unit/unit.h"

#include "base/bits.h"
#include "os/os.h"
#include "support/require.h"

enum { MIB_UNITS = (1 << 20) / UNIT_SIZE, LEAST = 8 * MIB_UNITS, SHORT = 3 };

static unsigned kept_of(const struct heap_set *set)
{
    unit_check_kept(set);
    return kept_units(&set->kept);
}

static void count_while_used(struct heap_set *set)
{
    struct heap *heap = unit_take_heap(set), *other = unit_take_heap(set);
    unsigned all = unit_units_per_heap(set), first = heap_first_unit(heap);

    assert_int_equal(kept_of(set), 0);
    assert_int_equal(set->kept.used, 2 * all);
    unit_give_units(heap, first + 10, 20);
    assert_int_equal(kept_of(set), 20);
    /* Memory that was never written to is not kept. */
    heap_give_touched(heap, first + 40, 10, 4);
    assert_int_equal(kept_of(set), 24);
    assert_int_equal(set->kept.used, 2 * all - 30);
    for (unsigned n = 0, unit; n < 30; n++)
        assert_ptr_equal(unit_take_units(set, 1, &unit), heap);
    assert_int_equal(kept_of(set), 0);
    unit_give_heap(other);
    assert_int_equal(kept_of(set), all);
    unit_give_heap(heap);
    assert_int_equal(kept_of(set), all);
    heap_set_trim(set);
    assert_int_equal(kept_of(set), 0);
    assert_int_equal(set->kept.used, 0);
}

static void test_each_set_counts_what_it_keeps_and_uses(void **state)
{
    (void)state;
    count_while_used(&unit_arena()->tiny);
    count_while_used(&unit_arena()->small);
}

static void test_what_the_kernel_refuses_is_not_kept(void **state)
{
    struct heap_set *set = &unit_arena()->small;
    struct heap *heap = unit_take_heap(set);

    (void)state;
    unit_give_units(heap, heap_first_unit(heap) + 8, 64);
    os_fail_after(1, true);
    heap_set_trim(set);
    os_fail_after(0, false);
    /* The units are lost, except for those beside them on the same page of the kernel. */
    assert_true(kept_of(set) < 2 * unit_page_units());
    assert_int_equal(set->kept.used + 64, unit_units_per_heap(set));
}

static void test_the_repair_after_a_fork_counts_anew(void **state)
{
    struct heap_set *set = &unit_arena()->tiny;
    struct heap *heap = unit_take_heap(set);

    (void)state;
    unit_give_units(heap, heap_first_unit(heap), 50);
    unit_forget_heaps(set);
    /* All of the heap is free now, and nobody knows whether it was written to. */
    assert_int_equal(kept_of(set), unit_units_per_heap(set));
    assert_int_equal(set->kept.used, 0);
}

/* A child has sums of its own, which begin at those of the arenas that it inherits: none. */
static void keep_much(void *argument)
{
    struct heap_set *set = &unit_arena()->small;
    struct heap *heap = unit_take_heap(set);
    unsigned first = heap_first_unit(heap), given = 0, most = LEAST + unit_units_per_heap(set) / 8;

    (void)argument;
    REQUIRE(!kept_is_much(), "nothing is kept");
    while (!kept_is_much() && given < 2 * most)
        unit_give_units(heap, first + given++, 1);
    /* What is in use decreases while units are returned, and the sums lag behind. */
    REQUIRE(given >= LEAST && given <= most + 2 * KEPT_TELL, "%u units are much", given);
    kept_after_fork();
    REQUIRE(!kept_is_much(), "the sums were not emptied");
    kept_tell_anew(&set->kept);
    REQUIRE(kept_is_much(), "the sums were not made again");
    unit_give_heap(unit_take_heap(set));
    heap_set_trim(set);
    REQUIRE(!kept_is_much(), "everything was given back");
}

static void test_the_process_keeps_some_memory_and_a_share_of_what_it_uses(void **state)
{
    (void)state;
    assert_true(unit_child_succeeds(keep_much, NULL));
}

static bool is_kept(const struct heap *heap, unsigned unit)
{
    return bit_get(heap->vacant, unit) && bit_get(heap->dirty, unit);
}

static void test_the_highest_units_make_way(void **state)
{
    struct heap_set *set = &unit_arena()->small;
    struct heap *heap = unit_take_heap(set);
    unsigned low = (unsigned)round_up(heap_first_unit(heap), 32), high = low + 96;
    unsigned given;

    (void)state;
    unit_give_units(heap, low, 32);
    unit_give_units(heap, high, 32);
    given = heap_set_make_way(set, 16);
    assert_true(given >= 16 && given < 16 + 2 * unit_page_units());
    assert_true(is_kept(heap, high) && is_kept(heap, low));
    assert_false(is_kept(heap, high + 31));
    assert_int_equal(kept_of(set), 64 - given);
    /* More than the higher run has left. */
    given = heap_set_make_way(set, 24);
    assert_true(given >= 24 && given < 24 + 2 * unit_page_units());
    assert_false(is_kept(heap, high));
    assert_true(is_kept(heap, low));
    assert_false(is_kept(heap, low + 31));
    assert_true(heap_set_make_way(set, 1000) + 40 >= 64);
    assert_int_equal(kept_of(set), 0);
    assert_int_equal(heap_set_make_way(set, 1000), 0);
}

static void use_again(void *argument)
{
    enum { RUN = 64, TRIES = 100 };
    struct heap_set *set = &unit_arena()->small;
    struct heap *heap = unit_take_heap(set);
    unsigned first = (unsigned)round_up(heap_first_unit(heap), RUN), tries = 0;

    (void)argument;
    /* What made way, and was not used since, is not regretted. */
    unit_give_units(heap, first + 2 * RUN, 2 * RUN);
    REQUIRE(heap_set_make_way(set, 2 * RUN) == 2 * RUN, "did not make way");
    REQUIRE(!kept_is_wanted(), "nothing was used again");
    for (; tries < TRIES && !kept_is_wanted(); tries++) {
        unit_give_units(heap, first, RUN);
        REQUIRE(heap_set_make_way(set, RUN) == RUN, "did not make way");
        REQUIRE(heap_claim(heap, first, RUN), "not free");
    }
    REQUIRE(tries > 1 && tries < TRIES, "wanted after %u tries", tries);
    /*
     * Regrets are forgotten; else this ends with the time limit of the test. Each look at a clock
     * that stands still in the process advances it.
     */
    while (kept_is_wanted())
        continue;
}

static void test_nothing_makes_way_if_it_is_wanted_at_once(void **state)
{
    (void)state;
    assert_true(unit_child_succeeds(use_again, NULL));
}

static void test_short_runs_do_not_make_way(void **state)
{
    struct heap_set *set = &unit_arena()->tiny;
    struct heap *heap = unit_take_heap(set);
    unsigned first = (unsigned)round_up(heap_first_unit(heap), 32);

    (void)state;
    for (unsigned n = 0; n < 4; n++)
        unit_give_units(heap, first + n * 16, SHORT);
    assert_int_equal(heap_set_make_way(set, 1000), 0);
    unit_give_units(heap, first + SHORT, 16 - SHORT);
    /* Only the last two runs are still short. */
    assert_int_equal(heap_set_make_way(set, 1000),
                     (16 + SHORT) / unit_page_units() * unit_page_units());
    assert_int_equal(kept_of(set), 2 * SHORT + (16 + SHORT) % unit_page_units());
}

static void test_all_heaps_of_a_set_make_way(void **state)
{
    enum { HEAPS = 3 };
    struct heap_set *set = &unit_arena()->tiny;
    struct heap *heaps[HEAPS];

    (void)state;
    for (unsigned n = 0; n < HEAPS; n++)
        heaps[n] = unit_take_heap(set);
    for (unsigned n = 0; n < HEAPS; n++)
        unit_give_units(heaps[n], 64, 64);
    assert_int_equal(heap_set_make_way(set, HEAPS * 64), HEAPS * 64);
    assert_int_equal(kept_of(set), 0);
    assert_int_equal(unit_count_heaps(set), HEAPS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_set_counts_what_it_keeps_and_uses),
        cmocka_unit_test(test_what_the_kernel_refuses_is_not_kept),
        cmocka_unit_test(test_the_repair_after_a_fork_counts_anew),
        cmocka_unit_test(test_the_process_keeps_some_memory_and_a_share_of_what_it_uses),
        cmocka_unit_test(test_the_highest_units_make_way),
        cmocka_unit_test(test_nothing_makes_way_if_it_is_wanted_at_once),
        cmocka_unit_test(test_short_runs_do_not_make_way),
        cmocka_unit_test(test_all_heaps_of_a_set_make_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
