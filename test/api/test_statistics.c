/*
 * mallinfo, mallinfo2, malloc_stats, malloc_trim, mallopt: their figures follow what the program
 * holds.
 */
#include "support/capture.h"
#include "support/prefixed.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <setjmp.h>

#include <cmocka.h>

enum { COUNT = 5000 };

static void *blocks[COUNT];

static size_t allocate_all(size_t largest)
{
    size_t total = 0;
    for (size_t n = 0; n < COUNT; n++) {
        size_t size = 1 + n * 7919 % largest;
        blocks[n] = ft_malloc(size);
        assert_non_null(blocks[n]);
        total += size;
    }
    return total;
}

static void free_all(void)
{
    for (size_t n = 0; n < COUNT; n++)
        ft_free(blocks[n]);
}

static void test_uordblks_follows_live_bytes(void **state)
{
    (void)state;
    static const size_t largest[] = {500, 5000, 20000};
    for (size_t i = 0; i < sizeof largest / sizeof *largest; i++) {
        struct mallinfo2 before = ft_mallinfo2();
        size_t total = allocate_all(largest[i]);
        struct mallinfo2 during = ft_mallinfo2();
        free_all();
        struct mallinfo2 after = ft_mallinfo2();
        size_t held = during.uordblks - before.uordblks;
        assert_true(held >= total);
        assert_true(held <= total + total / 4 + (size_t)COUNT * 16);
        assert_int_equal(after.uordblks, before.uordblks);
    }
}

static void test_arena_is_used_plus_free(void **state)
{
    (void)state;
    (void)allocate_all(3000);
    for (size_t n = 0; n < COUNT; n += 3) {
        ft_free(blocks[n]);
        blocks[n] = NULL;
    }
    struct mallinfo2 info = ft_mallinfo2();
    assert_int_equal(info.uordblks + info.fordblks, info.arena);
    assert_true(info.fordblks > 0);
    free_all();
}

static void test_large_chunks_are_counted_as_mapped(void **state)
{
    (void)state;
    struct mallinfo2 before = ft_mallinfo2();
    void *large[10];
    for (size_t n = 0; n < 10; n++) {
        large[n] = ft_malloc(1000000);
        assert_non_null(large[n]);
    }
    struct mallinfo2 during = ft_mallinfo2();
    assert_int_equal(during.hblks - before.hblks, 10);
    assert_true(during.hblkhd - before.hblkhd >= 10000000);
    assert_true(during.hblkhd - before.hblkhd <= 20000000);
    for (size_t n = 0; n < 10; n++)
        ft_free(large[n]);
    assert_int_equal(ft_mallinfo2().hblks, before.hblks);
}

static void test_mallinfo_agrees_with_mallinfo2(void **state)
{
    (void)state;
    void *block = ft_malloc(100000);
    assert_non_null(block);
    struct mallinfo narrow = ft_mallinfo();
    struct mallinfo2 wide = ft_mallinfo2();
    assert_int_equal(narrow.uordblks, (int)wide.uordblks);
    assert_int_equal(narrow.fordblks, (int)wide.fordblks);
    assert_int_equal(narrow.arena, (int)wide.arena);
    assert_int_equal(narrow.hblks, (int)wide.hblks);
    assert_int_equal(narrow.hblkhd, (int)wide.hblkhd);
    ft_free(block);
}

static size_t resident_bytes(void)
{
    char text[128] = {0};
    FILE *file = fopen("/proc/self/statm", "re");
    assert_non_null(file);
    assert_non_null(fgets(text, sizeof text, file));
    (void)fclose(file);
    char *second = strchr(text, ' ');
    assert_non_null(second);
    return strtoul(second, NULL, 10) * 4096;
}

static void test_trim_gives_memory_back(void **state)
{
    (void)state;
    static const size_t sizes[] = {100, 8000, 400000};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        size_t total = (size_t)48 << 20;
        size_t count = total / sizes[i];
        void **many = calloc(count, sizeof *many);
        assert_non_null(many);
        memset(many, 0xFF, count * sizeof *many);
        for (size_t n = 0; n < count; n++) {
            many[n] = ft_malloc(sizes[i]);
            assert_non_null(many[n]);
            memset(many[n], 1, sizes[i]);
        }
        size_t full = resident_bytes();
        for (size_t n = 0; n < count; n++)
            ft_free(many[n]);
        int trimmed = ft_malloc_trim(0);
        size_t left = resident_bytes();
        free(many);
        assert_true(full - left > total / 2);
        assert_true(trimmed == 0 || trimmed == 1);
        assert_int_equal(ft_malloc_trim(0), 0);
    }
}

static void test_trim_returns_1_when_it_gave_back(void **state)
{
    (void)state;
    (void)allocate_all(400);
    for (size_t n = 0; n < COUNT; n++)
        memset(blocks[n], 1, 1 + n * 7919 % 400);
    ft_malloc_trim(0);
    free_all();
    assert_int_equal(ft_malloc_trim(0), 1);
}

static void *use_an_arena(void *barrier)
{
    void *block = ft_malloc(100);
    pthread_barrier_wait(barrier);
    ft_free(block);
    return NULL;
}

static void use_four_threads(void)
{
    pthread_t threads[4];
    pthread_barrier_t barrier;
    pthread_barrier_init(&barrier, NULL, 4);
    for (size_t t = 0; t < 4; t++)
        assert_int_equal(pthread_create(&threads[t], NULL, use_an_arena, &barrier), 0);
    for (size_t t = 0; t < 4; t++)
        pthread_join(threads[t], NULL);
}

/* Runs first, because the number of arenas can be limited only before there are several. */
static void test_mallopt_limits_arenas_in_time(void **state)
{
    (void)state;
    assert_int_equal(ft_mallopt(M_ARENA_MAX, -1), 0);
    assert_int_equal(ft_mallopt(12345, 1), 0);
    assert_int_equal(ft_mallopt(M_ARENA_MAX, 2), 1);
    use_four_threads();
    assert_int_equal(ft_mallopt(M_ARENA_MAX, 8), 0);
}

static void test_malloc_stats_writes_to_stderr(void **state)
{
    (void)state;
    struct capture capture;
    capture_open(&capture, STDERR_FILENO);
    void *block = ft_malloc(123456);
    assert_non_null(block);
    capture_call(&capture, ft_print_stats);
    ft_free(block);
    assert_true(capture.length > 20);
    assert_int_equal(capture.text[capture.length - 1], '\n');
    assert_true(strpbrk(capture.text, "123456789") != NULL);
    capture_close(&capture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mallopt_limits_arenas_in_time),
        cmocka_unit_test(test_uordblks_follows_live_bytes),
        cmocka_unit_test(test_arena_is_used_plus_free),
        cmocka_unit_test(test_large_chunks_are_counted_as_mapped),
        cmocka_unit_test(test_mallinfo_agrees_with_mallinfo2),
        cmocka_unit_test(test_trim_gives_memory_back),
        cmocka_unit_test(test_trim_returns_1_when_it_gave_back),
        cmocka_unit_test(test_malloc_stats_writes_to_stderr),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
