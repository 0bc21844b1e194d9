/*
 * Units and the kernel's pages, which may be larger: a heap purges whole pages only, and keeps what
 * is live beside them. CTest runs this with pages of 4, 16 and 64 KiB.
 */
#include "unit/unit.h"

#include "bins/heap.h"
#include "os/os.h"
#include "support/pattern.h"
#include "support/rng.h"

#include <string.h>

enum { ROUNDS = 40, TAGS = 0x100000 };

static char *address_of(const struct heap *heap, unsigned unit)
{
    return (char *)(heap->base + (uintptr_t)unit * UNIT_SIZE);
}

/* Which runs of units are in use, and the tag that is written into them. */
struct in_use {
    struct heap *heap;
    uint64_t tag_of[SMALL_UNITS]; /* 0 if the run is not in use */
    uint64_t next_tag;
};

static void take_one(struct in_use *used)
{
    unsigned unit;
    bool clean;
    struct heap *heap = heap_set_take(used->heap->set, 1, &unit, &clean);

    assert_ptr_equal(heap, used->heap);
    assert_int_equal(used->tag_of[unit], 0);
    if (clean)
        assert_int_equal(pattern_first_nonzero(address_of(heap, unit), UNIT_SIZE), UNIT_SIZE);
    used->tag_of[unit] = used->next_tag++;
    pattern_write(address_of(heap, unit), 0, UNIT_SIZE, used->tag_of[unit]);
}

static void give_some(struct in_use *used, unsigned one_of, struct rng *rng)
{
    struct heap *heap = used->heap;

    for (unsigned unit = heap_first_unit(heap) + 1; unit < heap_units(heap); unit++) {
        /* Often frees neighbours together. */
        bool with_last = used->tag_of[unit - 1] == 0 && rng_below(rng, 4) != 0;

        if (used->tag_of[unit] == 0 || (!with_last && rng_below(rng, one_of) != 0))
            continue;
        used->tag_of[unit] = 0;
        heap_give(heap, unit, 1);
    }
}

static void check_those_in_use(const struct in_use *used)
{
    struct heap *heap = used->heap;

    for (unsigned unit = heap_first_unit(heap); unit < heap_units(heap); unit++) {
        uint64_t tag = used->tag_of[unit];

        if (tag != 0)
            assert_int_equal(pattern_mismatch(address_of(heap, unit), UNIT_SIZE, tag), UNIT_SIZE);
    }
}

static void give_back_somehow(struct heap_set *set, unsigned round)
{
    if (round % 3 == 0)
        heap_set_trim(set);
    else if (round % 3 == 1)
        (void)heap_set_trim_step(set);
    else
        for (unsigned tick = 0; tick < 2; tick++)
            heap_set_age(set);
}

static void neighbours_stay(struct heap_set *set)
{
    static struct in_use used;
    struct rng rng = rng_stream(18, set->small);
    unsigned first;

    used = (struct in_use){.heap = unit_take_units(set, 1, &first), .next_tag = TAGS};
    heap_give(used.heap, first, 1);
    for (unsigned round = 0; round < ROUNDS; round++) {
        unsigned most = (unsigned)rng_below(&rng, 200) + 20;

        for (unsigned n = 0; n < most && used.heap->free_units > 0; n++)
            take_one(&used);
        give_some(&used, 1 + round % 8, &rng);
        give_back_somehow(set, round);
        check_those_in_use(&used);
    }
    assert_int_equal(unit_count_heaps(set), 1);
}

static void test_live_units_beside_free_ones_stay_in_tiny_heaps(void **state)
{
    (void)state;
    neighbours_stay(&unit_arena()->tiny);
}

static void test_live_units_beside_free_ones_stay_in_small_heaps(void **state)
{
    (void)state;
    neighbours_stay(&unit_arena()->small);
}

/* Returns the bytes of the whole pages in a run. */
static size_t whole_pages(const struct heap *heap, unsigned first, unsigned units)
{
    uintptr_t page = os_page_size();
    uintptr_t start = round_up((uintptr_t)address_of(heap, first), page);
    uintptr_t end = (uintptr_t)address_of(heap, first + units) & ~(page - 1);

    return end > start ? end - start : 0;
}

static bool is_zero(const struct heap *heap, unsigned unit)
{
    return pattern_first_nonzero(address_of(heap, unit), UNIT_SIZE) == UNIT_SIZE;
}

static void check_run_given_back(struct heap *heap, unsigned first, unsigned units)
{
    struct heap_set *set = heap->set;
    size_t whole = whole_pages(heap, first, units);
    unsigned zero = 0;

    memset(address_of(heap, first), 0xee, units * (size_t)UNIT_SIZE);
    heap_give(heap, first, units);
    assert_int_equal(heap_set_trim(set), whole);
    for (unsigned unit = first; unit < first + units; unit++) {
        zero += is_zero(heap, unit);
        assert_int_equal(is_zero(heap, unit), whole_pages(heap, unit, 1) == UNIT_SIZE ||
                                                  (heap->dirty[unit / 64] >> unit % 64 & 1) == 0);
    }
    assert_int_equal(zero * (size_t)UNIT_SIZE, whole);
    assert_true(heap_claim(heap, first, units));
}

static void test_whole_pages_of_any_run_are_purged(void **state)
{
    (void)state;
    struct heap *heap = unit_take_heap(&unit_arena()->small);

    for (unsigned first = 64; first < 64 + unit_page_units(); first++)
        for (unsigned units = 1; units <= 2 * unit_page_units() + 1; units++)
            check_run_given_back(heap, first, units);
}

/*
 * A page is purged once all of it is free, in whatever order its units were freed, and even if some
 * were never touched.
 */
static void test_a_page_is_purged_when_its_last_unit_is_free(void **state)
{
    (void)state;
    struct heap_set *set = &unit_arena()->small;
    struct heap *heap = unit_take_heap(set);
    unsigned units = unit_page_units(), first = 64;

    memset(address_of(heap, first), 0xee, UNIT_SIZE);
    for (unsigned unit = first; unit < first + units; unit++) {
        assert_int_equal(heap_set_trim(set), 0);
        heap_give_touched(heap, unit, 1, unit == first);
    }
    assert_int_equal(heap_set_trim(set), round_up(UNIT_SIZE, os_page_size()));
    assert_true(is_zero(heap, first));
    assert_int_equal(heap_set_trim(set), 0);
}

/* Returns the bytes of states that describe only these units and fill pages. */
static size_t whole_states(const struct heap *heap, unsigned first, unsigned units)
{
    size_t state =
        heap->set->small ? UNIT_SIZE / SMALL_GRANULE * sizeof(uint32_t) : UNIT_SIZE / CHUNK_ALIGN;
    size_t from = round_up(first * state, os_page_size());
    size_t end = (first + units) * state & ~(os_page_size() - 1);

    return end > from ? end - from : 0;
}

/* The header's last units share a page with the first units that slabs get. */
static void test_the_header_stays_when_the_first_units_are_purged(void **state)
{
    (void)state;
    enum { END = 256 }; /* units of that page which no slab uses yet */
    struct arena *arena = unit_arena();
    struct heap_set *sets[] = {&arena->tiny, &arena->small};

    for (unsigned n = 0; n < 2; n++) {
        struct heap *heap = unit_take_heap(sets[n]);
        unsigned first = heap_first_unit(heap), count = heap_units(heap) - first;
        char *end_of_header = address_of(heap, first) - END;

        memset(address_of(heap, first), 0xee, (count - 1) * (size_t)UNIT_SIZE);
        pattern_write(end_of_header, 0, END, 9);
        heap_give(heap, first, count - 1);
        assert_int_equal(heap_set_trim(sets[n]), whole_pages(heap, first, count - 1) +
                                                     whole_states(heap, first, count - 1));
        assert_int_equal(pattern_mismatch(end_of_header, END, 9), END);
        assert_ptr_equal(sets[n]->heaps, heap);
        assert_int_equal(heap->free_units, count - 1);
    }
}

/* A page that the kernel may have turned into a hole is lost, and not a unit more or less. */
static void test_a_page_that_cannot_be_renewed_is_lost(void **state)
{
    (void)state;
    struct heap_set *set = &unit_arena()->small;
    struct heap *heap = unit_take_heap(set);
    unsigned page = unit_page_units(), units = 3 * page, first = 65, from = unit_page_from(first);
    unsigned lost, unit;

    heap_give(heap, first, units);
    lost = (unsigned)(whole_pages(heap, first, units) / UNIT_SIZE);
    os_fail_after(1, false);
    assert_int_equal(heap_set_trim(set), 0);
    os_fail_after(0, false);
    assert_int_equal(heap->free_units, units - lost);
    for (unsigned left = units - lost; left > 0; left--) {
        assert_ptr_equal(unit_take_units(set, 1, &unit), heap);
        assert_true(unit < from || unit >= from + lost);
    }
    assert_int_equal(heap->free_units, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_live_units_beside_free_ones_stay_in_tiny_heaps),
        cmocka_unit_test(test_live_units_beside_free_ones_stay_in_small_heaps),
        cmocka_unit_test(test_whole_pages_of_any_run_are_purged),
        cmocka_unit_test(test_a_page_is_purged_when_its_last_unit_is_free),
        cmocka_unit_test(test_the_header_stays_when_the_first_units_are_purged),
        cmocka_unit_test(test_a_page_that_cannot_be_renewed_is_lost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
