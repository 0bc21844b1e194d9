/*
 * ft_malloc_bounds(): the chunk around any address, as the other functions see it.
 */
#include "bins/size_class.h"
#include "ft_malloc.h"
#include "support/prefixed.h"
#include "support/rng.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>

#include <setjmp.h>

#include <cmocka.h>

static const size_t sizes[] = {
    1,    15,   16,   17,    100,       127,           960,           961,
    1024, 5000, 9000, 70000, SMALL_MAX, SMALL_MAX + 1, (1 << 20) + 5, 5 << 20};
enum { SIZES = sizeof sizes / sizeof sizes[0] };

static char in_data[64];

static void assert_extent(const void *address, const void *start, size_t size)
{
    struct ft_malloc_extent extent = ft_malloc_bounds(address);

    assert_ptr_equal(extent.start, start);
    assert_int_equal(extent.size, size);
}

static void test_every_byte_of_a_chunk_leads_to_it(void **state)
{
    (void)state;
    for (size_t n = 0; n < SIZES; n++) {
        char *chunk = ft_malloc(sizes[n]);
        size_t step = sizes[n] / 997 + 1;

        for (size_t at = 0; at < sizes[n]; at += step)
            assert_extent(chunk + at, chunk, sizes[n]);
        assert_extent(chunk + sizes[n] - 1, chunk, sizes[n]);
        ft_free(chunk);
    }
}

static void test_slack_is_in_the_chunk(void **state)
{
    char *chunk = ft_malloc(17);

    (void)state;
    assert_extent(chunk + 17, chunk, 17);
    assert_extent(chunk + 31, chunk, 17);
    ft_free(chunk);
    chunk = ft_malloc(SMALL_MAX + 1);
    assert_extent(chunk + SMALL_MAX + 1, chunk, SMALL_MAX + 1);
    ft_free(chunk);
}

static void test_a_freed_chunk_has_no_bytes(void **state)
{
    (void)state;
    for (size_t n = 0; n < SIZES; n++) {
        char *chunk = ft_malloc(sizes[n]);
        struct ft_malloc_extent extent;

        /* So that the chunk's slab or mapping stays. */
        char *beside = ft_malloc(sizes[n]);

        assert_extent(chunk, chunk, sizes[n]);
        ft_free(chunk);
        extent = ft_malloc_bounds(chunk);
        if (extent.start != NULL)
            assert_ptr_equal(extent.start, chunk);
        else
            assert_true(sizes[n] > 5000); /* its slab or its mapping may have gone */
        assert_int_equal(extent.size, 0);
        ft_free(beside);
    }
}

static void test_a_resized_chunk_has_its_new_size(void **state)
{
    char *chunk = ft_malloc(100);

    (void)state;
    for (size_t size = 90; size < 4 << 20; size += size / 3) {
        chunk = ft_realloc(chunk, size);
        assert_extent(chunk, chunk, size);
        assert_extent(chunk + size - 1, chunk, size);
    }
    for (size_t size = 3 << 20; size > 100; size -= size / 3) {
        chunk = ft_realloc(chunk, size);
        assert_extent(chunk + size - 1, chunk, size);
    }
    ft_free(chunk);
}

static void test_other_memory_is_in_no_chunk(void **state)
{
    char on_stack[16];
    char *mapped = mmap(NULL, 1 << 20, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    /* With a LARGE chunk there is something to search. */
    char *large = ft_malloc(1 << 20);

    (void)state;
    for (unsigned again = 0; again < 3; again++) {
        assert_extent(on_stack, NULL, 0);
        assert_extent(in_data, NULL, 0);
        assert_extent(mapped, NULL, 0);
        assert_extent(mapped + (1 << 20) - 1, NULL, 0);
        assert_extent((void *)(uintptr_t)test_other_memory_is_in_no_chunk, NULL, 0);
        assert_extent(NULL, NULL, 0);
        assert_extent((void *)UINTPTR_MAX, NULL, 0);
        assert_extent((void *)((uintptr_t)1 << 62), NULL, 0);
    }
    ft_free(large);
    assert_int_equal(munmap(mapped, 1 << 20), 0);
}

/* A page that was in no chunk is in one as soon as a mapping is made there. */
static void test_a_new_large_chunk_is_found_at_once(void **state)
{
    enum { CHUNKS = 40 };
    char *chunks[CHUNKS];

    (void)state;
    for (size_t n = 0; n < CHUNKS; n++) {
        chunks[n] = ft_malloc((512 << 10) + n);
        for (size_t other = 0; other <= n; other++) {
            assert_extent(chunks[other], chunks[other], (512 << 10) + other);
            assert_extent(chunks[other] + (512 << 10) - 1, chunks[other], (512 << 10) + other);
        }
        (void)ft_malloc_bounds(chunks[n] - 1);
        (void)ft_malloc_bounds(chunks[n] + (1 << 20));
    }
    for (size_t n = 0; n < CHUNKS; n++)
        ft_free(chunks[n]);
}

static void test_agrees_with_find(void **state)
{
    enum { CHUNKS = 500, QUESTIONS = 20000 };
    static char *chunks[CHUNKS];
    struct rng rng = rng_stream(7, 0);

    (void)state;
    for (unsigned question = 0; question < QUESTIONS; question++) {
        char **slot = &chunks[rng_below(&rng, CHUNKS)];
        size_t size = sizes[rng_below(&rng, SIZES - 2)];
        struct ft_malloc_extent extent;
        struct ft_malloc_chunk chunk;

        if (*slot == NULL) {
            *slot = ft_malloc(size);
            continue;
        }
        assert_int_equal(ft_malloc_find(*slot, &chunk, sizeof chunk), FT_MALLOC_LIVE);
        extent = ft_malloc_bounds(*slot + rng_below(&rng, chunk.requested));
        assert_ptr_equal(extent.start, *slot);
        assert_int_equal(extent.size, chunk.requested);
        if (rng_below(&rng, 2) == 0) {
            ft_free(*slot);
            *slot = NULL;
        }
    }
    for (size_t n = 0; n < CHUNKS; n++)
        ft_free(chunks[n]);
}

static void *allocate_and_free(void *context)
{
    _Atomic bool *stop = context;

    while (!*stop) {
        void *small = ft_malloc(3000), *large = ft_malloc(600 << 10);

        ft_free(small);
        ft_free(large);
    }
    return NULL;
}

static void test_others_may_allocate_meanwhile(void **state)
{
    _Atomic bool stop = false;
    char *small = ft_malloc(333), *large = ft_malloc((2 << 20) + 1);
    pthread_t thread;

    (void)state;
    assert_int_equal(pthread_create(&thread, NULL, allocate_and_free, &stop), 0);
    for (unsigned round = 0; round < 100000; round++) {
        struct ft_malloc_extent extent = ft_malloc_bounds(large + round);

        assert_extent(small + round % 333, small, 333);
        /* It may not be known: the other thread may have had the lock at every attempt so far. */
        if (extent.start != NULL)
            assert_ptr_equal(extent.start, large);
    }
    stop = true;
    assert_int_equal(pthread_join(thread, NULL), 0);
    ft_free(small);
    ft_free(large);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_byte_of_a_chunk_leads_to_it),
        cmocka_unit_test(test_slack_is_in_the_chunk),
        cmocka_unit_test(test_a_freed_chunk_has_no_bytes),
        cmocka_unit_test(test_a_resized_chunk_has_its_new_size),
        cmocka_unit_test(test_other_memory_is_in_no_chunk),
        cmocka_unit_test(test_a_new_large_chunk_is_found_at_once),
        cmocka_unit_test(test_agrees_with_find),
        cmocka_unit_test(test_others_may_allocate_meanwhile),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
