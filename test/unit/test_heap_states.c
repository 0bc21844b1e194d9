/*
 * The states of a heap become memory when its units need them: what can be written to at which
 * moment, what can be read, and what happens if the kernel refuses. Each test runs in a child.
 */
#include "unit/steps.h"
#include "unit/unit.h"

#include "base/bits.h"
#include "base/mappings.h"
#include "bins/chunk.h"
#include "os/os.h"
#include "support/require.h"

#include <sys/mman.h>

enum { HEADER_STATES = 256 << 10 };

/* Returns the arena that is the second of the process, or a later one. */
static struct arena *later_arena(void)
{
    (void)unit_arena();
    use_up_first_mapping();
    return unit_arena();
}

static uintptr_t states_end(const struct heap *heap)
{
    return heap->base + (uintptr_t)heap->state_units * HEADER_STATES /
                            (heap->set->small ? SMALL_UNITS : TINY_UNITS);
}

/* Of the states that no unit needs yet, nothing can be written to, but zeros can be read. */
static void check_states(const struct heap *heap)
{
    uintptr_t end = states_end(heap), rest = heap->base + HEADER_STATES - os_page_size();

    REQUIRE(heap->state_units < heap_units(heap) && end < rest, "all states are memory");
    REQUIRE(heap->state_units * UNIT_SIZE >= heap_committed(heap), "units without states");
    REQUIRE(unit_protected_so(heap->base, end, "rw-p"), "the first states");
    REQUIRE(unit_protected_so(end, rest, "r--p"), "the other states");
    REQUIRE(unit_protected_so(rest, heap->base + heap_committed(heap), "rw-p"), "the memory");
    for (uintptr_t at = end; at < rest; at += OS_PAGE)
        REQUIRE(*(volatile const char *)at == 0, "not zero"); // NOLINT: see pointer_to()
}

/* A pointer into what is only reserved is no chunk, and to find that out does no harm. */
static void look_up_reserved(const struct heap *heap)
{
    struct chunk chunk;

    REQUIRE(chunk_find(unit_start(heap, heap_units(heap) - 1), heap->set->tag, &chunk) ==
                CHUNK_NONE,
            "a chunk where nothing is");
}

static void states_follow(void *unused)
{
    struct arena *arena = later_arena();
    struct heap_set *sets[] = {&arena->tiny, &arena->small};
    unsigned first;

    (void)unused;
    for (unsigned n = 0; n < 2; n++) {
        unsigned used = mappings_used();
        struct heap *heap = unit_take_units(sets[n], 1, &first);

        REQUIRE(committed_units(heap) == (n == 0 ? TINY_LATER : SMALL_LATER), "%u units",
                committed_units(heap));
        REQUIRE(mappings_used() == used + 4 && heap_mappings(heap) == 4, "mappings");
        check_states(heap);
        look_up_reserved(heap);
        while (first + 1 < heap->state_units)
            REQUIRE(unit_take_units(sets[n], 1, &first) == heap, "another heap");
        check_states(heap);
        REQUIRE(unit_take_units(sets[n], 1, &first) == heap, "another heap");
        check_memory(heap);
        REQUIRE(mappings_used() == used + 2 && heap_mappings(heap) == 2, "mappings");
    }
}

static void test_the_states_of_later_arenas_follow_their_units(void **state)
{
    (void)state;
    assert_true(unit_child_succeeds(states_follow, NULL));
}

/* Takes all units that can be had. Returns how many. */
static unsigned take_all(struct heap_set *set, const struct heap *heap)
{
    unsigned first, taken = 0;

    for (; heap->free_units > 0; taken++) {
        REQUIRE(unit_take_units(set, 1, &first) == heap, "another heap");
        *(volatile char *)unit_start(heap, first) = 1; // NOLINT: see pointer_to()
    }
    return taken;
}

/* The states may be a hole then, so units behind are lost, and the others are used. */
static void check_lost(struct heap_set *set, const struct heap *heap)
{
    unsigned units = heap->state_units, first;

    REQUIRE(heap->free_units == 0 && bit_next(heap->lost, 0, heap_units(heap), 0) == units &&
                bit_next(heap->lost, units, heap_units(heap), ~UINT64_C(0)) == heap_units(heap),
            "other units are lost than those without states");
    REQUIRE(unit_take_units(set, 1, &first) != heap, "a lost unit is used");
}

/* Each call for a new heap fails in turn. One of them is the one for the states. */
static void refuse_first_states(void *unused)
{
    enum { CALLS = 20 };
    struct heap_set *set = &later_arena()->tiny;
    struct heap *heap = NULL;
    unsigned first;
    bool clean;

    (void)unused;
    for (unsigned long call = 1; call < CALLS; call++) {
        os_fail_after(call, false);
        heap = heap_set_take(set, 1, &first, &clean);
        os_fail_after(0, false);
        if (heap != NULL && bit_next(heap->lost, 0, heap_units(heap), 0) < heap_units(heap))
            break;
        if (heap != NULL)
            heap_give(heap, first, 1);
        (void)heap_set_trim(set);
        heap = NULL;
    }
    REQUIRE(heap != NULL, "the call for the states did not fail");
    take_all(set, heap);
    check_lost(set, heap);
}

static void refuse_later_states(void *unused)
{
    struct heap_set *set = &later_arena()->tiny;
    unsigned first;
    bool clean;
    struct heap *heap = unit_take_units(set, 1, &first);

    (void)unused;
    while (first + 1 < heap->state_units)
        unit_take_units(set, 1, &first);
    os_fail_after(1, false);
    REQUIRE(heap_set_take(set, 1, &first, &clean) == NULL, "without states");
    os_fail_after(0, false);
    check_lost(set, heap);
}

/* Makes a hole of the states that are renewed later. */
static void make_hole(const struct heap *heap)
{
    uintptr_t start = states_end(heap), end = start;

    while (unit_protected_so(end, end + os_page_size(), "r--p"))
        end += os_page_size();
    REQUIRE(munmap((void *)start, end - start) == 0, "no hole"); // NOLINT: see pointer_to()
}

/*
 * The kernel leaves a hole where it fails to renew states. The page behind a heap may be a LARGE
 * chunk's, and the state of its address is read, so that state is never in a hole.
 */
static void read_the_last_state(void *small)
{
    struct arena *arena = later_arena();
    struct heap_set *set = *(bool *)small ? &arena->small : &arena->tiny;
    unsigned first;
    struct heap *heap = unit_take_units(set, 1, &first);
    uintptr_t last =
        (heap->base | ((set->small ? SMALL_HEAP_SIZE : TINY_HEAP_SIZE) - 1)) - os_page_size() + 1;
    bool clean;

    make_hole(heap);
    REQUIRE(set->small ? *small_state(last) == 0 : *tiny_state(last) == 0, "not zero");
    /* With the hole filled, the state of every address can be read. */
    while (first + 1 < heap->state_units)
        unit_take_units(set, 1, &first);
    os_fail_after(1, false);
    REQUIRE(heap_set_take(set, 1, &first, &clean) == NULL, "without states");
    os_fail_after(0, false);
    REQUIRE(
        unit_protected_so(states_end(heap), heap->base + HEADER_STATES - os_page_size(), "r--p"),
        "the hole is still there");
}

static void test_what_is_read_behind_a_heap_is_never_in_a_hole(void **state)
{
    (void)state;
    for (unsigned zone = 0; zone < 2; zone++) {
        bool small = zone == 1;

        assert_true(unit_child_succeeds(read_the_last_state, &small));
    }
}

/* Giving back the states of a free heap renews them, too. */
static void give_states_back(void *unused)
{
    struct heap_set *set = &later_arena()->tiny;
    struct heap *heap = unit_take_heap(set);
    char *states = (char *)heap->base; // NOLINT: see pointer_to()

    (void)unused;
    states[HEADER_STATES / 2] = states[HEADER_STATES - 1] = 1;
    /* Beside other threads, the heap stays. */
    heap_set_enter(set, set->own, false, HEAP_ALLOWANCE_ALL);
    unit_give_heap(heap);
    REQUIRE(heap_set_release(set) > 0, "nothing was given back");
    REQUIRE(states[HEADER_STATES / 2] == 0, "the states were not given back");
    REQUIRE(states[HEADER_STATES - 1] == 1, "the last state was given back");
}

static void test_the_last_states_are_not_given_back(void **state)
{
    (void)state;
    assert_true(unit_child_succeeds(give_states_back, NULL));
}

static void test_the_kernel_refuses_states(void **state)
{
    (void)state;
    assert_true(unit_child_succeeds(refuse_first_states, NULL));
    assert_true(unit_child_succeeds(refuse_later_states, NULL));
}

/* After the first refusal, nothing is lost for states either. */
static void refuse_states_again(void *unused)
{
    struct heap_set *set = &later_arena()->tiny;
    unsigned first, free;
    bool clean;
    struct heap *heap = unit_take_units(set, 1, &first);

    (void)unused;
    while (first + 1 < heap->state_units)
        unit_take_units(set, 1, &first);
    free = heap->free_units;
    os_note_refusal(UNIT_SIZE);
    os_fail_after(1, true);
    REQUIRE(heap_set_take(set, 1, &first, &clean) == NULL, "without memory");
    os_fail_after(0, false);
    REQUIRE(heap->free_units == free, "units are lost");
    REQUIRE(take_all(set, heap) == free, "not all of them can be used");
    check_memory(heap);
}

static void test_a_second_refusal_of_states_loses_nothing(void **state)
{
    (void)state;
    assert_true(unit_child_succeeds(refuse_states_again, NULL));
}

/* In the child of a fork, the states that it makes memory cost what it saves to have them whole. */
static void states_in_a_child(void *unused)
{
    struct heap_set *set = &later_arena()->tiny;
    unsigned first, used;
    struct heap *heap = unit_take_units(set, 1, &first);

    (void)unused;
    while (first + 1 < heap->state_units)
        unit_take_units(set, 1, &first);
    mappings_after_fork();
    used = mappings_used();
    unit_take_units(set, 1, &first);
    REQUIRE(mappings_used() == used + 2 && heap_mappings(heap) == 6, "%u mappings",
            heap_mappings(heap));
}

static void test_a_child_counts_its_states(void **state)
{
    (void)state;
    assert_true(unit_child_succeeds(states_in_a_child, NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_states_of_later_arenas_follow_their_units),
        cmocka_unit_test(test_the_kernel_refuses_states),
        cmocka_unit_test(test_what_is_read_behind_a_heap_is_never_in_a_hole),
        cmocka_unit_test(test_the_last_states_are_not_given_back),
        cmocka_unit_test(test_a_second_refusal_of_states_loses_nothing),
        cmocka_unit_test(test_a_child_counts_its_states),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
