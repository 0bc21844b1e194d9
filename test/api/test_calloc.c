/*
 * calloc: its memory is zero, whether it is fresh or was written to by a former owner; and a
 * product that overflows is refused.
 */
#include "bins/size_class.h"
#include "support/pattern.h"
#include "support/prefixed.h"

#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>

#include <cmocka.h>

static size_t next_size(size_t size)
{
    return size < 2100 ? size + 1 : size + size / 9;
}

static void test_fresh_memory_is_zero(void **state)
{
    (void)state;
    for (size_t size = 1; size < 4000000; size = next_size(size)) {
        void *block = ft_calloc(1, size);
        assert_non_null(block);
        assert_int_equal(pattern_first_nonzero(block, size), size);
        ft_free(block);
    }
}

static void test_recycled_memory_is_zero(void **state)
{
    (void)state;
    enum { COUNT = 24 };
    for (size_t size = 1; size < 4000000; size = next_size(size)) {
        void *blocks[COUNT];
        size_t count = size < 100000 ? COUNT : 2;
        for (size_t n = 0; n < count; n++) {
            blocks[n] = ft_malloc(size);
            assert_non_null(blocks[n]);
            memset(blocks[n], 0xFF, ft_malloc_usable_size(blocks[n]));
        }
        for (size_t n = 0; n < count; n++)
            ft_free(blocks[n]);
        for (size_t n = 0; n < count; n++) {
            blocks[n] = ft_calloc(size, 1);
            assert_non_null(blocks[n]);
            assert_int_equal(pattern_first_nonzero(blocks[n], size), size);
        }
        for (size_t n = 0; n < count; n++)
            ft_free(blocks[n]);
    }
}

/*
 * Memory changes its size class when its slab is emptied. Write to it in one class, and calloc it
 * in others.
 */
static void test_memory_that_changed_its_class_is_zero(void **state)
{
    (void)state;
    enum { COUNT = 20000 };
    static void *blocks[COUNT];
    static const size_t sizes[] = {16, TINY_MAX, 48, 4096, 100, 20000, 700, 64, 300000, 2000};
    for (size_t round = 0; round < sizeof sizes / sizeof *sizes; round++) {
        size_t size = sizes[round];
        size_t count = 24U * 1024 * 1024 / size;
        count = count < COUNT ? count : COUNT;
        for (size_t n = 0; n < count; n++) {
            blocks[n] = ft_calloc(1, size);
            assert_non_null(blocks[n]);
            assert_int_equal(pattern_first_nonzero(blocks[n], size), size);
            memset(blocks[n], 0xEE, size);
        }
        for (size_t n = 0; n < count; n++)
            ft_free(blocks[n]);
        if (round % 3 == 2)
            ft_malloc_trim(0);
    }
}

static void test_grown_blocks_do_not_dirty_calloc(void **state)
{
    (void)state;
    for (size_t size = 100000; size < 3000000; size += 77777) {
        unsigned char *block = ft_malloc(size);
        assert_non_null(block);
        block = ft_realloc(block, size * 2);
        assert_non_null(block);
        memset(block, 0xDD, size * 2);
        block = ft_realloc(block, size);
        assert_non_null(block);
        ft_free(block);
        block = ft_calloc(1, size * 2);
        assert_non_null(block);
        assert_int_equal(pattern_first_nonzero(block, size * 2), size * 2);
        ft_free(block);
    }
}

static void test_overflow(void **state)
{
    (void)state;
    static const size_t pairs[][2] = {
        {SIZE_MAX, 2},     {2, SIZE_MAX}, {SIZE_MAX, SIZE_MAX}, {(size_t)1 << 32, (size_t)1 << 32},
        {SIZE_MAX / 2, 3}, {SIZE_MAX, 1}, {1, SIZE_MAX},        {(size_t)1 << 31, (size_t)1 << 32},
    };
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        errno = 0;
        assert_null(ft_calloc(pairs[i][0], pairs[i][1]));
        assert_int_equal(errno, ENOMEM);
    }
}

static void test_empty_products(void **state)
{
    (void)state;
    static const size_t pairs[][2] = {{0, 0}, {0, 10}, {10, 0}, {0, SIZE_MAX}, {SIZE_MAX, 0}};
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        void *first = ft_calloc(pairs[i][0], pairs[i][1]);
        void *second = ft_calloc(pairs[i][0], pairs[i][1]);
        assert_non_null(first);
        assert_non_null(second);
        assert_ptr_not_equal(first, second);
        ft_free(first);
        ft_free(second);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fresh_memory_is_zero),
        cmocka_unit_test(test_recycled_memory_is_zero),
        cmocka_unit_test(test_memory_that_changed_its_class_is_zero),
        cmocka_unit_test(test_grown_blocks_do_not_dirty_calloc),
        cmocka_unit_test(test_overflow),
        cmocka_unit_test(test_empty_products),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
