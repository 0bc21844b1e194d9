/*
 * How marking reads memory: in which order, how often, and where there is none.
 */
#include "mark_heap.h"

static void what_cannot_be_read_holds_nothing(void **state)
{
    struct heap *heap = *state;
    uint64_t a = chunk(heap, 3 * (uint64_t)PAGE), b = chunk(heap, 16), c = chunk(heap, 16);

    heap->unreadable = a + PAGE;
    heap->roots[0] = a;
    store(heap, a + PAGE + 8, b);
    store(heap, a + 2 * (uint64_t)PAGE, c);
    run(heap);
    assert_int_equal(kind(heap, b), MARK_LOST);
    assert_int_equal(kind(heap, c), MARK_REACHABLE);
}

/* In each order of a chunk and what leads to it, with roots before and after. */
static void what_is_found_late_is_looked_at(void **state)
{
    struct heap *heap = *state;
    struct mark_memory memory = {read_heap, is_vtable, NULL, heap};
    uint64_t a = chunk(heap, 16), b = chunk(heap, 40), c = chunk(heap, 16), d = chunk(heap, 40);
    uint64_t e = chunk(heap, 16), f = chunk(heap, 16), late = d;

    heap->roots[0] = c;
    store(heap, c, b);
    store(heap, b, a);
    store(heap, b + 8, a);
    store(heap, b + 16, e + 8);
    store(heap, d, f);
    heap->mark = mark_open(heap->chunks, heap->count, &memory, 0);
    assert_true(mark_root(heap->mark, ROOTS, ROOTS + sizeof heap->roots));
    assert_true(mark_scan(heap->mark));
    assert_int_equal(kind(heap, f), MARK_LOST);
    assert_true(mark_words(heap->mark, &late, 1));
    finish(heap);
    assert_int_equal(kind(heap, a), MARK_REACHABLE);
    assert_int_equal(kind(heap, b), MARK_REACHABLE);
    assert_int_equal(kind(heap, e), MARK_POSSIBLE);
    assert_int_equal(kind(heap, f), MARK_REACHABLE);
}

/* A large chunk is read before its turn, and not again; the chunks are read all in one piece. */
static void all_is_read_once(void **state)
{
    struct heap *heap = *state;
    uint64_t a = chunk(heap, 40), b = chunk(heap, 40), large = chunk(heap, 100000);
    uint64_t c = chunk(heap, 40), d = chunk(heap, 64);

    heap->roots[0] = large;
    store(heap, large, a);
    store(heap, large + 8, d + 16);
    store(heap, large + 99992, c);
    store(heap, a, b);
    run(heap);
    for (unsigned i = 0; i < heap->count; i++)
        assert_int_equal(mark_kind(heap->mark, i),
                         heap->chunks[i].start == d ? MARK_POSSIBLE : MARK_REACHABLE);
    assert_int_equal(heap->reads, 4); /* roots, the large one, those below it, those above it */
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(what_cannot_be_read_holds_nothing),
        TEST(what_is_found_late_is_looked_at),
        TEST(all_is_read_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
