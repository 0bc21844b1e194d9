/*
 * What ft_malloc.h declares: the statistics, the visit, the search by address, the listing to a
 * descriptor.
 */
#include "bins/size_class.h"
#include "ft_malloc.h"
#include "support/prefixed.h"

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <setjmp.h>

#include <cmocka.h>

enum { KINDS = 5 };

static const size_t sizes[KINDS] = {0, 42, 3725, SMALL_MAX + 1, 5 << 20};

static void allocate(void **chunks)
{
    for (size_t n = 0; n < KINDS; n++) {
        chunks[n] = ft_malloc(sizes[n]);
        assert_non_null(chunks[n]);
    }
}

static void release(void **chunks)
{
    for (size_t n = 0; n < KINDS; n++)
        ft_free(chunks[n]);
}

static void test_stats_count_what_is_live(void **state)
{
    struct ft_malloc_stats before, after;
    void *chunks[KINDS];

    (void)state;
    assert_int_equal(ft_malloc_stats(&before, sizeof before), sizeof before);
    allocate(chunks);
    assert_int_equal(ft_malloc_stats(&after, sizeof after), sizeof after);
    assert_int_equal(after.chunks[FT_MALLOC_TINY] - before.chunks[FT_MALLOC_TINY], 2);
    assert_int_equal(after.requested[FT_MALLOC_TINY] - before.requested[FT_MALLOC_TINY], 42);
    assert_int_equal(after.requested[FT_MALLOC_SMALL] - before.requested[FT_MALLOC_SMALL], 3725);
    assert_int_equal(after.requested[FT_MALLOC_LARGE] - before.requested[FT_MALLOC_LARGE],
                     SMALL_MAX + 1 + (5 << 20));
    for (size_t zone = 0; zone < FT_MALLOC_ZONES; zone++) {
        assert_true(after.requested[zone] <= after.usable[zone]);
        assert_true(after.usable[zone] <= after.slabs[zone]);
        assert_true(after.slabs[zone] <= after.mapped[zone]);
    }
    assert_true(after.arenas > 0 && after.mmap_calls > 0);
    release(chunks);
}

static void test_stats_agree_with_mallinfo2(void **state)
{
    struct ft_malloc_stats stats;
    struct mallinfo2 info;
    void *chunks[KINDS];

    (void)state;
    allocate(chunks);
    ft_malloc_stats(&stats, sizeof stats);
    info = ft_mallinfo2();
    assert_int_equal(info.uordblks, stats.usable[FT_MALLOC_TINY] + stats.usable[FT_MALLOC_SMALL]);
    assert_int_equal(info.hblkhd, stats.usable[FT_MALLOC_LARGE]);
    assert_int_equal(info.hblks, stats.chunks[FT_MALLOC_LARGE]);
    release(chunks);
}

/* A program that was compiled with another version of the header. */
static void test_stats_fill_what_both_sides_know(void **state)
{
    struct {
        struct ft_malloc_stats known;
        size_t added;
    } later;
    size_t earlier[2] = {0, SIZE_MAX};

    (void)state;
    later.added = 1;
    assert_int_equal(ft_malloc_stats(&later.known, sizeof later), sizeof later.known);
    assert_int_equal(later.added, 0);
    assert_int_equal(ft_malloc_stats((void *)earlier, sizeof *earlier), sizeof *earlier);
    assert_int_equal(earlier[0], later.known.heaps[0]);
    assert_true(earlier[1] == SIZE_MAX);
}

struct seen {
    void *const *chunks;
    size_t found, calls, stop_at;
    uintptr_t last;
};

static int look(const struct ft_malloc_chunk *chunk, void *context)
{
    struct seen *seen = context;

    assert_true((uintptr_t)chunk->pointer > seen->last);
    assert_true(chunk->requested <= chunk->usable || chunk->usable == 0);
    seen->last = (uintptr_t)chunk->pointer;
    for (size_t n = 0; n < KINDS; n++)
        if (chunk->pointer == seen->chunks[n]) {
            assert_int_equal(chunk->requested, sizes[n]);
            assert_int_equal(chunk->zone, n < 2    ? FT_MALLOC_TINY
                                          : n == 2 ? FT_MALLOC_SMALL
                                                   : FT_MALLOC_LARGE);
            seen->found++;
        }
    return ++seen->calls == seen->stop_at ? 7 : 0;
}

static void test_visit_shows_each_chunk_once_in_order(void **state)
{
    void *chunks[KINDS];
    struct seen seen = {.chunks = chunks};

    (void)state;
    allocate(chunks);
    assert_int_equal(ft_malloc_visit(look, &seen), 0);
    assert_int_equal(seen.found, KINDS);
    assert_int_equal(seen.calls, KINDS);
    seen = (struct seen){.chunks = chunks, .stop_at = 2};
    assert_int_equal(ft_malloc_visit(look, &seen), 7);
    assert_int_equal(seen.calls, 2);
    release(chunks);
    seen = (struct seen){.chunks = chunks};
    assert_int_equal(ft_malloc_visit(look, &seen), 0);
    assert_int_equal(seen.calls, 0);
}

static int free_and_allocate(const struct ft_malloc_chunk *chunk, void *context)
{
    size_t *calls = context;

    ft_free(chunk->pointer);
    ft_free(ft_malloc(chunk->requested + 1000 * ++*calls));
    return 0;
}

static void test_the_callback_may_allocate_and_free(void **state)
{
    enum { COUNT = 2000 };
    struct ft_malloc_stats stats;
    size_t calls = 0;

    (void)state;
    for (size_t n = 0; n < COUNT; n++)
        assert_non_null(ft_malloc(n * 7));
    assert_int_equal(ft_malloc_visit(free_and_allocate, &calls), 0);
    assert_int_equal(calls, COUNT);
    ft_malloc_stats(&stats, sizeof stats);
    assert_int_equal(stats.chunks[0] + stats.chunks[1] + stats.chunks[2], 0);
}

static void test_find_says_which_chunk_it_is(void **state)
{
    struct ft_malloc_chunk chunk;
    void *chunks[KINDS];

    (void)state;
    allocate(chunks);
    for (size_t n = 0; n < KINDS; n++) {
        assert_int_equal(ft_malloc_find(chunks[n], &chunk, sizeof chunk), FT_MALLOC_LIVE);
        assert_ptr_equal(chunk.pointer, chunks[n]);
        assert_int_equal(chunk.requested, sizes[n]);
        /* Hardened, a chunk of 0 bytes has no byte inside. */
        if (chunk.usable > 0)
            assert_int_equal(
                ft_malloc_find((char *)chunks[n] + chunk.usable - 1, &chunk, sizeof chunk),
                FT_MALLOC_INTERIOR);
        assert_ptr_equal(chunk.pointer, chunks[n]);
        assert_int_equal(ft_malloc_find(chunks[n], NULL, 0), FT_MALLOC_LIVE);
    }
    release(chunks);
    for (size_t n = 0; n < KINDS; n++)
        assert_int_equal(ft_malloc_find(chunks[n], &chunk, sizeof chunk), FT_MALLOC_FREED);
}

static void test_find_is_safe_for_any_value(void **state)
{
    static const uintptr_t odd[] = {0, 1, 15, 4096, UINTPTR_MAX, UINTPTR_MAX / 2, 1UL << 47};
    struct ft_malloc_chunk chunk;
    void *foreign = malloc(100);

    (void)state;
    for (size_t n = 0; n < sizeof odd / sizeof *odd; n++) {
        memset(&chunk, 1, sizeof chunk);
        assert_int_equal(ft_malloc_find((const void *)odd[n], &chunk, sizeof chunk), // NOLINT
                         FT_MALLOC_NONE);
        assert_null(chunk.pointer);
        assert_int_equal(chunk.usable, 0);
    }
    assert_int_equal(ft_malloc_find(foreign, &chunk, sizeof chunk), FT_MALLOC_NONE);
    assert_int_equal(ft_malloc_find(&chunk, NULL, 0), FT_MALLOC_NONE);
    free(foreign);
}

static void test_show_writes_to_a_descriptor_or_says_why_not(void **state)
{
    char text[200] = {0};
    int ends[2];

    (void)state;
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(ft_malloc_show(ends[1]), 0);
    assert_true(read(ends[0], text, sizeof text - 1) > 0);
    assert_string_equal(text, "Total : 0 bytes\n");
    close(ends[0]);
    close(ends[1]);
    errno = 0;
    assert_int_equal(ft_malloc_show(ends[1]), -1);
    assert_int_equal(errno, EBADF);
    errno = 0;
    assert_int_equal(ft_malloc_show(-1), -1);
    assert_int_equal(errno, EBADF);
}

static atomic_bool ended;

static void *go_on(void *argument)
{
    void *chunks[100] = {NULL};

    (void)argument;
    for (size_t n = 0; !atomic_load(&ended); n++) {
        ft_free(chunks[n % 100]);
        chunks[n % 100] = ft_malloc(n * 977 % (n % 50 == 0 ? 500000 : 3000));
    }
    for (size_t n = 0; n < 100; n++)
        ft_free(chunks[n]);
    return NULL;
}

static int find_live(const struct ft_malloc_chunk *chunk, void *context)
{
    struct seen *seen = context;

    for (size_t n = 0; n < KINDS; n++)
        if (chunk->pointer == seen->chunks[n])
            seen->found += chunk->requested == sizes[n];
    (void)ft_malloc_find(chunk->pointer, NULL, 0);
    return 0;
}

static void test_other_threads_go_on_meanwhile(void **state)
{
    void *chunks[KINDS];
    pthread_t threads[3];

    (void)state;
    allocate(chunks);
    for (size_t n = 0; n < 3; n++)
        assert_int_equal(pthread_create(&threads[n], NULL, go_on, NULL), 0);
    for (unsigned round = 0; round < 200; round++) {
        struct seen seen = {.chunks = chunks};

        assert_int_equal(ft_malloc_visit(find_live, &seen), 0);
        assert_int_equal(seen.found, KINDS);
    }
    atomic_store(&ended, true);
    for (size_t n = 0; n < 3; n++)
        assert_int_equal(pthread_join(threads[n], NULL), 0);
    release(chunks);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_stats_count_what_is_live),
        cmocka_unit_test(test_stats_agree_with_mallinfo2),
        cmocka_unit_test(test_stats_fill_what_both_sides_know),
        cmocka_unit_test(test_visit_shows_each_chunk_once_in_order),
        cmocka_unit_test(test_the_callback_may_allocate_and_free),
        cmocka_unit_test(test_find_says_which_chunk_it_is),
        cmocka_unit_test(test_find_is_safe_for_any_value),
        cmocka_unit_test(test_show_writes_to_a_descriptor_or_says_why_not),
        cmocka_unit_test(test_other_threads_go_on_meanwhile),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
