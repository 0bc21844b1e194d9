/*
 * aligned_alloc, memalign, posix_memalign, valloc and pvalloc: every power of two up to 1 GiB, and
 * the alignments that they refuse.
 */
#include "bins/size_class.h"
#include "os/os.h"
#include "support/page.h"
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

static const size_t sizes[] = {
    0,    1,    8,    17,    100,    512,    513,    TINY_MAX, TINY_MAX + 1,
    2000, 4096, 5000, 65536, 100000, 262144, 262145, 1000000};
enum { SIZE_COUNT = sizeof sizes / sizeof *sizes };

static void *allocate(unsigned way, size_t alignment, size_t size)
{
    void *block = NULL;
    switch (way) {
    case 0:
        return ft_aligned_alloc(alignment, size);
    case 1:
        return ft_memalign(alignment, size);
    default:
        return ft_posix_memalign(&block, alignment, size) == 0 ? block : NULL;
    }
}

static void check_two_blocks(unsigned way, size_t alignment, size_t size)
{
    void *first = allocate(way, alignment, size);
    void *second = allocate(way, alignment, size);
    assert_non_null(first);
    assert_non_null(second);
    assert_ptr_not_equal(first, second);
    assert_int_equal((uintptr_t)first % alignment, 0);
    assert_int_equal((uintptr_t)second % alignment, 0);
    size_t usable = ft_malloc_usable_size(first);
    assert_true(usable >= size);
    pattern_write(first, 0, usable, 1);
    pattern_write(second, 0, size, 2);
    assert_int_equal(pattern_mismatch(first, usable, 1), usable);
    ft_free(first);
    assert_int_equal(pattern_mismatch(second, size, 2), size);
    ft_free_aligned_sized(second, alignment, size);
}

static void test_every_power_of_two(void **state)
{
    (void)state;
    for (unsigned way = 0; way < 3; way++)
        for (size_t alignment = sizeof(void *); alignment <= (size_t)2 << 20; alignment *= 2)
            for (size_t i = 0; i < SIZE_COUNT; i++)
                check_two_blocks(way, alignment, sizes[i]);
}

static void test_huge_alignments(void **state)
{
    (void)state;
    for (unsigned way = 0; way < 3; way++) {
        for (size_t alignment = (size_t)4 << 20; alignment <= (size_t)1 << 30; alignment *= 2) {
            check_two_blocks(way, alignment, 100);
            check_two_blocks(way, alignment, 3000000);
        }
    }
}

static void test_many_aligned_blocks_at_once(void **state)
{
    (void)state;
    enum { COUNT = 3000 };
    static void *blocks[COUNT];
    for (size_t n = 0; n < COUNT; n++) {
        size_t alignment = (size_t)16 << n % 10;
        blocks[n] = ft_memalign(alignment, n);
        assert_non_null(blocks[n]);
        assert_int_equal((uintptr_t)blocks[n] % alignment, 0);
        pattern_write(blocks[n], 0, n, n);
    }
    for (size_t n = 0; n < COUNT; n++) {
        assert_int_equal(pattern_mismatch(blocks[n], n, n), n);
        ft_free(blocks[n]);
    }
}

static void test_posix_memalign_refuses(void **state)
{
    (void)state;
    static const size_t alignments[] = {0,  1,  2,   4,    3,    7,        12,
                                        24, 48, 100, 4095, 4097, SIZE_MAX, ((size_t)1 << 30) + 8};
    int marker = 0;
    for (size_t i = 0; i < sizeof alignments / sizeof *alignments; i++) {
        void *block = &marker;
        errno = 4242;
        assert_int_equal(ft_posix_memalign(&block, alignments[i], 100), EINVAL);
        assert_ptr_equal(block, &marker);
        assert_int_equal(errno, 4242);
    }
}

static void test_posix_memalign_without_memory(void **state)
{
    (void)state;
    static const size_t too_large[] = {SIZE_MAX, (size_t)PTRDIFF_MAX + 1, SIZE_MAX - 4096};
    static const size_t alignments[] = {8, 64, 4096, (size_t)1 << 30, (size_t)1 << 62};
    int marker = 0;
    for (size_t i = 0; i < sizeof too_large / sizeof *too_large; i++) {
        for (size_t j = 0; j < sizeof alignments / sizeof *alignments; j++) {
            void *block = &marker;
            assert_int_equal(ft_posix_memalign(&block, alignments[j], too_large[i]), ENOMEM);
            assert_ptr_equal(block, &marker);
        }
    }
}

/*
 * As on glibc, memalign and aligned_alloc round an alignment up to a power of two, and return
 * EINVAL for one that cannot be rounded.
 */
static void test_odd_alignments_are_rounded_up(void **state)
{
    (void)state;
    static const size_t pairs[][2] = {{0, 16},  {1, 16},    {3, 16},     {17, 32},
                                      {24, 32}, {100, 128}, {4097, 8192}};
    for (unsigned way = 0; way < 2; way++) {
        for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
            void *block = allocate(way, pairs[i][0], 1000);
            assert_non_null(block);
            assert_int_equal((uintptr_t)block % pairs[i][1], 0);
            ft_free(block);
        }
        errno = 0;
        assert_null(allocate(way, SIZE_MAX, 10));
        assert_int_equal(errno, EINVAL);
        errno = 0;
        assert_null(allocate(way, SIZE_MAX / 2 + 2, 10));
        assert_int_equal(errno, EINVAL);
    }
}

static void test_impossible_sizes(void **state)
{
    (void)state;
    for (unsigned way = 0; way < 2; way++) {
        for (size_t alignment = 16; alignment <= (size_t)1 << 30; alignment *= 4) {
            errno = 0;
            assert_null(allocate(way, alignment, SIZE_MAX - 10));
            assert_int_equal(errno, ENOMEM);
            errno = 0;
            assert_null(allocate(way, alignment, PTRDIFF_MAX));
            assert_int_equal(errno, ENOMEM);
        }
    }
}

static void test_page_functions(void **state)
{
    (void)state;
    const size_t page = page_size();

    for (size_t i = 0; i < SIZE_COUNT; i++) {
        void *block = ft_valloc(sizes[i]);
        assert_non_null(block);
        assert_int_equal((uintptr_t)block % page, 0);
        pattern_write(block, 0, sizes[i], 1);
        size_t rounded = (sizes[i] + page - 1) / page * page;
        void *pages = ft_pvalloc(sizes[i]);
        assert_non_null(pages);
        assert_int_equal((uintptr_t)pages % page, 0);
        assert_true(ft_malloc_usable_size(pages) >= rounded);
        pattern_write(pages, 0, rounded, 2);
        assert_int_equal(pattern_mismatch(block, sizes[i], 1), sizes[i]);
        ft_free(block);
        ft_free(pages);
    }
    errno = 0;
    assert_null(ft_valloc(SIZE_MAX - 100));
    assert_int_equal(errno, ENOMEM);
    errno = 0;
    assert_null(ft_pvalloc(SIZE_MAX - 100));
    assert_int_equal(errno, ENOMEM);
}

/*
 * Alignments up to 256 KiB are served side by side in the heaps. A mapping for each would exceed
 * the kernel's limit.
 */
static void test_many_chunks_of_large_alignment_make_few_system_calls(void **state)
{
    (void)state;
    enum { COUNT = 4096 };
    static void *blocks[COUNT];

    for (size_t alignment = (size_t)32 << 10; alignment <= SMALL_MAX; alignment *= 2) {
        size_t count = COUNT * ((size_t)32 << 10) / alignment;
        struct os_counters before = os_counted();

        for (size_t i = 0; i < count; i++) {
            blocks[i] = ft_aligned_alloc(alignment, 4096);
            assert_non_null(blocks[i]);
            assert_int_equal((uintptr_t)blocks[i] % alignment, 0);
            memset(blocks[i], (int)i, 4096);
        }
        assert_in_range(os_counted().mmap - before.mmap, 0, count / 32);
        for (size_t i = 0; i < count; i++) {
            assert_int_equal(((unsigned char *)blocks[i])[4095], i & 0xff);
            ft_free(blocks[i]);
        }
    }
}

static void test_an_empty_chunk_of_each_alignment_is_freed_like_others(void **state)
{
    (void)state;
    for (size_t alignment = 16; alignment <= (size_t)1 << 20; alignment *= 2) {
        void *block = ft_aligned_alloc(alignment, 0);

        assert_non_null(block);
        assert_int_equal((uintptr_t)block % alignment, 0);
        block = ft_realloc(block, 1);
        assert_non_null(block);
        ft_free(block);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_power_of_two),
        cmocka_unit_test(test_huge_alignments),
        cmocka_unit_test(test_many_aligned_blocks_at_once),
        cmocka_unit_test(test_posix_memalign_refuses),
        cmocka_unit_test(test_posix_memalign_without_memory),
        cmocka_unit_test(test_odd_alignments_are_rounded_up),
        cmocka_unit_test(test_impossible_sizes),
        cmocka_unit_test(test_page_functions),
        cmocka_unit_test(test_many_chunks_of_large_alignment_make_few_system_calls),
        cmocka_unit_test(test_an_empty_chunk_of_each_alignment_is_freed_like_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
