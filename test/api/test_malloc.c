/*
 * malloc, free, cfree, free_sized and malloc_usable_size: alignment, unique empty blocks,
 * impossible sizes, errno.
 */
#include "bins/size_class.h"
#include "support/pattern.h"
#include "support/prefixed.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>

#include <cmocka.h>

static bool is_aligned(const void *pointer, size_t alignment)
{
    return (uintptr_t)pointer % alignment == 0;
}

static void test_every_size_is_aligned(void **state)
{
    (void)state;
    for (size_t size = 0; size <= 300 * 1024; size = size < 4096 ? size + 1 : size + 509) {
        void *block = ft_malloc(size);
        assert_non_null(block);
        assert_true(is_aligned(block, 16));
        memset(block, 0xA5, size);
        ft_free(block);
    }
}

static void test_neighbours_are_aligned_and_apart(void **state)
{
    (void)state;
    enum { COUNT = 64 };
    static const size_t sizes[] = {1,    8,     24,     40,    100, 200, TINY_MAX, TINY_MAX + 1,
                                   1500, 40000, 262144, 262145};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        unsigned char *blocks[COUNT];
        for (size_t n = 0; n < COUNT; n++) {
            blocks[n] = ft_malloc(sizes[i]);
            assert_non_null(blocks[n]);
            assert_true(is_aligned(blocks[n], 16));
            pattern_write(blocks[n], 0, sizes[i], n);
        }
        for (size_t n = 0; n < COUNT; n++) {
            assert_int_equal(pattern_mismatch(blocks[n], sizes[i], n), sizes[i]);
            ft_free(blocks[n]);
        }
    }
}

static void test_empty_blocks_are_unique(void **state)
{
    (void)state;
    enum { COUNT = 1000 };
    static void *blocks[COUNT];
    for (size_t i = 0; i < COUNT; i++) {
        blocks[i] = i % 2 == 0 ? ft_malloc(0) : ft_calloc(0, i);
        assert_non_null(blocks[i]);
        for (size_t j = 0; j < i; j++)
            assert_ptr_not_equal(blocks[i], blocks[j]);
    }
    for (size_t i = 0; i < COUNT; i++)
        ft_free(blocks[i]);
}

static void test_impossible_sizes(void **state)
{
    (void)state;
    static const size_t sizes[] = {SIZE_MAX, SIZE_MAX - 15, SIZE_MAX - 4096,
                                   (size_t)PTRDIFF_MAX + 1};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        errno = 0;
        assert_null(ft_malloc(sizes[i]));
        assert_int_equal(errno, ENOMEM);
    }
    errno = 0;
    assert_null(ft_malloc(PTRDIFF_MAX));
    assert_int_equal(errno, ENOMEM);
}

static void test_free_of_null(void **state)
{
    (void)state;
    ft_free(NULL);
    ft_cfree(NULL);
    ft_free_sized(NULL, 0);
    ft_free_aligned_sized(NULL, 64, 100);
    assert_int_equal(ft_malloc_usable_size(NULL), 0);
}

static void free_with(unsigned way, void *block, size_t alignment, size_t size)
{
    switch (way) {
    case 0:
        ft_free(block);
        break;
    case 1:
        ft_cfree(block);
        break;
    case 2:
        ft_free_sized(block, size);
        break;
    default:
        ft_free_aligned_sized(block, alignment, size);
    }
}

static void test_free_keeps_errno(void **state)
{
    (void)state;
    static const size_t sizes[] = {0, 10, TINY_MAX, 5000, 262144, 300000, 64U << 20};
    for (unsigned way = 0; way < 4; way++) {
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
            void *block = way == 3 ? ft_aligned_alloc(16, sizes[i]) : ft_malloc(sizes[i]);
            assert_non_null(block);
            errno = 4242;
            free_with(way, block, 16, sizes[i]);
            assert_int_equal(errno, 4242);
        }
        errno = 4242;
        free_with(way, NULL, 16, 0);
        assert_int_equal(errno, 4242);
    }
}

static void test_success_keeps_errno(void **state)
{
    (void)state;
    static const size_t sizes[] = {0, 10, TINY_MAX, 5000, 262144, 300000, 64U << 20};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        errno = 4242;
        void *block = ft_malloc(sizes[i]);
        assert_non_null(block);
        assert_int_equal(errno, 4242);
        ft_free(block);
    }
}

static void test_usable_bytes_belong_to_the_caller(void **state)
{
    (void)state;
    enum { COUNT = 8 };
    for (size_t size = 0; size < 600000; size = size < 1200 ? size + 1 : size + size / 7) {
        void *blocks[COUNT];
        size_t usable[COUNT];
        for (size_t n = 0; n < COUNT; n++) {
            blocks[n] = ft_malloc(size);
            assert_non_null(blocks[n]);
            usable[n] = ft_malloc_usable_size(blocks[n]);
            assert_true(usable[n] >= size);
            pattern_write(blocks[n], 0, usable[n], n);
        }
        for (size_t n = 0; n < COUNT; n++) {
            assert_int_equal(pattern_mismatch(blocks[n], usable[n], n), usable[n]);
            blocks[n] = ft_realloc(blocks[n], usable[n] + 1000);
            assert_non_null(blocks[n]);
            assert_int_equal(pattern_mismatch(blocks[n], usable[n], n), usable[n]);
        }
        for (size_t n = 0; n < COUNT; n++)
            ft_free(blocks[n]);
    }
}

static void test_freed_memory_is_used_again(void **state)
{
    (void)state;
    static const size_t sizes[] = {40, 3000, 200000};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        uintptr_t lowest = UINTPTR_MAX;
        uintptr_t highest = 0;
        for (size_t n = 0; n < 20000; n++) {
            void *block = ft_malloc(sizes[i]);
            assert_non_null(block);
            lowest = (uintptr_t)block < lowest ? (uintptr_t)block : lowest;
            highest = (uintptr_t)block > highest ? (uintptr_t)block : highest;
            ft_free(block);
        }
        assert_true(highest - lowest <= 64 * sizes[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_size_is_aligned),
        cmocka_unit_test(test_neighbours_are_aligned_and_apart),
        cmocka_unit_test(test_empty_blocks_are_unique),
        cmocka_unit_test(test_impossible_sizes),
        cmocka_unit_test(test_free_of_null),
        cmocka_unit_test(test_free_keeps_errno),
        cmocka_unit_test(test_success_keeps_errno),
        cmocka_unit_test(test_usable_bytes_belong_to_the_caller),
        cmocka_unit_test(test_freed_memory_is_used_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
