/*
 * Requests that no cached mapping fits: a shorter mapping with headroom is made longer for them, or
 * a much larger one is lent.
 */
#include "unit/cache.h"
#include "unit/forked.h"
#include "unit/resize.h"
#include "unit/unit.h"

#include "base/mappings.h"
#include "os/os.h"
#include "support/pattern.h"
#include "support/require.h"

static void test_a_shorter_mapping_is_made_longer(void **state)
{
    (void)state;
    char *chunk = allocate(10 * MIB);
    size_t reserved = descriptor(chunk).reserved;
    struct os_counters before;
    bool clean = true;

    pattern_write(chunk, 0, 10 * MIB, 1);
    release(chunk);
    before = os_counted();
    assert_ptr_equal(large_alloc(18 * MIB, 1, &clean), chunk);
    assert_int_equal(os_counted().mmap + os_counted().munmap, before.mmap + before.munmap + 1);
    assert_false(clean);
    assert_int_equal(descriptor(chunk).mapped, 18 * MIB);
    assert_int_equal(descriptor(chunk).requested, 18 * MIB);
    assert_int_equal(descriptor(chunk).reserved, reserved);
    pattern_write(chunk, 0, 18 * MIB, 2);
    assert_int_equal(pattern_mismatch(chunk, 18 * MIB, 2), 18 * MIB);
    assert_true(large_resize((uintptr_t)chunk, 20 * MIB));
    release(chunk);
    assert_true(large_cached_bytes() >= 20 * MIB);
    large_trim();
    assert_false(is_mapped(chunk));
    assert_false(is_mapped(chunk + reserved - os_page_size()));
}

static void test_the_longest_of_several_is_made_longer(void **state)
{
    (void)state;
    char *chunks[3] = {allocate(10 * MIB), allocate(14 * MIB), allocate(12 * MIB)};

    for (size_t n = 0; n < 3; n++)
        release(chunks[n]);
    assert_ptr_equal(allocate(16 * MIB), chunks[1]);
    assert_ptr_equal(allocate(16 * MIB), chunks[2]);
    assert_ptr_equal(allocate(16 * MIB), chunks[0]);
    for (size_t n = 0; n < 3; n++)
        release(chunks[n]);
}

/* Too short, without headroom, or not aligned. */
static void test_other_mappings_stay_as_they_are(void **state)
{
    (void)state;
    char *half = allocate(6 * MIB), *other;
    char *plain = large_alloc(10 * MIB, 2 * os_page_size(), &(bool){false});

    release(half);
    assert_ptr_not_equal(other = allocate(14 * MIB), half);
    assert_true(cached(half));
    assert_int_equal(large_free((uintptr_t)other, false), LARGE_FREED);
    large_trim();
    assert_non_null(plain);
    release(plain);
    assert_ptr_not_equal(other = allocate(14 * MIB), plain);
    assert_true(cached(plain));
    release(other);
    assert_null(large_alloc(SIZE_MAX / 2, 1, &(bool){false}));
}

/* The mapping returns to the cache without headroom, and the request gets another one. */
static void test_the_kernel_refuses_to_make_it_longer(void **state)
{
    (void)state;
    unsigned mappings = mappings_used();
    char *chunk = allocate(10 * MIB), *other;
    size_t reserved = descriptor(chunk).reserved;

    pattern_write(chunk, 0, 10 * MIB, 3);
    release(chunk);
    os_fail_after(1, false);
    other = allocate(16 * MIB);
    os_fail_after(0, false);
    assert_ptr_not_equal(other, chunk);
    assert_int_equal(descriptor(other).mapped, 16 * MIB);
    assert_true(cached(chunk));
    assert_int_equal(large_cached_bytes(), 10 * MIB);
    assert_false(is_mapped(chunk + reserved - os_page_size()));
    assert_ptr_equal(allocate(10 * MIB), chunk);
    assert_int_equal(pattern_mismatch(chunk, 10 * MIB, 3), 10 * MIB);
    release(chunk);
    release(other);
    large_trim();
    assert_in_range(mappings_used(), mappings, mappings + 1);
}

/* A quarter of all live bytes may be unused; here, of 16 MiB and what is lent. */
static void test_a_much_larger_mapping_is_lent(void **state)
{
    (void)state;
    enum { LIVE = 8 };
    char *live[LIVE], *lent, *second, *other;

    for (size_t n = 0; n < LIVE; n++)
        live[n] = allocate(2 * MIB);
    release(lent = allocate(5 * MIB));
    assert_ptr_not_equal(other = allocate(MIB), lent);
    assert_int_equal(large_free((uintptr_t)other, false), LARGE_FREED);
    assert_ptr_equal(allocate(2 * MIB), lent);
    release(second = allocate(5 * MIB));
    assert_ptr_not_equal(other = allocate(2 * MIB), second);
    assert_int_equal(large_free((uintptr_t)lent, false), LARGE_FREED);
    assert_ptr_equal(allocate(2 * MIB), second);
    release(second);
    release(other);
    for (size_t n = 0; n < LIVE; n++)
        release(live[n]);
}

static void lengthen_in_child(void *argument)
{
    struct large *shorter = argument;
    char *start = large_start(shorter);

    REQUIRE(large_lengthen(shorter, 16 * MIB, 16 * MIB), "refused");
    start[16 * MIB - 1] = 1;
    REQUIRE(large_free((uintptr_t)start, true) == LARGE_FREED, "not freed");
    REQUIRE(large_free((uintptr_t)start, true) == LARGE_WAS_FREE, "freed twice");
}

/* As a signal handler does that forks while its thread makes a mapping longer. */
static void test_a_fork_before_it_is_longer(void **state)
{
    (void)state;
    char *chunk = allocate(10 * MIB);
    struct large *shorter;
    struct large_info info;

    release(chunk);
    registry_lock();
    shorter = cache_take_short(16 * MIB, 1);
    registry_unlock();
    assert_non_null(shorter);
    assert_ptr_equal(large_start(shorter), chunk);
    assert_int_equal(large_free((uintptr_t)chunk, true), LARGE_WAS_FREE);
    assert_true(unit_child_succeeds(lengthen_in_child, shorter));
    assert_true(large_lengthen(shorter, 16 * MIB, 16 * MIB));
    assert_true(large_find((uintptr_t)chunk, &info) && info.live && info.usable == 16 * MIB);
    release(chunk);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_a_shorter_mapping_is_made_longer, empty),
        cmocka_unit_test_setup(test_the_longest_of_several_is_made_longer, empty),
        cmocka_unit_test_setup(test_other_mappings_stay_as_they_are, empty),
        cmocka_unit_test_setup(test_the_kernel_refuses_to_make_it_longer, empty),
        cmocka_unit_test_setup(test_a_much_larger_mapping_is_lent, empty),
        cmocka_unit_test_setup(test_a_fork_before_it_is_longer, empty),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
