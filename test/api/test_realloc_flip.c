/*
 * realloc of buffers that flip between two sizes: these keep their room. A buffer that shrinks once
 * does not.
 */
#include "os/os.h"
#include "support/pattern.h"
#include "support/prefixed.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <setjmp.h>

#include <cmocka.h>

/*
 * Pairs of sizes within SMALL, from SMALL to LARGE, and within LARGE. The smaller size is more than
 * a quarter of the larger one's room.
 */
static const size_t pairs[][2] = {{1500, 4000},     {20000, 60000},   {50000, 120000},
                                  {100000, 300000}, {200000, 270000}, {300000, 600000}};
enum { PAIRS = sizeof pairs / sizeof *pairs };

static char *resize(char *block, size_t size)
{
    block = ft_realloc(block, size);
    assert_non_null(block);
    assert_true(ft_malloc_usable_size(block) >= size);
    return block;
}

/* One round: grows to the larger size and shrinks back. */
static char *flip(char *block, const size_t pair[2])
{
    return resize(resize(block, pair[1]), pair[0]);
}

static void test_a_buffer_that_flips_stays_where_it_is(void **state)
{
    (void)state;
    for (size_t n = 0; n < PAIRS; n++) {
        const size_t *pair = pairs[n];
        char *block = flip(flip(resize(NULL, pair[0]), pair), pair);

        pattern_write(block, 0, pair[0], n);
        struct os_counters before = os_counted();
        for (unsigned round = 0; round < 10; round++) {
            assert_ptr_equal(resize(block, pair[1]), block);
            assert_int_equal(pattern_mismatch(block, pair[0], n), pair[0]);
            block[pair[1] - 1] = 1;
            assert_ptr_equal(resize(block, pair[0]), block);
        }
        struct os_counters after = os_counted();
        assert_int_equal(after.mmap + after.munmap, before.mmap + before.munmap);
        assert_int_equal(pattern_mismatch(block, pair[0], n), pair[0]);
        /* The reported size is the one that was requested last. */
        ft_free_sized(block, pair[0]);
    }
}

/* Other buffers flip, so that nothing is remembered of the addresses that are reused. */
static void forget(void)
{
    enum { OTHERS = 40 };
    static const size_t pair[2] = {2000, 6000};
    char *others[OTHERS];

    for (size_t n = 0; n < OTHERS; n++)
        others[n] = flip(flip(resize(NULL, pair[0]), pair), pair);
    for (size_t n = 0; n < OTHERS; n++)
        ft_free_sized(others[n], pair[0]);
}

/* As a vector does when it is complete (shrink_to_fit). */
static void test_a_buffer_that_shrinks_once_gives_its_room_back(void **state)
{
    (void)state;
    for (size_t n = 0; n < PAIRS; n++) {
        forget();
        char *block = resize(resize(NULL, pairs[n][0]), pairs[n][1]);

        block = resize(block, pairs[n][0] / 2);
        assert_true(ft_malloc_usable_size(block) <= pairs[n][0]);
        ft_free_sized(block, pairs[n][0] / 2);
    }
}

static void test_a_flipping_buffer_gives_excessive_room_back(void **state)
{
    (void)state;
    for (size_t n = 0; n < PAIRS; n++) {
        char *block = flip(flip(resize(NULL, pairs[n][0]), pairs[n]), pairs[n]);

        block = resize(resize(block, pairs[n][1]), pairs[n][1] / 8);
        assert_true(ft_malloc_usable_size(block) <= pairs[n][1] / 4);
        ft_free_sized(block, pairs[n][1] / 8);
    }
}

/* It does so at the latest after other buffers have flipped, too. */
static void test_only_the_last_few_are_remembered(void **state)
{
    (void)state;
    static const size_t pair[2] = {20000, 60000};
    char *block = resize(flip(flip(resize(NULL, pair[0]), pair), pair), pair[1]);

    forget();
    block = resize(block, pair[0]);
    assert_true(ft_malloc_usable_size(block) < 2 * pair[0]);
    ft_free_sized(block, pair[0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_buffer_that_flips_stays_where_it_is),
        cmocka_unit_test(test_a_buffer_that_shrinks_once_gives_its_room_back),
        cmocka_unit_test(test_a_flipping_buffer_gives_excessive_room_back),
        cmocka_unit_test(test_only_the_last_few_are_remembered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
