/*
 * Pages of states whose units are in no slab are given back: which ones, when, and what happens if
 * the kernel refuses. Each test runs in a child.
 */
#include "unit/unit.h"

#include "base/bits.h"
#include "bins/heap_walk.h"
#include "os/os.h"
#include "support/require.h"

enum { HEADER_STATES = 256 << 10 };

/* How many units share a page of states; and the state of the first chunk of a unit. */
static unsigned units_of_page(const struct heap *heap)
{
    return (unsigned)(os_page_size() / OS_PAGE) *
           (1U << (heap->set->small ? SMALL_STATES_SHIFT : TINY_STATES_SHIFT));
}

static volatile char *state_of_unit(const struct heap *heap, unsigned unit)
{
    uintptr_t size = HEADER_STATES / (heap->set->small ? SMALL_UNITS : TINY_UNITS);

    return (volatile char *)(heap->base + unit * size); // NOLINT: see pointer_to()
}

/*
 * Takes a whole heap, marks the states of all units, and then gives back all but the first unit of
 * every second page of states, as slabs of which so many units were touched. Returns the heap.
 */
static struct heap *every_second_page(struct heap_set *set, unsigned touched)
{
    struct heap *heap = unit_take_heap(set);
    unsigned units = units_of_page(heap), end = heap_units(heap);

    for (unsigned unit = heap_first_unit(heap); unit < end; unit++)
        *state_of_unit(heap, unit) = (char)-1;
    for (unsigned unit = heap_first_unit(heap); unit < end; unit++)
        if (unit % (2 * units) != 0)
            heap_give_touched(heap, unit, 1, touched);
    return heap;
}

/* Returns whether the page of states that describes the unit has no unit in use, and is no end. */
static bool may_go(const struct heap *heap, unsigned unit)
{
    unsigned units = units_of_page(heap), first = unit / units * units;

    return first >= heap_first_unit(heap) && first % (2 * units) != 0 &&
           first + units <= heap_units(heap);
}

static unsigned unit_of_page_to_go(const struct heap *heap)
{
    unsigned unit = heap_first_unit(heap);

    while (!may_go(heap, unit))
        unit++;
    return unit;
}

static void check_every_second(const struct heap *heap)
{
    for (unsigned unit = heap_first_unit(heap); unit < heap_units(heap); unit++)
        REQUIRE(*state_of_unit(heap, unit) == (may_go(heap, unit) ? 0 : (char)-1),
                "the state of unit %u", unit);
}

static void states_go_back(void *small)
{
    struct arena *arena = unit_arena();
    struct heap_set *set = *(bool *)small ? &arena->small : &arena->tiny;
    struct heap *heap = every_second_page(set, 1);
    struct os_counters before;
    unsigned first;

    REQUIRE(heap_set_trim(set) > 0, "nothing went back");
    check_every_second(heap);
    before = os_counted();
    REQUIRE(heap_set_trim(set) == 0 && os_counted().mmap == before.mmap, "once more");
    /* A unit that is used again keeps its states. */
    REQUIRE(unit_take_units(set, 1, &first) == heap, "another heap");
    *state_of_unit(heap, first) = 1;
    (void)heap_set_trim(set);
    REQUIRE(*state_of_unit(heap, first) == 1, "the state of a unit in use is gone");
}

static void test_states_without_a_slab_are_given_back(void **state)
{
    (void)state;
    for (unsigned zone = 0; zone < 2; zone++) {
        bool small = zone == 1;

        assert_true(unit_child_succeeds(states_go_back, &small));
    }
}

/* A piece for each call, as for a visitor. */
static void states_go_back_in_steps(void *unused)
{
    struct heap_set *set = &unit_arena()->tiny;
    struct heap *heap = every_second_page(set, 1);
    unsigned calls = 0;

    (void)unused;
    do {
        REQUIRE(calls++ < 1000, "no end");
        set->allowance = 32;
    } while (!heap_set_trim_step(set));
    REQUIRE(calls > 1, "all in one call");
    check_every_second(heap);
}

static void test_states_are_given_back_in_steps(void **state)
{
    (void)state;
    assert_true(unit_child_succeeds(states_go_back_in_steps, NULL));
}

/* A walker may read the states of a slab that is no longer there. */
static void states_stay_for_a_walker(void *unused)
{
    struct heap_set *set = &unit_arena()->tiny;
    struct heap *heap = every_second_page(set, 1), *walked = heap_walk(set, NULL);
    unsigned unit = unit_of_page_to_go(heap);

    (void)unused;
    while (walked != heap)
        walked = heap_walk(set, walked);
    (void)heap_set_trim(set);
    REQUIRE(*state_of_unit(heap, unit) == (char)-1, "the states under a walker are gone");
    while (walked != NULL)
        walked = heap_walk(set, walked);
    (void)heap_set_trim(set);
    check_every_second(heap);
}

static void test_states_stay_while_a_walker_is_in_the_heap(void **state)
{
    (void)state;
    assert_true(unit_child_succeeds(states_stay_for_a_walker, NULL));
}

/* The states may be a hole then. They are not in one, and their units are never used again. */
static void refuse_to_renew(void *unused)
{
    struct heap_set *set = &unit_arena()->tiny;
    struct heap *heap = every_second_page(set, 0);
    unsigned unit = unit_of_page_to_go(heap);

    (void)unused;
    os_fail_after(1, false);
    (void)heap_set_trim(set);
    os_fail_after(0, false);
    for (unsigned at = 0; at < heap_units(heap); at++) {
        bool lost = at >= unit && at < unit + units_of_page(heap);

        REQUIRE(bit_get(heap->lost, at) == lost, "unit %u", at);
        REQUIRE(!lost || !bit_get(heap->vacant, at), "lost unit %u is vacant", at);
    }
    for (unsigned at = heap_first_unit(heap); at < heap_units(heap); at++)
        (void)*state_of_unit(heap, at); /* is no hole */
}

static void test_states_that_may_be_a_hole_are_never_used(void **state)
{
    (void)state;
    assert_true(unit_child_succeeds(refuse_to_renew, NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_states_without_a_slab_are_given_back),
        cmocka_unit_test(test_states_are_given_back_in_steps),
        cmocka_unit_test(test_states_stay_while_a_walker_is_in_the_heap),
        cmocka_unit_test(test_states_that_may_be_a_hole_are_never_used),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
