/*
 * How a set of heaps learns to keep memory that will be wanted again, and forgets it.
 */
#include "unit/unit.h"

#include "bins/heap.h"

enum { HEAPS = 4, MOST_ROUNDS = 100 };

/* Takes all units of some heaps and returns them. */
static void make_wave(struct heap_set *set)
{
    struct heap *heaps[HEAPS];

    for (unsigned n = 0; n < HEAPS; n++)
        heaps[n] = unit_take_heap(set);
    for (unsigned n = 0; n < HEAPS; n++)
        unit_give_heap(heaps[n]);
}

/* Afterwards the set keeps wholly free heaps. */
static void teach(struct heap_set *set)
{
    make_wave(set);
    make_wave(set);
}

static void check_waves(struct heap_set *set)
{
    make_wave(set);
    /* One heap is in reserve. */
    assert_int_equal(unit_count_heaps(set), 1);
    make_wave(set);
    assert_int_equal(unit_count_heaps(set), HEAPS);
    /* No memory has to be fetched from now on. */
    set->fresh = 0;
    make_wave(set);
    assert_int_equal(set->fresh, 0);
    unit_check_kept(set);
}

static void test_waves_of_memory_find_it_again(void **state)
{
    (void)state;
    struct arena *arena = unit_arena();

    check_waves(&arena->tiny);
    check_waves(&arena->small);
}

static void test_kept_heaps_go_when_they_are_old(void **state)
{
    (void)state;
    struct heap_set *set = &unit_arena()->tiny;

    teach(set);
    assert_true(heap_set_age(set));
    assert_int_equal(unit_count_heaps(set), HEAPS);
    assert_true(heap_set_age(set));
    assert_int_equal(unit_count_heaps(set), 1);
}

static void test_a_heap_that_was_used_in_between_is_not_old(void **state)
{
    (void)state;
    struct heap_set *set = &unit_arena()->tiny;

    teach(set);
    assert_true(heap_set_age(set));
    make_wave(set);
    assert_true(heap_set_age(set));
    assert_int_equal(unit_count_heaps(set), HEAPS);
}

static void test_trim_takes_kept_heaps(void **state)
{
    (void)state;
    struct arena *arena = unit_arena();

    teach(&arena->tiny);
    teach(&arena->small);
    unit_trim(arena);
    assert_int_equal(unit_count_heaps(&arena->tiny) + unit_count_heaps(&arena->small), 0);
}

static void test_what_is_not_wanted_again_is_kept_for_less_and_less(void **state)
{
    (void)state;
    struct heap_set *set = &unit_arena()->tiny;
    unsigned rounds = 0;

    teach(set);
    assert_true(ageing_keeps_heaps(&set->ageing));
    while (ageing_keeps_heaps(&set->ageing) && rounds++ < MOST_ROUNDS)
        assert_true(heap_set_age(set));
    assert_in_range(rounds, AGEING_ROUNDS, 2 * AGEING_ROUNDS);
    /* What was given back long ago is not counted, so it says nothing if it is wanted now. */
    while (set->ageing.given >= AGEING_LEAST && rounds++ < MOST_ROUNDS)
        assert_true(heap_set_age(set));
    make_wave(set);
    assert_int_equal(unit_count_heaps(set), 1);
}

/* Fresh memory that a set takes while it has given little back says nothing. */
static void test_growth_teaches_nothing(void **state)
{
    (void)state;
    struct heap_set *set = &unit_arena()->tiny;

    unit_take_all(set, HEAPS);
    heap_set_age(set);
    unit_take_all(set, HEAPS);
    assert_false(ageing_keeps_heaps(&set->ageing));
}

static unsigned rounds_of(const struct ageing *ageing, unsigned most)
{
    unsigned rounds = 0;

    for (unsigned round = 1; round <= most; round++)
        rounds += ageing_due(ageing, round);
    return rounds;
}

static void test_rounds_become_rare_and_frequent_again(void **state)
{
    (void)state;
    struct ageing ageing = {.level = 0};
    unsigned rounds = rounds_of(&ageing, MOST_ROUNDS);

    assert_int_equal(rounds, MOST_ROUNDS);
    for (unsigned level = 1; level <= AGEING_LEVEL_MOST; level++) {
        ageing_give(&ageing, AGEING_LEAST);
        ageing_take(&ageing, AGEING_LEAST);
        assert_int_equal(ageing.level, level);
        assert_in_range(rounds_of(&ageing, MOST_ROUNDS), 1, rounds / 2);
        rounds = rounds_of(&ageing, MOST_ROUNDS);
    }
    ageing_give(&ageing, AGEING_LEAST);
    ageing_take(&ageing, AGEING_LEAST);
    assert_int_equal(ageing.level, AGEING_LEVEL_MOST);
    for (unsigned round = 0; round < AGEING_LEVEL_MOST * AGEING_ROUNDS; round++)
        ageing_round(&ageing);
    assert_int_equal(rounds_of(&ageing, MOST_ROUNDS), MOST_ROUNDS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_waves_of_memory_find_it_again),
        cmocka_unit_test(test_kept_heaps_go_when_they_are_old),
        cmocka_unit_test(test_a_heap_that_was_used_in_between_is_not_old),
        cmocka_unit_test(test_trim_takes_kept_heaps),
        cmocka_unit_test(test_what_is_not_wanted_again_is_kept_for_less_and_less),
        cmocka_unit_test(test_growth_teaches_nothing),
        cmocka_unit_test(test_rounds_become_rare_and_frequent_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
