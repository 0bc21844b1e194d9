/*
 * Heaps are committed in growing steps: what is memory at which moment, in how many mappings and
 * system calls, and what happens if the kernel refuses a step. Each test runs in a child.
 */
#include "unit/steps.h"
#include "unit/unit.h"

#include "base/bits.h"
#include "base/mappings.h"
#include "bins/heap_lists.h"
#include "bins/heap_steps.h"
#include "bins/limbo.h"
#include "os/os.h"
#include "support/require.h"

#include <string.h>

/* Uses up a heap unit by unit, and returns how many steps that took. */
static unsigned fill(struct heap_set *set, struct heap *heap)
{
    unsigned steps = 0, first;

    while (heap->free_units > 0) {
        uint64_t calls = os_counted().mmap;
        size_t before = heap_committed(heap);

        REQUIRE(unit_take_units(set, 1, &first) == heap, "another heap");
        memset((void *)unit_start(heap, first), 1, UNIT_SIZE); // NOLINT: see pointer_to()
        calls = os_counted().mmap - calls;
        REQUIRE(calls == (heap_committed(heap) > before), "%lu calls", (unsigned long)calls);
        steps += (unsigned)calls;
        if (calls > 0)
            check_memory(heap);
    }
    REQUIRE(heap_committed(heap) == end_of(heap) - heap->base, "not all of it is memory");
    return steps;
}

static void grow_both_zones(void *first_mapping)
{
    struct arena *arena = unit_arena();
    struct heap *heap;
    unsigned first;

    if (!*(bool *)first_mapping)
        use_up_first_mapping();
    heap = unit_take_units(&arena->tiny, 1, &first);
    check_memory(heap);
    REQUIRE(committed_units(heap) == TINY_COMMITTED, "%u units of TINY", committed_units(heap));
    REQUIRE(fill(&arena->tiny, heap) <= 4, "many steps for a TINY heap");
    heap = unit_take_units(&arena->small, SLAB_UNITS_MAX, &first);
    check_memory(heap);
    REQUIRE(committed_units(heap) == SMALL_COMMITTED, "%u units of SMALL", committed_units(heap));
    REQUIRE(fill(&arena->small, heap) <= 18, "many steps for a SMALL heap");
}

static void test_steps_grow(void **state)
{
    (void)state;
    bool first_mapping = false;

    assert_true(unit_child_succeeds(grow_both_zones, &first_mapping));
    first_mapping = true;
    assert_true(unit_child_succeeds(grow_both_zones, &first_mapping));
}

/* Who has used a whole heap gets the next one whole, without further system calls. */
static void take_a_second(void *unused)
{
    struct heap_set *sets[] = {&unit_arena()->tiny, &unit_arena()->small};
    unsigned first;

    (void)unused;
    for (unsigned n = 0; n < 2; n++) {
        struct heap *full = unit_take_heap(sets[n]);
        struct heap *heap = unit_take_units(sets[n], 1, &first);

        REQUIRE(heap != full, "more units than there are");
        REQUIRE(heap_committed(heap) == end_of(heap) - heap->base, "a part of it is reserved");
        check_memory(heap);
    }
}

static void test_later_heaps_are_memory_at_once(void **state)
{
    (void)state;
    assert_true(unit_child_succeeds(take_a_second, NULL));
}

/* A run that begins far behind the memory commits everything in front of it. */
static void take_aligned(void *unused)
{
    struct arena *arena = unit_arena();
    unsigned first;
    bool clean;
    struct heap *heap = unit_take_units(&arena->small, 1, &first);

    (void)unused;
    for (unsigned n = 0; n < 20; n++) {
        REQUIRE(heap_set_take_aligned(&arena->small, SLAB_UNITS_MAX, SLAB_UNITS_MAX, &first,
                                      &clean) == heap,
                "another heap");
        check_memory(heap);
    }
    while (bit_get(heap->vacant, 22))
        REQUIRE(unit_take_units(&arena->small, 1, &first) == heap, "another heap");
    check_memory(heap);
}

static void test_memory_has_no_gap(void **state)
{
    (void)state;
    assert_true(unit_child_succeeds(take_aligned, NULL));
}

/* Giving back never makes memory of what never was. */
static void purge_little(void *unused)
{
    struct arena *arena = unit_arena();
    unsigned first;
    struct heap *heap = unit_take_units(&arena->small, 8, &first);
    size_t before;

    (void)unused;
    unit_take_units(&arena->small, 1, &(unsigned){0});
    before = heap_committed(heap);
    heap_give(heap, first, 8);
    REQUIRE(heap_set_trim(&arena->small) > 0, "nothing was given back");
    REQUIRE(heap_committed(heap) == before, "purging made memory");
    check_memory(heap);
    unit_forget_heaps(&arena->small);
    REQUIRE(heap_committed(heap) == before, "the repair made memory");
    /* Beside other threads, the heap stays. */
    arena->small.alone = false;
    (void)heap_set_trim(&arena->small);
    check_memory(heap);
    REQUIRE(unit_take_units(&arena->small, SLAB_UNITS_MAX, &first) == heap, "another heap");
    check_memory(heap);
}

static void test_purging_commits_nothing(void **state)
{
    (void)state;
    assert_true(unit_child_succeeds(purge_little, NULL));
}

static void rest_in_limbo(void *unused)
{
    struct arena *arena = unit_arena();
    struct heap *heap = NULL;
    uintptr_t base = 0;
    unsigned first;

    (void)unused;
    use_up_first_mapping();
    limbo_used = true;
    heap = unit_take_units(&arena->small, 1, &first);
    base = heap->base;
    REQUIRE(limbo_put(base, SMALL_HEAP_SIZE, heap_committed(heap)), "not in limbo");
    REQUIRE(unit_protected_so(base, base + (uintptr_t)SMALL_COMMITTED * UNIT_SIZE, "rw-p"),
            "its header cannot be read");
    REQUIRE(unit_protected_so(base + (uintptr_t)SMALL_COMMITTED * UNIT_SIZE,
                              base + SMALL_HEAP_SIZE - os_page_size(), "---p"),
            "limbo made memory");
    REQUIRE(limbo_empty(true) == SMALL_HEAP_SIZE, "it does not leave");
}

static void test_limbo_commits_nothing(void **state)
{
    (void)state;
    assert_true(unit_child_succeeds(rest_in_limbo, NULL));
}

/* Takes units until the next one needs a step. Returns the last one. */
static unsigned use_up_memory(struct heap_set *set, struct heap *heap)
{
    unsigned first = 0;

    while (first + 1 < committed_units(heap))
        REQUIRE(unit_take_units(set, 1, &first) == heap, "another heap");
    return first;
}

/* If the kernel refuses a step, the units of that step are lost, and no others. */
static void refuse_one_step(void *unused)
{
    struct heap_set *set = &unit_arena()->small;
    unsigned last, other, free;
    bool clean;
    struct heap *heap = unit_take_units(set, 1, &other);

    (void)unused;
    last = use_up_memory(set, heap);
    free = heap->free_units;
    os_fail_after(1, false);
    REQUIRE(heap_set_take(set, 1, &other, &clean) == NULL, "without memory");
    os_fail_after(0, false);
    REQUIRE(heap->free_units < free && free - heap->free_units <= SMALL_COMMITTED,
            "%u units are lost", free - heap->free_units);
    REQUIRE(bit_get(heap->lost, last + 1), "it is not lost");
    REQUIRE(unit_take_units(set, 1, &other) == heap, "it is not used any more");
    REQUIRE(!bit_get(heap->lost, other) && other > last, "a lost unit is used");
    *(volatile char *)unit_start(heap, other) = 1; // NOLINT: see pointer_to()
}

static void test_the_kernel_refuses_a_step(void **state)
{
    (void)state;
    assert_true(unit_child_succeeds(refuse_one_step, NULL));
}

/*
 * Once the kernel has refused memory, it is asked for other memory before each step, so that a
 * refused step loses nothing. And memory that is free in another heap is found.
 */
static void refuse_again(void *unused)
{
    struct heap_set *set = &unit_arena()->small;
    unsigned first, other, free;
    bool clean;
    struct heap *heap = unit_take_units(set, 1, &first), *full;

    (void)unused;
    use_up_memory(set, heap);
    free = heap->free_units;
    open_remove(set, heap);
    full = unit_take_heap(set);
    open_insert(set, heap);
    os_note_refusal(UNIT_SIZE);
    os_fail_after(1, true);
    REQUIRE(heap_set_take(set, 1, &other, &clean) == NULL, "without memory");
    REQUIRE(heap->free_units == free, "%u units are lost", free - heap->free_units);
    /* The other heap has room again, but it is not the first to be asked. */
    heap_give(full, heap_first_unit(full), 4);
    open_remove(set, heap);
    open_insert(set, heap);
    os_fail_after(1, true);
    REQUIRE(heap_set_take(set, 4, &other, &clean) == full, "free memory was not found");
    os_fail_after(0, false);
    REQUIRE(unit_take_units(set, 1, &other) == heap && bit_get(heap->reserved, other) == 0,
            "it does not grow any more");
    check_memory(heap);
}

static void test_a_second_refusal_loses_nothing(void **state)
{
    (void)state;
    assert_true(unit_child_succeeds(refuse_again, NULL));
}

/* Under a limit a heap is memory at once, so what is refused is a heap and no step. */
static void map_under_a_limit(void *unused)
{
    struct heap_set *set = &unit_arena()->tiny;
    unsigned first;
    struct heap *heap;

    (void)unused;
    use_up_first_mapping();
    os_note_refusal(UNIT_SIZE);
    heap = unit_take_units(set, 1, &first);
    REQUIRE(heap_committed(heap) == end_of(heap) - heap->base, "a part of it is reserved");
    check_guards(set);
}

static void test_under_a_limit_there_are_no_steps(void **state)
{
    (void)state;
    assert_true(unit_child_succeeds(map_under_a_limit, NULL));
}

/* In the child of a fork, the kernel does not join a step with what the parent mapped. */
static void grow_in_a_child(void *unused)
{
    struct heap_set *set = &unit_arena()->small;
    unsigned first;
    struct heap *heap = unit_take_units(set, 1, &first);
    unsigned before = heap_mappings(heap), used = mappings_used();

    (void)unused;
    mappings_after_fork();
    use_up_memory(set, heap);
    unit_take_units(set, 1, &first);
    REQUIRE(heap_mappings(heap) == before + 2, "the first step is not counted");
    use_up_memory(set, heap);
    unit_take_units(set, 1, &first);
    REQUIRE(heap_mappings(heap) == before + 2, "the second step is counted");
    REQUIRE(mappings_used() == used + 2, "%u on the account", mappings_used() - used);
    /* The process has used up its mappings, but it needs the memory. */
    mappings_bound(1);
    use_up_memory(set, heap);
    REQUIRE(unit_take_units(set, 1, &first) == heap, "no step");
    mappings_bound(0);
}

static void test_a_child_counts_its_steps(void **state)
{
    (void)state;
    assert_true(unit_child_succeeds(grow_in_a_child, NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_steps_grow),
        cmocka_unit_test(test_later_heaps_are_memory_at_once),
        cmocka_unit_test(test_memory_has_no_gap),
        cmocka_unit_test(test_purging_commits_nothing),
        cmocka_unit_test(test_limbo_commits_nothing),
        cmocka_unit_test(test_the_kernel_refuses_a_step),
        cmocka_unit_test(test_a_second_refusal_loses_nothing),
        cmocka_unit_test(test_under_a_limit_there_are_no_steps),
        cmocka_unit_test(test_a_child_counts_its_steps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
