/*
 * Vacated mappings: when the account of mappings is full, freed chunks give their memory back and
 * keep their address space, so the process gets no more mappings.
 */
#include "unit/unit.h"

#include "base/mappings.h"
#include "large/large.h"
#include "large/registry.h"
#include "os/os.h"
#include "support/page.h"
#include "support/require.h"

#include <string.h>
#include <sys/mman.h>

enum { SIZE = 320 << 10, COUNT = 200, ALLOWED = 20 };

static char *chunks[COUNT];

static bool resident(char *chunk)
{
    unsigned char page = 0;

    assert_int_equal(mincore(chunk, page_size(), &page), 0);
    return (page & 1) != 0;
}

static void allocate_all(void)
{
    bool clean;

    for (size_t n = 0; n < COUNT; n++) {
        chunks[n] = large_alloc(SIZE, 1, &clean);
        assert_non_null(chunks[n]);
        memset(chunks[n], 'x', SIZE);
    }
}

static void release(size_t n)
{
    assert_int_equal(large_free((uintptr_t)chunks[n], false), LARGE_FREED);
}

static bool registered(size_t n)
{
    struct large_info info;

    return large_find((uintptr_t)chunks[n], &info);
}

/* Frees every other chunk, with so many cuts allowed, and returns how many are vacated. */
static size_t release_half(void)
{
    size_t vacated = 0;

    vacated_few(COUNT / 4);
    mappings_bound(mappings_used() + ALLOWED);
    for (size_t n = 0; n < COUNT; n += 2) {
        release(n);
        vacated += registered(n);
    }
    return vacated;
}

static void release_rest(void)
{
    mappings_bound(0);
    vacated_few(COUNT);
    for (size_t n = 1; n < COUNT; n += 2)
        if (registered(n))
            release(n);
    large_trim();
    for (size_t n = 0; n < COUNT; n++)
        assert_false(registered(n));
}

static void test_memory_is_given_back_and_the_place_stays(void **state)
{
    (void)state;
    struct large_info info;

    allocate_all();
    assert_int_equal(release_half(), COUNT / 2 - ALLOWED);
    for (size_t n = 0; n < COUNT; n += 2)
        if (registered(n)) {
            assert_false(resident(chunks[n]));
            assert_true(large_find((uintptr_t)chunks[n], &info) && !info.live);
            assert_int_equal(large_free((uintptr_t)chunks[n], false), LARGE_WAS_FREE);
        }
    for (size_t n = 1; n < COUNT; n += 2)
        assert_int_equal(chunks[n][SIZE - 1], 'x');
    release_rest();
}

static void test_it_serves_requests_that_it_fits(void **state)
{
    (void)state;
    char *again;
    bool clean = false, was_vacated = false;

    allocate_all();
    release_half();
    again = large_alloc(SIZE, 1, &clean);
    for (size_t n = 0; n < COUNT; n += 2)
        was_vacated |= again == chunks[n];
    assert_true(clean && was_vacated);
    for (size_t n = 0; n < SIZE; n++)
        assert_int_equal(again[n], 0);
    assert_int_equal(large_free((uintptr_t)again, false), LARGE_FREED);
    release_rest();
}

/*
 * The range may be a hole that somebody else has taken, so it is never touched nor unmapped again.
 */
static void test_a_range_that_cannot_be_renewed_is_lost(void **state)
{
    (void)state;
    allocate_all();
    vacated_few(0);
    mappings_bound(1);
    os_fail_after(1, false);
    release(0);
    os_fail_after(0, false);
    assert_false(registered(0));
    for (size_t n = 2; n < COUNT; n += 2)
        release(n);
    release_rest();
    assert_int_equal(munmap(chunks[0], SIZE), 0);
}

static void test_a_run_that_the_kernel_does_not_renew(void **state)
{
    (void)state;
    size_t vacated;

    allocate_all();
    vacated = release_half();
    os_fail_after(1, true);
    large_trim();
    os_fail_after(0, false);
    for (size_t n = 0; n < COUNT; n += 2)
        vacated -= registered(n);
    assert_int_equal(vacated, 0);
    release_rest();
}

static void in_child(void *argument)
{
    (void)argument;
    large_after_fork(NULL);
    /*
     * The kernel does not join what the child renews with what the parent mapped. So memory stays
     * mapped, and nothing is lost.
     */
    vacated_few(0);
    mappings_bound(1);
    for (size_t n = 0; n < COUNT; n += 2)
        REQUIRE(large_free((uintptr_t)chunks[n], false) == LARGE_FREED, "not freed");
    for (size_t n = 0; n < COUNT; n += 2)
        REQUIRE(registered(n) && chunks[n][SIZE - 1] == 'x', "unmapped, or renewed");
    for (size_t n = 1; n < COUNT; n += 2)
        REQUIRE(chunks[n][SIZE - 1] == 'x', "a live chunk was changed");
}

static void test_mappings_stay_in_a_forks_child(void **state)
{
    (void)state;
    allocate_all();
    assert_true(unit_child_succeeds(in_child, NULL));
    for (size_t n = 0; n < COUNT; n += 2)
        release(n);
    release_rest();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_memory_is_given_back_and_the_place_stays),
        cmocka_unit_test(test_it_serves_requests_that_it_fits),
        cmocka_unit_test(test_a_range_that_cannot_be_renewed_is_lost),
        cmocka_unit_test(test_a_run_that_the_kernel_does_not_renew),
        cmocka_unit_test(test_mappings_stay_in_a_forks_child),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
