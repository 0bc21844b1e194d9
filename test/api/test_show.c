/*
 * show_alloc_mem: the exact format, sizes to the byte, zones by size, order and total; a freed
 * chunk is not listed.
 */
#include "bins/size_class.h"
#include "support/capture.h"
#include "support/prefixed.h"
#include "support/shown.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <setjmp.h>

#include <cmocka.h>

static struct capture capture;

static struct shown show(void)
{
    struct shown shown;
    capture_call(&capture, show_alloc_mem);
    if (!shown_parse(&shown, capture.text, capture.length))
        fail_msg("%s", shown.error);
    return shown;
}

static void assert_nothing_shown(void **state)
{
    (void)state;
    capture_call(&capture, show_alloc_mem);
    assert_string_equal(capture.text, "Total : 0 bytes\n");
}

static void assert_shown(const struct shown *shown, const void *block, size_t size,
                         enum shown_kind kind)
{
    const struct shown_chunk *chunk = shown_find(shown, block);
    assert_non_null(chunk);
    assert_int_equal(chunk->size, size);
    assert_int_equal(chunk->kind, kind);
}

static enum shown_kind kind_of(size_t size)
{
    if (size <= TINY_MAX)
        return SHOWN_TINY;
    return size <= SMALL_MAX ? SHOWN_SMALL : SHOWN_LARGE;
}

static void test_exact_text_of_one_chunk(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        size_t size;
    } cases[] = {{"TINY", 42}, {"SMALL", 3725}, {"LARGE", 484847}};
    for (size_t i = 0; i < 3; i++) {
        void *block = ft_malloc(cases[i].size);
        assert_non_null(block);
        struct shown shown = show();
        assert_int_equal(shown.zone_count, 1);
        char expected[200];
        (void)snprintf(
            expected, sizeof expected, "%s : 0x%lX\n0x%lX - 0x%lX : %zu bytes\nTotal : %zu bytes\n",
            cases[i].name, (unsigned long)shown.zones[0].base, (unsigned long)(uintptr_t)block,
            (unsigned long)(uintptr_t)block + cases[i].size, cases[i].size, cases[i].size);
        assert_string_equal(capture.text, expected);
        shown_free(&shown);
        ft_free(block);
        assert_nothing_shown(state);
    }
}

static void test_every_size_is_shown_to_the_byte(void **state)
{
    (void)state;
    enum { COUNT = 1500 };
    static void *blocks[COUNT];
    static size_t sizes[COUNT];
    size_t total = 0;
    for (size_t n = 0; n < COUNT; n++) {
        sizes[n] = n <= 1100 ? n : (n - 1100) * (n - 1100) * 5;
        blocks[n] = ft_malloc(sizes[n]);
        assert_non_null(blocks[n]);
        total += sizes[n];
    }
    struct shown shown = show();
    assert_int_equal(shown.chunk_count, COUNT);
    assert_int_equal(shown.total, total);
    for (size_t n = 0; n < COUNT; n++)
        assert_shown(&shown, blocks[n], sizes[n], kind_of(sizes[n]));
    shown_free(&shown);
    for (size_t n = 0; n < COUNT; n++)
        ft_free(blocks[n]);
}

static void test_zone_borders(void **state)
{
    (void)state;
    static const size_t sizes[] = {TINY_MAX - 1,  TINY_MAX,  TINY_MAX + 1,
                                   SMALL_MAX - 1, SMALL_MAX, SMALL_MAX + 1};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        void *block = ft_malloc(sizes[i]);
        assert_non_null(block);
        struct shown shown = show();
        assert_shown(&shown, block, sizes[i], kind_of(sizes[i]));
        shown_free(&shown);
        ft_free(block);
    }
}

static void test_one_zone_line_per_large_chunk(void **state)
{
    (void)state;
    void *blocks[5];
    for (size_t n = 0; n < 5; n++) {
        blocks[n] = ft_malloc(300000 + n);
        assert_non_null(blocks[n]);
    }
    struct shown shown = show();
    assert_int_equal(shown.zone_count, 5);
    for (size_t n = 0; n < 5; n++) {
        assert_int_equal(shown.zones[n].chunk_count, 1);
        assert_shown(&shown, blocks[n], 300000 + n, SHOWN_LARGE);
        ft_free(blocks[n]);
    }
    shown_free(&shown);
}

static void test_chunks_of_one_heap_share_a_zone_line(void **state)
{
    (void)state;
    enum { COUNT = 100 };
    void *blocks[COUNT];
    for (size_t n = 0; n < COUNT; n++) {
        blocks[n] = ft_malloc(100 + n);
        assert_non_null(blocks[n]);
    }
    struct shown shown = show();
    assert_int_equal(shown.chunk_count, COUNT);
    assert_true(shown.zone_count <= 2);
    shown_free(&shown);
    for (size_t n = 0; n < COUNT; n++)
        ft_free(blocks[n]);
}

static void test_realloc_changes_the_shown_size(void **state)
{
    (void)state;
    static const size_t sizes[] = {10,     12,     100,    90,      5000,    4990, 262144,
                                   300000, 300001, 290000, 2000000, 1500000, 20};
    void *block = NULL;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        block = ft_realloc(block, sizes[i]);
        assert_non_null(block);
        struct shown shown = show();
        assert_int_equal(shown.chunk_count, 1);
        assert_int_equal(shown.chunks[0].start, (uintptr_t)block);
        assert_int_equal(shown.chunks[0].size, sizes[i]);
        shown_free(&shown);
    }
    ft_free(block);
}

static void test_aligned_chunks_show_the_requested_size(void **state)
{
    (void)state;
    for (size_t alignment = 16; alignment <= (size_t)2 << 20; alignment *= 2) {
        void *block = ft_memalign(alignment, 77);
        assert_non_null(block);
        struct shown shown = show();
        assert_int_equal(shown.chunk_count, 1);
        assert_int_equal(shown.chunks[0].start, (uintptr_t)block);
        assert_int_equal(shown.chunks[0].size, 77);
        shown_free(&shown);
        ft_free(block);
    }
}

static void test_freed_chunks_are_gone(void **state)
{
    (void)state;
    enum { COUNT = 3000 };
    static void *blocks[COUNT];
    for (size_t n = 0; n < COUNT; n++) {
        blocks[n] = ft_malloc(1 + n * 37 % 4000);
        assert_non_null(blocks[n]);
    }
    for (size_t n = 0; n < COUNT; n += 2)
        ft_free(blocks[n]);
    struct shown shown = show();
    assert_int_equal(shown.chunk_count, COUNT / 2);
    for (size_t n = 0; n < COUNT; n++) {
        if (n % 2 == 0) {
            assert_null(shown_find(&shown, blocks[n]));
        } else {
            assert_shown(&shown, blocks[n], 1 + n * 37 % 4000, kind_of(1 + n * 37 % 4000));
            ft_free(blocks[n]);
        }
    }
    shown_free(&shown);
}

struct deposit {
    void *blocks[60];
};

static void *deposit_blocks(void *argument)
{
    struct deposit *deposit = argument;
    for (size_t n = 0; n < 60; n++)
        deposit->blocks[n] = ft_malloc(n * 7000);
    return NULL;
}

static void test_chunks_of_ended_threads_are_shown(void **state)
{
    (void)state;
    struct deposit deposits[4];
    for (size_t t = 0; t < 4; t++) {
        pthread_t thread;
        assert_int_equal(pthread_create(&thread, NULL, deposit_blocks, &deposits[t]), 0);
        pthread_join(thread, NULL);
    }
    struct shown shown = show();
    assert_int_equal(shown.chunk_count, 240);
    for (size_t t = 0; t < 4; t++)
        for (size_t n = 0; n < 60; n++)
            assert_shown(&shown, deposits[t].blocks[n], n * 7000, kind_of(n * 7000));
    shown_free(&shown);
    for (size_t t = 0; t < 4; t++)
        for (size_t n = 0; n < 60; n++)
            ft_free(deposits[t].blocks[n]);
}

static void test_showing_changes_nothing(void **state)
{
    (void)state;
    void *block = ft_malloc(42);
    assert_non_null(block);
    capture_call(&capture, show_alloc_mem);
    char first[200];
    assert_true(capture.length < sizeof first);
    memcpy(first, capture.text, capture.length + 1);
    for (unsigned i = 0; i < 20; i++) {
        capture_call(&capture, show_alloc_mem);
        assert_string_equal(capture.text, first);
    }
    ft_free(block);
}

static void test_closed_stdout_is_survived(void **state)
{
    (void)state;
    void *block = ft_malloc(42);
    assert_non_null(block);
    (void)fflush(stdout);
    int saved = dup(STDOUT_FILENO);
    close(STDOUT_FILENO);
    show_alloc_mem();
    assert_int_equal(dup2(saved, STDOUT_FILENO), STDOUT_FILENO);
    close(saved);
    struct shown shown = show();
    assert_int_equal(shown.total, 42);
    shown_free(&shown);
    ft_free(block);
}

static int open_capture(void **state)
{
    (void)state;
    capture_open(&capture, STDOUT_FILENO);
    return 0;
}

static int close_capture(void **state)
{
    (void)state;
    capture_close(&capture);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(assert_nothing_shown),
        cmocka_unit_test(test_exact_text_of_one_chunk),
        cmocka_unit_test(test_every_size_is_shown_to_the_byte),
        cmocka_unit_test(test_zone_borders),
        cmocka_unit_test(test_one_zone_line_per_large_chunk),
        cmocka_unit_test(test_chunks_of_one_heap_share_a_zone_line),
        cmocka_unit_test(test_realloc_changes_the_shown_size),
        cmocka_unit_test(test_aligned_chunks_show_the_requested_size),
        cmocka_unit_test(test_freed_chunks_are_gone),
        cmocka_unit_test(test_chunks_of_ended_threads_are_shown),
        cmocka_unit_test(test_showing_changes_nothing),
        cmocka_unit_test(test_closed_stdout_is_survived),
        cmocka_unit_test(assert_nothing_shown),
    };
    return cmocka_run_group_tests(tests, open_capture, close_capture);
}
