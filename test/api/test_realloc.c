/*
 * realloc and reallocarray: the rules for NULL and 0, contents across every zone border, and
 * failures that leave the old block unchanged.
 */
#include "bins/size_class.h"
#include "os/os.h"
#include "support/pattern.h"
#include "support/prefixed.h"

#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>

#include <cmocka.h>

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

static void test_null_allocates(void **state)
{
    (void)state;
    void *block = ft_realloc(NULL, 100);
    assert_non_null(block);
    pattern_write(block, 0, 100, 1);
    void *array = ft_reallocarray(NULL, 10, 10);
    assert_non_null(array);
    pattern_write(array, 0, 100, 2);
    void *empty = ft_realloc(NULL, 0);
    assert_non_null(empty);
    assert_int_equal(pattern_mismatch(block, 100, 1), 100);
    assert_int_equal(pattern_mismatch(array, 100, 2), 100);
    ft_free(block);
    ft_free(array);
    ft_free(empty);
}

static void test_zero_frees(void **state)
{
    (void)state;
    static const size_t sizes[] = {0, 42, 2000, 262144, 300000};
    struct mallinfo2 before = ft_mallinfo2();
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        void *block = ft_malloc(sizes[i]);
        assert_non_null(block);
        assert_null(ft_realloc(block, 0));
        block = ft_malloc(sizes[i]);
        assert_non_null(block);
        assert_null(ft_reallocarray(block, 0, 10));
    }
    struct mallinfo2 after = ft_mallinfo2();
    assert_int_equal(after.uordblks + after.hblkhd, before.uordblks + before.hblkhd);
}

static void test_contents_across_all_borders(void **state)
{
    (void)state;
    static const size_t sizes[] = {0,      1,      16,           17,       128,          129,
                                   512,    513,    TINY_MAX - 1, TINY_MAX, TINY_MAX + 1, 1024,
                                   1025,   4096,   5000,         65535,    65536,        65537,
                                   200000, 262143, 262144,       262145,   300000,       524288,
                                   524289, 999999, 1048576,      5000000};
    enum { COUNT = sizeof sizes / sizeof *sizes };
    for (size_t from = 0; from < COUNT; from++) {
        for (size_t to = 1; to < COUNT; to++) {
            void *block = ft_malloc(sizes[from]);
            assert_non_null(block);
            pattern_write(block, 0, sizes[from], from);
            block = ft_realloc(block, sizes[to]);
            assert_non_null(block);
            assert_int_equal((uintptr_t)block % 16, 0);
            size_t kept = smaller(sizes[from], sizes[to]);
            assert_int_equal(pattern_mismatch(block, kept, from), kept);
            pattern_write(block, 0, sizes[to], to);
            assert_int_equal(pattern_mismatch(block, sizes[to], to), sizes[to]);
            ft_free(block);
        }
    }
}

static void test_growth_step_by_step(void **state)
{
    (void)state;
    unsigned char *block = NULL;
    size_t size = 0;
    while (size < 6000000) {
        size_t larger = size < 3000 ? size + 1 : size + size / 50;
        block = ft_realloc(block, larger);
        assert_non_null(block);
        pattern_write(block, size, larger, 7);
        size = larger;
    }
    assert_int_equal(pattern_mismatch(block, size, 7), size);
    while (size > 1) {
        size = size > 3000 ? size - size / 40 : size - 1;
        block = ft_realloc(block, size);
        assert_non_null(block);
        if (size % 16 == 0 || size > 3000)
            assert_int_equal(pattern_mismatch(block, size, 7), size);
    }
    assert_int_equal(pattern_mismatch(block, 1, 7), 1);
    ft_free(block);
}

/* Many blocks grow in turn. Growth in place must not run into a neighbour. */
static void test_neighbours_that_grow_in_turn(void **state)
{
    (void)state;
    enum { COUNT = 12, STEPS = 120 };
    unsigned char *blocks[COUNT] = {0};
    size_t sizes[COUNT] = {0};
    for (size_t step = 0; step < STEPS; step++) {
        for (size_t n = 0; n < COUNT; n++) {
            size_t larger = sizes[n] + 997 + n * 4096;
            blocks[n] = ft_realloc(blocks[n], larger);
            assert_non_null(blocks[n]);
            pattern_write(blocks[n], sizes[n], larger, n);
            sizes[n] = larger;
        }
    }
    for (size_t n = 0; n < COUNT; n++) {
        assert_int_equal(pattern_mismatch(blocks[n], sizes[n], n), sizes[n]);
        ft_free(blocks[n]);
    }
}

static void assert_refused(void *result)
{
    assert_null(result);
    assert_int_equal(errno, ENOMEM);
    errno = 0;
}

static void test_a_growing_vector_moves_a_few_times(void **state)
{
    (void)state;
    static const size_t first = (size_t)1 << 20, last = (size_t)64 << 20;
    char *block = ft_malloc(first);
    unsigned steps = 0, moves = 0;

    assert_non_null(block);
    pattern_write(block, 0, first, 9);
    for (size_t size = first, next; size < last; size = next) {
        next = size + size / 10;
        char *grown = ft_realloc(block, next);
        assert_non_null(grown);
        moves += grown != block;
        steps++;
        block = grown;
        assert_int_equal(pattern_mismatch(block, first, 9), first);
        assert_true(ft_malloc_usable_size(block) >= next);
        memset(block + size, 'x', next - size);
    }
    assert_true(steps > 40);
    /*
     * Moves out of the first mapping, unless there happens to be room behind it, and once more to
     * where there is ample room.
     */
    assert_true(moves <= 2);
    ft_free(block);
}

/* Resizes each of several TINY blocks to each size, and checks that none shares memory. */
static void test_small_blocks_of_every_pair_of_sizes(void **state)
{
    (void)state;
    enum { BLOCKS = 20, STEP = 13 };
    unsigned char *blocks[BLOCKS];

    for (size_t from = 1; from <= TINY_MAX; from += STEP)
        for (size_t to = 1; to <= TINY_MAX + (size_t)2 * STEP; to += STEP) {
            size_t kept = smaller(from, to);

            for (size_t n = 0; n < BLOCKS; n++)
                pattern_write(blocks[n] = ft_malloc(from), 0, from, n);
            for (size_t n = 0; n < BLOCKS; n++) {
                blocks[n] = ft_realloc(blocks[n], to);
                assert_int_equal(pattern_mismatch(blocks[n], kept, n), kept);
                assert_true(ft_malloc_usable_size(blocks[n]) >= to);
                pattern_write(blocks[n], 0, to, n);
            }
            for (size_t n = 0; n < BLOCKS; n++) {
                assert_int_equal(pattern_mismatch(blocks[n], to, n), to);
                ft_free(blocks[n]);
            }
        }
}

/* A block stays where it is unless it would leave half of its room unused. */
static void test_a_block_stays_within_its_room(void **state)
{
    (void)state;
    static const size_t sizes[] = {100, 500, 900, 2000, 20000, 200000};

    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        char *block = ft_malloc(sizes[i]);
        size_t room = ft_malloc_usable_size(block);

        assert_ptr_equal(ft_realloc(block, room), block);
        /* A state of TINY chunks tells up to 63 bytes of slack. */
        assert_ptr_equal(ft_realloc(block, sizes[i] <= TINY_MAX ? room - 40 : room / 2 + 1), block);
        assert_int_equal(ft_malloc_usable_size(block), room);
        ft_free(block);
    }
}

/* Grows a block from 1,200 to 14,000 bytes by `percent` at a time. Returns how often it moved. */
static unsigned moves_by_steps_of(unsigned percent, char **block)
{
    unsigned moves = 0;

    *block = ft_malloc(1200);
    assert_non_null(*block);
    pattern_write(*block, 0, 1200, 7);
    for (size_t size = 1200; size < 14000; size += size * percent / 100) {
        char *grown = ft_realloc(*block, size);

        assert_non_null(grown);
        moves += grown != *block;
        *block = grown;
        assert_int_equal(pattern_mismatch(grown, 1200, 7), 1200);
        assert_true(ft_malloc_usable_size(grown) >= size);
    }
    return moves;
}

/* It would move with each class, which is 28 times, if it had no more room than its class. */
static void test_a_small_vector_that_grows_slowly_gets_room(void **state)
{
    (void)state;
    char *block;

    assert_true(moves_by_steps_of(10, &block) <= 16);
    assert_true(ft_malloc_usable_size(block) <= (size_t)14000 * 3 / 2);
    ft_free(block);
}

/* Neither a block that grows once nor one that grows in large steps gets more than its class. */
static void test_a_block_that_grows_once_gets_no_room(void **state)
{
    (void)state;
    char *block;

    /* No class has used chunks then, which it would lend. */
    (void)ft_malloc_trim(0);
    block = ft_realloc(ft_malloc(5000), 5500);
    assert_true(ft_malloc_usable_size(block) < (size_t)5500 * 5 / 4);
    ft_free(block);
    (void)ft_malloc_trim(0);
    block = ft_malloc(4500);
    for (size_t size = 4500; size < 15000; size += size / 2) {
        block = ft_realloc(block, size);
        assert_true(ft_malloc_usable_size(block) < size * 5 / 4);
    }
    ft_free(block);
}

static void grow_by_doubling(size_t last)
{
    char *block = NULL;

    for (size_t size = 16; size <= last; size *= 2) {
        block = ft_realloc(block, size);
        assert_non_null(block);
        block[size - 1] = 'x';
    }
    ft_free(block);
}

/* Wherever the doubling ends, even at the end of some headroom. */
static void test_a_vector_that_grows_again_finds_the_mapping_of_the_first(void **state)
{
    (void)state;
    for (size_t last = (size_t)128 << 10; last <= (size_t)8 << 20; last *= 2) {
        (void)ft_malloc_trim(0);
        /* More than once, because stacks of free chunks are lengthened by use. */
        for (unsigned n = 0; n < 4; n++)
            grow_by_doubling(last);
        struct os_counters before = os_counted();
        grow_by_doubling(last);
        assert_int_equal(os_counted().mmap + os_counted().munmap, before.mmap + before.munmap);
    }
}

static void test_a_large_block_that_shrinks_a_little_stays_without_a_system_call(void **state)
{
    (void)state;
    for (size_t size = 300000; size < (size_t)30 << 20; size += size / 2) {
        /* No cached mapping that is larger than necessary is there. */
        (void)ft_malloc_trim(0);
        char *block = ft_malloc(size);
        assert_non_null(block);
        size_t usable = ft_malloc_usable_size(block);
        pattern_write(block, 0, size, 5);
        struct os_counters before = os_counted();
        /* Rounding leaves up to a sixteenth, of the old size or of the new. */
        for (size_t next = usable; next > usable - usable / 16; next -= 1021)
            assert_ptr_equal(ft_realloc(block, next), block);
        assert_int_equal(os_counted().mmap + os_counted().munmap, before.mmap + before.munmap);
        assert_int_equal(ft_malloc_usable_size(block), usable);
        size_t kept = smaller(size, usable - usable / 16);
        assert_int_equal(pattern_mismatch(block, kept, 5), kept);
        ft_free(block);
    }
}

static void test_failure_keeps_the_old_block(void **state)
{
    (void)state;
    static const size_t sizes[] = {1, 42, TINY_MAX, 2000, 262144, 300000};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        void *block = ft_malloc(sizes[i]);
        assert_non_null(block);
        pattern_write(block, 0, sizes[i], i);
        errno = 0;
        assert_refused(ft_realloc(block, SIZE_MAX));
        assert_refused(ft_realloc(block, SIZE_MAX - 4095));
        assert_refused(ft_realloc(block, (size_t)PTRDIFF_MAX + 1));
        assert_refused(ft_realloc(block, PTRDIFF_MAX));
        assert_refused(ft_reallocarray(block, SIZE_MAX, 2));
        assert_refused(ft_reallocarray(block, (size_t)1 << 33, (size_t)1 << 33));
        assert_refused(ft_reallocarray(block, SIZE_MAX, 1));
        assert_int_equal(pattern_mismatch(block, sizes[i], i), sizes[i]);
        block = ft_realloc(block, sizes[i] + 1);
        assert_non_null(block);
        assert_int_equal(pattern_mismatch(block, sizes[i], i), sizes[i]);
        ft_free(block);
    }
    errno = 0;
    assert_refused(ft_reallocarray(NULL, SIZE_MAX, 2));
    assert_refused(ft_realloc(NULL, SIZE_MAX));
}

static void test_array_holds_the_product(void **state)
{
    (void)state;
    void *block = ft_reallocarray(NULL, 7, 11);
    assert_non_null(block);
    assert_true(ft_malloc_usable_size(block) >= 77);
    pattern_write(block, 0, 77, 3);
    block = ft_reallocarray(block, 1000, 1000);
    assert_non_null(block);
    assert_true(ft_malloc_usable_size(block) >= 1000000);
    assert_int_equal(pattern_mismatch(block, 77, 3), 77);
    ft_free(block);
}

static void test_realloc_of_aligned_blocks(void **state)
{
    (void)state;
    for (size_t alignment = 32; alignment <= (size_t)4 << 20; alignment *= 2) {
        void *block = ft_aligned_alloc(alignment, 1000);
        assert_non_null(block);
        pattern_write(block, 0, 1000, alignment);
        block = ft_realloc(block, 400000);
        assert_non_null(block);
        assert_int_equal(pattern_mismatch(block, 1000, alignment), 1000);
        block = ft_realloc(block, 300);
        assert_non_null(block);
        assert_int_equal(pattern_mismatch(block, 300, alignment), 300);
        ft_free(block);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_null_allocates),
        cmocka_unit_test(test_zero_frees),
        cmocka_unit_test(test_contents_across_all_borders),
        cmocka_unit_test(test_growth_step_by_step),
        cmocka_unit_test(test_neighbours_that_grow_in_turn),
        cmocka_unit_test(test_small_blocks_of_every_pair_of_sizes),
        cmocka_unit_test(test_a_block_stays_within_its_room),
        cmocka_unit_test(test_a_growing_vector_moves_a_few_times),
        cmocka_unit_test(test_a_small_vector_that_grows_slowly_gets_room),
        cmocka_unit_test(test_a_block_that_grows_once_gets_no_room),
        cmocka_unit_test(test_a_vector_that_grows_again_finds_the_mapping_of_the_first),
        cmocka_unit_test(test_a_large_block_that_shrinks_a_little_stays_without_a_system_call),
        cmocka_unit_test(test_failure_keeps_the_old_block),
        cmocka_unit_test(test_array_holds_the_product),
        cmocka_unit_test(test_realloc_of_aligned_blocks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
