/*
 * Heaps under a limit of address space: they get smaller, and their size is restored without it.
 */
#include "unit/space.h"
#include "unit/unit.h"

#include "bins/space.h"
#include "support/pattern.h"
#include "support/require.h"
#include "support/sanitized.h"

/*
 * Takes units one by one until there is no memory, fills them, and checks them all. Returns the
 * number of heaps.
 */
static size_t fill_with_units(struct heap_set *set, size_t *bytes)
{
    unsigned first;
    bool clean;
    struct heap *heap;

    while ((heap = heap_set_take(set, 1, &first, &clean)) != NULL) {
        uintptr_t at = heap->base + (uintptr_t)first * UNIT_SIZE;

        pattern_write((void *)at, 0, UNIT_SIZE, at); // NOLINT: an address becomes a pointer
        *bytes += UNIT_SIZE;
    }
    for (heap = set->heaps; heap != NULL; heap = heap->next)
        for (unsigned unit = heap_first_unit(heap); unit < heap_units(heap); unit++) {
            uintptr_t at = heap->base + (uintptr_t)unit * UNIT_SIZE;

            REQUIRE(pattern_mismatch((void *)at, UNIT_SIZE, at) == UNIT_SIZE,
                    "a unit was changed"); // NOLINT
        }
    return unit_count_heaps(set);
}

static void fill_up_to_the_limit(struct heap_set *set)
{
    static const size_t room = (size_t)31 << 20;
    size_t bytes = 0, largest = 0, smallest = SIZE_MAX, limit = unit_address_space() + room;

    unit_limit(limit);
    REQUIRE(fill_with_units(set, &bytes) > 1, "one heap took it all");
    check_guards(set);
    for (const struct heap *heap = set->heaps; heap != NULL; heap = heap->next) {
        largest = heap->size > largest ? heap->size : largest;
        smallest = heap->size < smallest ? heap->size : smallest;
    }
    unit_limit(SIZE_MAX);
    REQUIRE(unit_address_space() + (set->small ? SMALL_HEAP_LEAST : TINY_HEAP_LEAST) > limit,
            "there is more room");
    REQUIRE(largest > smallest && largest < room, "not what the limit leaves");
    REQUIRE(bytes > room / 10 * 8, "only %zu bytes", bytes);
    while (set->heaps != NULL) {
        unit_give_heap(set->heaps);
        (void)heap_set_release(set);
    }
    /* Without a limit heaps have their full size again. */
    REQUIRE(unit_take_heap(set)->size == (set->small ? SMALL_HEAP_SIZE : TINY_HEAP_SIZE),
            "not a whole one");
}

static void fill_both_zones(void *argument)
{
    struct arena *arena = unit_arena();

    (void)argument;
    use_up_first_mapping();
    fill_up_to_the_limit(&arena->tiny);
    fill_up_to_the_limit(&arena->small);
}

static void test_under_a_limit_heaps_are_smaller(void **state)
{
    (void)state;
    if (sanitized)
        skip();
    assert_true(unit_child_succeeds(fill_both_zones, NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_under_a_limit_heaps_are_smaller),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
