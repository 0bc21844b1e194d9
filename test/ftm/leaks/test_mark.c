/*
 * Marking over a heap that is an array of words: what is reachable, and in which of Valgrind's
 * words. Chunk `i` of the arena starts at ARENA + 16 * i.
 */
#include "heuristic.h"
#include "mark.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define ARENA UINT64_C(0x7f1200000000)
#define ROOTS UINT64_C(0x10000)
#define TABLE UINT64_C(0x40000)
enum { WORDS = 4096, ROOT_WORDS = 8, CHUNKS = 32 };

struct heap {
    uint64_t words[WORDS];
    uint64_t roots[ROOT_WORDS];
    struct mark_chunk chunks[CHUNKS];
    size_t count, next;
    uint64_t unreadable; /* an address in the arena whose 16 words cannot be read */
    struct mark *mark;
};

static const unsigned char *bytes(void *context, uint64_t address, size_t *size)
{
    struct heap *heap = context;

    if (address >= ROOTS && address < ROOTS + sizeof heap->roots) {
        *size = ROOTS + sizeof heap->roots - address;
        return (unsigned char *)heap->roots + (address - ROOTS);
    }
    assert_in_range(address, ARENA, ARENA + sizeof heap->words - 8);
    *size = 128 - address % 128;
    if (address / 128 == heap->unreadable / 128)
        return NULL;
    return (unsigned char *)heap->words + (address - ARENA);
}

static bool is_vtable(void *context, uint64_t address)
{
    (void)context;
    return address == TABLE || address == TABLE + 64;
}

/* Adds a chunk and returns its address. */
static uint64_t chunk(struct heap *heap, uint64_t size)
{
    uint64_t start = ARENA + heap->next;

    assert_true(heap->count < CHUNKS);
    heap->chunks[heap->count++] = (struct mark_chunk){start, size};
    heap->next += (size + 16) & ~UINT64_C(15);
    assert_true(heap->next <= sizeof heap->words);
    return start;
}

static void store(struct heap *heap, uint64_t address, uint64_t word)
{
    heap->words[(address - ARENA) / 8] = word;
}

static void begin(struct heap *heap)
{
    struct mark_memory memory = {bytes, is_vtable, heap};

    heap->mark = mark_open(heap->chunks, heap->count, &memory, MARK_HEURISTICS);
    assert_non_null(heap->mark);
    assert_true(mark_root(heap->mark, ROOTS, ROOTS + sizeof heap->roots));
}

static void finish(struct heap *heap)
{
    assert_true(mark_finish(heap->mark));
}

static void run(struct heap *heap)
{
    begin(heap);
    finish(heap);
}

static enum mark_kind kind(struct heap *heap, uint64_t address)
{
    size_t number = mark_find(heap->mark, address);

    assert_true(number < heap->count);
    return mark_kind(heap->mark, number);
}

static uint64_t leader(struct heap *heap, uint64_t address)
{
    return heap->chunks[mark_leader(heap->mark, mark_find(heap->mark, address))].start;
}

static int setup(void **state)
{
    *state = calloc(1, sizeof(struct heap));
    return *state == NULL;
}

static int teardown(void **state)
{
    struct heap *heap = *state;

    mark_close(heap->mark);
    free(heap);
    return 0;
}

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
    struct mark_memory memory = {bytes, is_vtable, heap};
    uint64_t a = chunk(heap, 16), b = chunk(heap, 16), c = chunk(heap, 16), d = chunk(heap, 16);

    store(heap, a, d);
    /* With a pointer to its second word it would look like an array of one element. */
    store(heap, b, 1);
    store(heap, b + 8, c);
    heap->mark = mark_open(heap->chunks, heap->count, &memory, MARK_HEURISTICS);
    assert_non_null(heap->mark);
    mark_known(heap->mark, mark_find(heap->mark, a));
    assert_true(mark_possible(heap->mark, mark_find(heap->mark, b)));
    assert_true(mark_possible(heap->mark, mark_find(heap->mark, a)));
    finish(heap);
    assert_int_equal(kind(heap, a), MARK_REACHABLE);
    assert_int_equal(kind(heap, b), MARK_POSSIBLE);
    assert_int_equal(kind(heap, c), MARK_POSSIBLE);
    assert_int_equal(kind(heap, d), MARK_LOST);
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

static void what_cannot_be_read_holds_nothing(void **state)
{
    struct heap *heap = *state;
    uint64_t a = chunk(heap, 1000), b = chunk(heap, 16), c = chunk(heap, 16);

    heap->unreadable = a + 128;
    heap->roots[0] = a;
    store(heap, a + 136, b);
    store(heap, a + 256, c);
    run(heap);
    assert_int_equal(kind(heap, b), MARK_LOST);
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
    struct mark_memory memory = {bytes, is_vtable, heap};
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
    finish(heap);
    assert_int_equal(kind(heap, length), MARK_REACHABLE);
    assert_int_equal(kind(heap, array), MARK_POSSIBLE);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

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
        TEST(what_cannot_be_read_holds_nothing),
        TEST(pointers_inside_that_stand_for_the_start),
        TEST(heuristics_can_be_left_out),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
