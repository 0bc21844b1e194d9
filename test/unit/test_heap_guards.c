/*
 * Heaps of hardened processes: reserved at first, committed in steps, with guards inside that are
 * never committed. Each test runs in a child.
 */
#include "unit/hardened.h"

#include "base/bits.h"
#include "bins/heap_guards.h"
#include "os/os.h"

static uintptr_t unit_start(const struct heap *heap, unsigned unit)
{
    return heap->base + (uintptr_t)unit * UNIT_SIZE;
}

static void check_steps(struct heap_set *set)
{
    unsigned first;
    struct heap *heap = unit_take_units(set, 1, &first);

    REQUIRE(first == heap_first_unit(heap), "not the first unit");
    REQUIRE(unit_protected_so(heap->base, unit_start(heap, first + 1), "rw-p"), "it is no memory");
    REQUIRE(unit_protected_so(unit_start(heap, first + GUARD_BLOCK),
                              unit_start(heap, heap_units(heap)), "---p"),
            "what nobody has used can be written to");
}

static void commit_in_steps(void *unused)
{
    struct arena *arena = unit_arena();
    (void)unused;

    if (!heap_has_guards())
        return;
    check_steps(&arena->tiny);
    check_steps(&arena->small);
}

static void test_unused_units_have_no_memory(void **state)
{
    (void)state;
    run(commit_in_steps);
}

static void check_distances(struct heap_set *set)
{
    struct heap *heap = unit_take_heap(set);
    unsigned last = heap_first_unit(heap), guards = 0;

    for (unsigned unit = last; unit < heap_units(heap); unit++)
        if (bit_get(heap->guards, unit)) {
            REQUIRE(unit - last < (1 << 20) / UNIT_SIZE, "a MiB without a guard");
            REQUIRE(unit - last > SLAB_UNITS_MAX - 1, "no room for the longest slab");
            last = unit;
            guards++;
        }
    REQUIRE(heap_units(heap) - last < (1 << 20) / UNIT_SIZE, "a MiB without a guard");
    REQUIRE(guards == heap->guard_units && guards > 0, "%u guards", guards);
}

static void measure_distances(void *unused)
{
    struct arena *arena = unit_arena();
    (void)unused;

    if (!heap_has_guards())
        return;
    for (unsigned n = 0; n < 5; n++) {
        check_distances(&arena->tiny);
        check_distances(&arena->small);
    }
}

static void test_guards_are_less_than_a_mib_apart(void **state)
{
    (void)state;
    run(measure_distances);
}

/* If the kernel refuses a step, the units of that step are lost, and no others. */
static void refuse_a_step(void *unused)
{
    struct arena *arena = unit_arena();
    struct heap *heap;
    unsigned first, free, other;
    bool clean;
    (void)unused;

    if (!heap_has_guards())
        return;
    heap = unit_take_units(&arena->small, SLAB_UNITS_MAX, &first);
    free = heap->free_units;
    os_fail_after(1, false);
    /* What is committed from the beginning has no room for two of the longest slabs. */
    REQUIRE(heap_set_take(&arena->small, SLAB_UNITS_MAX, &other, &clean) == NULL, "without memory");
    os_fail_after(0, false);
    REQUIRE(heap->free_units < free && free - heap->free_units <= SLAB_UNITS_MAX, "lost %u units",
            free - heap->free_units);
    REQUIRE(unit_take_units(&arena->small, SLAB_UNITS_MAX, &other) == heap,
            "it is not used any more");
    REQUIRE(!bit_get(heap->lost, first) && !bit_get(heap->lost, other), "a lost unit is used");
}

static void test_the_kernel_refuses_a_step(void **state)
{
    (void)state;
    run(refuse_a_step);
}

/* After a fork all units are free again except guards, and uncommitted units stay uncommitted. */
static void forget(void *unused)
{
    struct arena *arena = unit_arena();
    struct heap *heap;
    unsigned first;
    (void)unused;

    if (!heap_has_guards())
        return;
    heap = unit_take_units(&arena->small, 1, &first);
    unit_forget_heaps(&arena->small);
    REQUIRE(heap->free_units == heap_units(heap) - heap_first_unit(heap) - heap->guard_units,
            "not all is free");
    (void)heap_set_trim(&arena->small);
    REQUIRE(unit_take_units(&arena->small, 1, &first) != NULL, "no memory");
}

static void test_repair_keeps_the_guards(void **state)
{
    (void)state;
    run(forget);
}

/*
 * Each guard divides a mapping, and the kernel allows a limited number of mappings. So guards stop
 * at some point.
 */
static void use_up_guards(void *unused)
{
    enum { HEAPS = GUARDS_MAX / (SMALL_UNITS / GUARD_BLOCK - 1) + 2 };
    static struct heap *heaps[HEAPS];
    struct arena *arena = unit_arena();
    unsigned guards = 0;
    (void)unused;

    if (!heap_has_guards())
        return;
    for (unsigned n = 0; n < HEAPS; n++) {
        heaps[n] = unit_take_heap(&arena->small);
        guards += heaps[n]->guard_units;
    }
    REQUIRE(guards <= GUARDS_MAX && guards > GUARDS_MAX / 2, "%u guards", guards);
    REQUIRE(heaps[HEAPS - 1]->guard_units == 0, "no end of them");
    for (unsigned n = 0; n < HEAPS; n++)
        unit_give_heap(heaps[n]);
    (void)heap_set_trim(&arena->small);
    REQUIRE(unit_take_heap(&arena->small)->guard_units > 0, "none any more");
}

static void test_the_number_of_guards_is_bounded(void **state)
{
    (void)state;
    run(use_up_guards);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_unused_units_have_no_memory),
        cmocka_unit_test(test_guards_are_less_than_a_mib_apart),
        cmocka_unit_test(test_the_kernel_refuses_a_step),
        cmocka_unit_test(test_repair_keeps_the_guards),
        cmocka_unit_test(test_the_number_of_guards_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
