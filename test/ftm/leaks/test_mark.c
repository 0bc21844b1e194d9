/*
 * Marking: what is reachable, and in which of Valgrind's words.
 */
#include "heuristic.h"
#include "mark_heap.h"

static void a_root_reaches_a_chain(void **state)
{
    struct heap *heap = *state;
    uint64_t a = chunk(heap, 8), b = chunk(heap, 40), c = chunk(heap, 1), d = chunk(heap, 16);

    heap->roots[3] = b;
    store(heap, b + 32, a);
    store(heap, a, c);
    store(heap, d + 8, 0x1234);
    run(heap);
    assert_int_equal(kind(heap, a), MARK_REACHABLE);
    assert_int_equal(kind(heap, b), MARK_REACHABLE);
    assert_int_equal(kind(heap, c), MARK_REACHABLE);
    assert_int_equal(kind(heap, d), MARK_LOST);
}

static void slack_and_odd_words_hold_no_pointers(void **state)
{
    struct heap *heap = *state;
    uint64_t a = chunk(heap, 24), b = chunk(heap, 8), c = chunk(heap, 8), d = chunk(heap, 23);

    heap->roots[0] = a;
    heap->roots[1] = d;
    store(heap, a + 24, b);
    memcpy((char *)heap->words + (a - ARENA) + 4, &c, 8);
    store(heap, d + 16, c);
    run(heap);
    assert_int_equal(kind(heap, a), MARK_REACHABLE);
    assert_int_equal(kind(heap, b), MARK_LOST);
    assert_int_equal(kind(heap, c), MARK_LOST);
}

static void a_pointer_inside_makes_it_possible(void **state)
{
    struct heap *heap = *state;
    uint64_t a = chunk(heap, 100), b = chunk(heap, 100), c = chunk(heap, 100);

    heap->roots[0] = a + 40;
    heap->roots[1] = b + 99;
    heap->roots[2] = c + 100;
    run(heap);
    assert_int_equal(kind(heap, a), MARK_POSSIBLE);
    assert_int_equal(kind(heap, b), MARK_POSSIBLE);
    assert_int_equal(kind(heap, c), MARK_LOST);
}

static void what_possible_leads_to_is_possible_unless_reached_otherwise(void **state)
{
    struct heap *heap = *state;
    uint64_t a = chunk(heap, 64), b = chunk(heap, 64), c = chunk(heap, 64), d = chunk(heap, 64);

    heap->roots[0] = a + 8;
    store(heap, a, b);
    store(heap, b, c);
    /* Found later than the way through a: all behind it has to be looked at again. */
    heap->roots[7] = d;
    store(heap, d, b);
    run(heap);
    assert_int_equal(kind(heap, a), MARK_POSSIBLE);
    assert_int_equal(kind(heap, b), MARK_REACHABLE);
    assert_int_equal(kind(heap, c), MARK_REACHABLE);
}

static void a_lost_list_has_one_leader(void **state)
{
    struct heap *heap = *state;
    uint64_t node[6];

    for (unsigned i = 0; i < 6; i++)
        node[i] = chunk(heap, 32);
    /* 3 -> 1 -> 5 -> 0, and 4 -> 2 */
    store(heap, node[3], node[1]);
    store(heap, node[1], node[5]);
    store(heap, node[5] + 8, node[0]);
    store(heap, node[4], node[2] + 16);
    run(heap);
    for (unsigned i = 0; i < 6; i++) {
        bool head = i == 3 || i == 4;

        assert_int_equal(kind(heap, node[i]), head ? MARK_LOST : MARK_INDIRECT);
        assert_int_equal(leader(heap, node[i]), node[i == 4 || i == 2 ? 4 : 3]);
    }
}

static void of_a_ring_the_lowest_is_lost(void **state)
{
    struct heap *heap = *state;
    uint64_t a = chunk(heap, 32), b = chunk(heap, 32), c = chunk(heap, 32), d = chunk(heap, 32);

    store(heap, a, b);
    store(heap, b, c);
    store(heap, c, a);
    store(heap, d, d);
    run(heap);
    assert_int_equal(kind(heap, a), MARK_LOST);
    assert_int_equal(kind(heap, b), MARK_INDIRECT);
    assert_int_equal(kind(heap, c), MARK_INDIRECT);
    assert_int_equal(kind(heap, d), MARK_LOST);
    assert_int_equal(leader(heap, c), a);
}

static void suppressing_takes_all_behind_it(void **state)
{
    struct heap *heap = *state;
    uint64_t a = chunk(heap, 32), b = chunk(heap, 32), c = chunk(heap, 32), d = chunk(heap, 32);

    store(heap, a, b);
    store(heap, c, b);
    heap->roots[0] = d + 8;
    begin(heap);
    assert_true(mark_suppress(heap->mark, mark_find(heap->mark, a)));
    assert_true(mark_suppress(heap->mark, mark_find(heap->mark, d)));
    finish(heap);
    assert_int_equal(kind(heap, a), MARK_SUPPRESSED);
    assert_int_equal(kind(heap, b), MARK_SUPPRESSED);
    assert_int_equal(kind(heap, c), MARK_LOST);
    assert_int_equal(kind(heap, d), MARK_SUPPRESSED);
}

static void empty_chunks_are_reached(void **state)
{
    struct heap *heap = *state;
    uint64_t a = chunk(heap, 0), b = chunk(heap, 0), c = chunk(heap, 16);

    heap->roots[0] = a;
    store(heap, c, b);
    run(heap);
    assert_int_equal(kind(heap, a), MARK_REACHABLE);
    assert_int_equal(kind(heap, b), MARK_INDIRECT);
}

static void what_a_caller_knows(void **state)
{
    struct heap *heap = *state;
    struct mark_memory memory = {read_heap, is_vtable, NULL, heap};
    uint64_t a = chunk(heap, 16), b = chunk(heap, 16), c = chunk(heap, 16), d = chunk(heap, 16);

    store(heap, a, d);
    /* With a pointer to its second word it would look like an array of one element. */
    store(heap, b, 1);
    store(heap, b + 8, c);
    heap->mark = mark_open(heap->chunks, heap->count, &memory, MARK_HEURISTICS);
    assert_non_null(heap->mark);
    mark_known(heap->mark, mark_find(heap->mark, a));
    assert_true(mark_scan(heap->mark));
    assert_true(mark_possible(heap->mark, mark_find(heap->mark, b)));
    assert_true(mark_possible(heap->mark, mark_find(heap->mark, a)));
    finish(heap);
    assert_int_equal(kind(heap, a), MARK_REACHABLE);
    assert_int_equal(kind(heap, b), MARK_POSSIBLE);
    assert_int_equal(kind(heap, c), MARK_POSSIBLE);
    assert_int_equal(kind(heap, d), MARK_REACHABLE);
}

static void words_and_stacks_are_roots(void **state)
{
    struct heap *heap = *state;
    uint64_t a = chunk(heap, 16), b = chunk(heap, 64), c = chunk(heap, 16), word = a;

    store(heap, b + 8, c);
    begin(heap);
    assert_true(mark_words(heap->mark, &word, 1));
    assert_true(mark_around(heap->mark, b + 40));
    assert_true(mark_around(heap->mark, ROOTS));
    finish(heap);
    assert_int_equal(kind(heap, a), MARK_REACHABLE);
    assert_int_equal(kind(heap, b), MARK_REACHABLE);
    assert_int_equal(kind(heap, c), MARK_REACHABLE);
}

/* Builds the four kinds of objects, and one that is wrong in one word. */
static void pointers_inside_that_stand_for_the_start(void **state)
{
    struct heap *heap = *state;
    uint64_t string = chunk(heap, 24 + 11), wrong = chunk(heap, 24 + 11);
    uint64_t length = chunk(heap, 108), array = chunk(heap, 8 + 3 * 24);
    uint64_t empty = chunk(heap, 8), object = chunk(heap, 64), dtv = chunk(heap, 16 * 16);

    store(heap, string, 5);
    store(heap, string + 8, 10);
    store(heap, wrong, 11);
    store(heap, wrong + 8, 10);
    store(heap, length, 100);
    store(heap, array, 3);
    store(heap, object, TABLE);
    store(heap, object + 24, TABLE + 64);
    store(heap, dtv, 14);
    heap->roots[0] = string + 24;
    heap->roots[1] = wrong + 24;
    heap->roots[2] = length + 8;
    heap->roots[3] = array + 8;
    heap->roots[4] = empty + 8;
    heap->roots[5] = object + 24;
    heap->roots[6] = dtv + 16;
    run(heap);
    for (unsigned i = 0; i < heap->count; i++)
        assert_int_equal(mark_kind(heap->mark, i),
                         heap->chunks[i].start == wrong ? MARK_POSSIBLE : MARK_REACHABLE);
}

static void heuristics_can_be_left_out(void **state)
{
    struct heap *heap = *state;
    struct mark_memory memory = {read_heap, is_vtable, NULL, heap};
    uint64_t length = chunk(heap, 108), array = chunk(heap, 8 + 3 * 24);
    unsigned wanted = 0;

    store(heap, length, 100);
    store(heap, array, 3);
    heap->roots[0] = length + 8;
    heap->roots[1] = array + 8;
    assert_true(heuristic_named("length64,", 8, &wanted));
    assert_false(heuristic_named("length6", 7, &wanted));
    heap->mark = mark_open(heap->chunks, heap->count, &memory, wanted);
    assert_true(mark_root(heap->mark, ROOTS, ROOTS + sizeof heap->roots));
    assert_true(mark_scan(heap->mark));
    finish(heap);
    assert_int_equal(kind(heap, length), MARK_REACHABLE);
    assert_int_equal(kind(heap, array), MARK_POSSIBLE);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(a_root_reaches_a_chain),
        TEST(slack_and_odd_words_hold_no_pointers),
        TEST(a_pointer_inside_makes_it_possible),
        TEST(what_possible_leads_to_is_possible_unless_reached_otherwise),
        TEST(a_lost_list_has_one_leader),
        TEST(of_a_ring_the_lowest_is_lost),
        TEST(suppressing_takes_all_behind_it),
        TEST(empty_chunks_are_reached),
        TEST(what_a_caller_knows),
        TEST(words_and_stacks_are_roots),
        TEST(pointers_inside_that_stand_for_the_start),
        TEST(heuristics_can_be_left_out),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
