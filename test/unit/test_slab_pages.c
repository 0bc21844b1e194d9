/*
 * Free pages inside slabs that stay in use: what goes back, what stays, and what is known of it
 * afterwards. CTest runs this with pages of 4, 16 and 64 KiB.
 */
#include "unit/sparse.h"

#include "bins/slab_pages.h"

#include <string.h>

static const size_t sizes[] = {48, 528, 1500, 8000, 20000, 40000};

enum { SIZES = sizeof sizes / sizeof sizes[0] };

static void test_live_neighbours_survive_and_a_second_trim_makes_no_calls(void **state)
{
    (void)state;
    for (unsigned n = 0; n < SIZES; n++) {
        struct arena *arena = unit_arena();
        uint64_t before;

        fill(arena, sizes[n]);
        free_most(arena);
        /* Where two live chunks are far enough apart, a page is between them. */
        assert_true(arena_trim(arena) > 0 || sizes[n] * keep_one_of < 2 * os_page_size());
        check_kept(sizes[n]);
        before = calls();
        assert_int_equal(slab_pages_trim(&arena->bins), 0);
        assert_int_equal(arena_trim(arena), 0);
        assert_int_equal(calls(), before);
        free_rest(arena);
    }
}

/* All pages between two live chunks go back, if there is room for one. */
static void test_whole_pages_between_live_chunks_are_zero(void **state)
{
    (void)state;
    struct arena *arena = unit_arena();
    uintptr_t page = os_page_size();
    size_t checked = 0;

    fill(arena, 1500);
    free_most(arena);
    arena_trim(arena);
    for (unsigned i = 0; i + keep_one_of < CHUNKS; i += keep_one_of) {
        uintptr_t from = round_up((uintptr_t)chunks[i] + unit_chunk(chunks[i]).usable, page);
        uintptr_t to = (uintptr_t)chunks[i + keep_one_of] & ~(page - 1);

        /* A fresh arena hands out chunks upward, mostly; others say nothing here. */
        if (to <= from || to - from > 256 << 10)
            continue;
        for (; from < to; from += page, checked++)
            assert_int_equal(pattern_first_nonzero(pointer_to(from), page), page);
    }
    assert_true(checked > 0);
    free_rest(arena);
}

static void test_chunks_on_given_pages_are_counted_when_wanted_again(void **state)
{
    (void)state;
    struct arena *arena = unit_arena();
    struct slab_pages_counts before = slab_pages_counted(), after;
    size_t bytes;

    fill(arena, 8000);
    free_most(arena);
    arena_trim(arena);
    after = slab_pages_counted();
    bytes = (after.given - before.given) * OS_PAGE;
    assert_true(bytes > 0 && after.calls > before.calls && after.wanted == before.wanted);
    for (unsigned i = 0; i < CHUNKS; i++)
        if (i % keep_one_of != 0) {
            chunks[i] = unit_alloc(arena, 8000);
            pattern_write(chunks[i], 0, 8000, i + 1);
        }
    assert_true(slab_pages_counted().wanted > after.wanted);
    assert_true(slab_pages_counted().wanted - after.wanted <= after.given - before.given);
    check_kept(8000);
    /* Now these pages hold memory again, so the next trim gives them back again. */
    free_most(arena);
    assert_true(arena_trim(arena) > 0);
    assert_true(slab_pages_counted().given > after.given);
    check_kept(8000);
    free_rest(arena);
}

/* A page that may be a hole is never handed out; everything else is, and lists stay in order. */
static void test_pages_that_cannot_be_renewed_are_lost(void **state)
{
    (void)state;
    struct arena *arena = unit_arena();
    static void *again[CHUNKS];
    struct slab *slab;
    unsigned vacant = 0, index;

    fill(arena, 1500);
    free_most(arena);
    arena_trim(arena);
    slab = small_slab((uintptr_t)chunks[0]);
    for (index = 0; index < CHUNKS; index++) {
        again[index] = unit_alloc(arena, 1500);
        memset(again[index], 1, 1500);
    }
    for (index = 0; index < CHUNKS; index++)
        if (index % keep_one_of != 1)
            unit_free(arena, again[index]);
    flush(arena);
    vacant = slab->free;
    os_fail_after(1, true);
    assert_int_equal(slab_pages_trim(&arena->bins), 0);
    os_fail_after(0, false);
    assert_true(slab->free <= vacant);
    assert_int_equal(slab_pages_trim(&arena->bins), 0);
    check_kept(1500);
    for (index = 0; index < CHUNKS; index++) {
        uintptr_t address = (uintptr_t)unit_alloc(arena, 1500);

        assert_int_not_equal(address, 0);
        memset(pointer_to(address), 2, 1500);
    }
    check_kept(1500);
}

static void test_a_trim_in_pieces_gives_back_the_same(void **state)
{
    (void)state;
    struct arena *arena = unit_arena();
    struct slab_pages_counts before = slab_pages_counted();
    unsigned steps = 1;

    fill(arena, 8000);
    free_most(arena);
    flush(arena);
    slab_pages_begin(&arena->bins);
    for (;; steps++) {
        uint64_t calls_before = calls();

        bins_enter(&arena->bins, NULL, NULL, true, HEAP_ALLOWANCE);
        if (slab_pages_age(&arena->bins, 1))
            break;
        assert_true(calls() - calls_before <= HEAP_ALLOWANCE / 8);
        assert_true(steps < 1000);
    }
    assert_true(steps > 1);
    assert_true(slab_pages_counted().given > before.given);
    assert_int_equal(slab_pages_trim(&arena->bins), 0);
    check_kept(8000);
    free_rest(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_live_neighbours_survive_and_a_second_trim_makes_no_calls),
        cmocka_unit_test(test_whole_pages_between_live_chunks_are_zero),
        cmocka_unit_test(test_chunks_on_given_pages_are_counted_when_wanted_again),
        cmocka_unit_test(test_pages_that_cannot_be_renewed_are_lost),
        cmocka_unit_test(test_a_trim_in_pieces_gives_back_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
