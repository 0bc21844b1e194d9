/*
 * Free pages inside slabs that go back without malloc_trim(): when they are old, and to make way
 * for fresh memory; and what the child of a fork makes of them. CTest runs this with pages of 4, 16
 * and 64 KiB.
 */
#include "unit/sparse.h"

#include "arena/fork.h"
#include "base/bits.h"
#include "base/mappings.h"
#include "bins/heap_pages.h"
#include "bins/slab_pages.h"
#include "support/require.h"

#include <string.h>

/* More than the time between two rounds for old pages, with no patience and with all of it. */
enum { SOON = 800 * 1000 * 1000 };
/*
 * Chunks of this size need 25 MiB, and are allocated again where they were. Their slabs are longer
 * than a page of 64 KiB.
 */
enum { IN_ONE_HEAP = 6000 };
#define LATER (UINT64_C(30) * 1000 * 1000 * 1000)

/* Makes a whole round at a time. Returns how many pages went back. */
static uint64_t age(struct arena *arena, uint64_t now)
{
    uint64_t before = slab_pages_counted().given;

    bins_enter(&arena->bins, NULL, NULL, true, HEAP_ALLOWANCE_ALL);
    assert_true(slab_pages_age(&arena->bins, now));
    return slab_pages_counted().given - before;
}

static void test_pages_go_back_in_the_second_round_in_which_they_are_free(void **state)
{
    (void)state;
    struct arena *arena = unit_arena();
    uint64_t now = 1, pages;

    fill(arena, IN_ONE_HEAP);
    free_most(arena);
    flush(arena);
    assert_int_equal(age(arena, now), 0);
    assert_int_equal(age(arena, now += SOON), 0);
    /* It is too early for the second round. */
    assert_int_equal(age(arena, now + SOON / 2), 0);
    pages = age(arena, now += SOON);
    assert_true(pages * OS_PAGE > (size_t)CHUNKS * IN_ONE_HEAP / 2);
    check_kept(IN_ONE_HEAP);
    /* Nothing is left, and nothing was returned, so nobody looks again. */
    assert_int_equal(age(arena, now += SOON), 0);
    assert_int_equal(arena->small.pages.rounds, 0);
    free_rest(arena);
}

static void test_pages_used_between_two_rounds_stay(void **state)
{
    (void)state;
    struct arena *arena = unit_arena();
    uint64_t now = 1;
    void *taken;

    fill(arena, IN_ONE_HEAP);
    free_most(arena);
    flush(arena);
    age(arena, now);
    age(arena, now += SOON);
    /* Takes a chunk, and returns it, in each slab that has room. */
    for (unsigned i = 0; i < CHUNKS; i++)
        if (i % keep_one_of != 0)
            chunks[i] = unit_alloc(arena, IN_ONE_HEAP);
    free_most(arena);
    flush(arena);
    assert_int_equal(age(arena, now += SOON), 0);
    taken = unit_alloc(arena, IN_ONE_HEAP);
    assert_true(age(arena, now += SOON) > 0);
    memset(taken, 1, IN_ONE_HEAP);
    check_kept(IN_ONE_HEAP);
    unit_free(arena, taken);
    free_rest(arena);
}

/* Frees, lets pages become old, and takes everything again. Returns how many pages went back. */
static uint64_t use_again(struct arena *arena, uint64_t *now)
{
    uint64_t pages = 0;

    free_most(arena);
    flush(arena);
    for (unsigned round = 0; round < 3; round++)
        pages += age(arena, *now += SOON);
    for (unsigned i = 0; i < CHUNKS; i++)
        if (i % keep_one_of != 0)
            chunks[i] = unit_alloc(arena, IN_ONE_HEAP);
    return pages;
}

static void test_pages_wanted_again_teach_patience_and_others_take_it_back(void **state)
{
    (void)state;
    struct arena *arena = unit_arena();
    uint64_t now = 1;

    fill(arena, IN_ONE_HEAP);
    assert_true(use_again(arena, &now) > 0);
    use_again(arena, &now);
    assert_true(arena->small.pages.patience > 0);
    for (unsigned n = 0; n < 20; n++)
        use_again(arena, &now);
    assert_int_equal(use_again(arena, &now), 0);
    free_most(arena);
    flush(arena);
    for (unsigned n = 0; n < 40; n++)
        age(arena, now += LATER);
    assert_int_equal(arena->small.pages.patience, 0);
    free_rest(arena);
}

static void test_free_pages_make_way_for_fresh_memory(void **state)
{
    (void)state;
    struct arena *arena = unit_arena();
    struct slab_pages_counts before, after;

    /* Slabs that are wholly free go back in another way, and others hold two pages of 64 KiB. */
    keep_one_of = os_page_size() > UNIT_SIZE ? 17 : 97;
    fill(arena, IN_ONE_HEAP);
    free_most(arena);
    flush(arena);
    before = slab_pages_counted();
    arena->small.pages.fresh = PAGES_WAY;
    bins_enter(&arena->bins, NULL, NULL, true, HEAP_ALLOWANCE_ALL);
    assert_true(heap_set_wants_way(&arena->small));
    slab_pages_make_way(&arena->bins);
    after = slab_pages_counted();
    assert_true((after.given - before.given) * OS_PAGE >= PAGES_WAY);
    /* No more than one piece of a heap too much. */
    assert_true((after.given - before.given) * OS_PAGE <= PAGES_WAY + (4 << 20));
    assert_false(heap_set_wants_way(&arena->small));
    slab_pages_make_way(&arena->bins);
    assert_int_equal(slab_pages_counted().given, after.given);
    check_kept(IN_ONE_HEAP);
    free_rest(arena);
    keep_one_of = 97;
}

/* Returns how many pages made way. */
static uint64_t make_way(struct arena *arena)
{
    uint64_t before = slab_pages_counted().given;

    arena->small.pages.fresh = PAGES_WAY;
    bins_enter(&arena->bins, NULL, NULL, true, HEAP_ALLOWANCE_ALL);
    slab_pages_make_way(&arena->bins);
    return slab_pages_counted().given - before;
}

/*
 * A round over the heaps ends only when there is nothing left to find, so the set has to learn in
 * the midst of one.
 */
static void test_pages_wanted_at_once_make_way_no_more(void **state)
{
    (void)state;
    struct arena *arena = unit_arena();
    uint64_t pages = 0;

    fill(arena, IN_ONE_HEAP);
    for (unsigned n = 0; n < 5; n++) {
        free_most(arena);
        flush(arena);
        pages = make_way(arena);
        assert_true(n > 0 || pages > 0);
        for (unsigned i = 0; i < CHUNKS; i++)
            if (i % keep_one_of != 0)
                chunks[i] = unit_alloc(arena, IN_ONE_HEAP);
    }
    assert_int_equal(pages, 0);
    assert_true(arena->small.pages.patience > 0);
    free_most(arena);
    free_rest(arena);
}

static void account_in_child(void *argument)
{
    struct arena *arena = argument;
    unsigned used = mappings_used();
    uint64_t before;

    mappings_after_fork();
    mappings_bound(1);
    before = calls();
    slab_pages_trim(&arena->bins);
    REQUIRE(calls() == before, "pages of an inherited heap were renewed");
    mappings_bound(0);
    REQUIRE(slab_pages_trim(&arena->bins) > 0, "nothing went back though the account allows it");
    REQUIRE(mappings_used() > used, "renewed pages are not on the account");
    REQUIRE(mappings_used() - used <= 2 * (calls() - before), "a run costs two mappings at most");
    free_rest(arena);
    flush(arena);
    heap_set_release(&arena->small);
    REQUIRE(mappings_used() < used, "unmapped heaps are still on the account");
}

static void test_pages_renewed_in_a_forks_child_are_accounted(void **state)
{
    (void)state;
    struct arena *arena = unit_arena();

    fill(arena, IN_ONE_HEAP);
    free_most(arena);
    flush(arena);
    assert_true(unit_child_succeeds(account_in_child, arena));
    free_rest(arena);
}

static unsigned count_lost(void *chunk, size_t size)
{
    const struct heap *heap = slab_heap(small_slab((uintptr_t)chunk));
    unsigned first = (unsigned)(((uintptr_t)chunk - heap->base) / OS_PAGE);
    unsigned end = (unsigned)(((uintptr_t)chunk - heap->base + size - 1) / OS_PAGE) + 1, lost = 0;

    for (unsigned page = first; page < end; page++)
        lost += (unsigned)bit_get(heap_page_map(heap, PAGES_LOST), page);
    return lost;
}

/* The repair rebuilds every slab from the states, which do not tell that memory is lost. */
static void test_lost_pages_stay_lost_in_the_repair_after_a_fork(void **state)
{
    (void)state;
    struct arena *arena = unit_arena();
    unsigned lost = 0;

    fill(arena, IN_ONE_HEAP);
    free_most(arena);
    flush(arena);
    os_fail_after(1, true);
    assert_int_equal(slab_pages_trim(&arena->bins), 0);
    os_fail_after(0, false);
    for (unsigned i = 1; i < CHUNKS; i++)
        if (i % keep_one_of != 0 && small_slab((uintptr_t)chunks[i]) != NULL)
            lost += count_lost(chunks[i], IN_ONE_HEAP);
    assert_true(lost > 0);
    atomic_store(&arena->survivor, false);
    atomic_store(&arena->damaged, ARENA_DAMAGED);
    arena_repair_step(arena);
    /* What is free is not known yet, so ticks leave the set alone. */
    assert_non_null(arena->small.unknown.heap);
    assert_int_equal(age(arena, LATER), 0);
    arena->small.pages.fresh = PAGES_WAY;
    slab_pages_make_way(&arena->bins);
    arena_repair(arena);
    for (unsigned i = 0; i < CHUNKS; i++)
        if (i % keep_one_of != 0) {
            chunks[i] = unit_alloc(arena, IN_ONE_HEAP);
            assert_int_equal(count_lost(chunks[i], IN_ONE_HEAP), 0);
        }
    check_kept(IN_ONE_HEAP);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pages_go_back_in_the_second_round_in_which_they_are_free),
        cmocka_unit_test(test_pages_used_between_two_rounds_stay),
        cmocka_unit_test(test_pages_wanted_again_teach_patience_and_others_take_it_back),
        cmocka_unit_test(test_free_pages_make_way_for_fresh_memory),
        cmocka_unit_test(test_pages_wanted_at_once_make_way_no_more),
        cmocka_unit_test(test_pages_renewed_in_a_forks_child_are_accounted),
        cmocka_unit_test(test_lost_pages_stay_lost_in_the_repair_after_a_fork),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
