/*
 * How much the cache of freed LARGE mappings may hold: the limit follows how many bytes were live
 * lately.
 */
#include "unit/cache.h"
#include "unit/unit.h"

#include "base/clock.h"
#include "large/large.h"
#include "large/registry.h"
#include "os/os.h"

enum { MIB = 1 << 20 };

/* Pretends that no chunk has ever been live, and that so many bytes were learned. */
static void forget(size_t learned)
{
    registry_lock();
    cache_reset();
    registry_unlock();
    learn(learned);
}

/*
 * Allocates a chunk that has no headroom, because of its alignment. So its mapping serves no larger
 * request later.
 */
static char *allocate_plain(size_t size)
{
    char *chunk = large_alloc(size, 2 * os_page_size(), &(bool){false});

    assert_non_null(chunk);
    return chunk;
}

static void test_the_limit_is_one_and_a_half_of_the_live_bytes(void **state)
{
    (void)state;
    enum { COUNT = 30 };
    /*
     * None of these serves the next request. The fourth is the largest amount that was ever live.
     */
    static const size_t sizes[] = {4 * MIB, 10 * MIB, 20 * MIB, 24 * MIB};
    char *chunks[COUNT];

    forget(SIZE_MAX / 2);
    for (size_t n = 0; n < 4; n++)
        release(chunks[n] = allocate_plain(sizes[n]));
    assert_false(cached(chunks[0]) || cached(chunks[1]));
    assert_true(cached(chunks[2]) && cached(chunks[3]));
    large_trim();
    for (size_t n = 0; n < COUNT; n++)
        chunks[n] = allocate(4 * MIB);
    for (size_t n = 0; n < COUNT; n++)
        release(chunks[n]);
    assert_int_equal(large_cached_bytes(), (size_t)COUNT * 4 * MIB);
}

/* A high amount of live bytes raises the limit, and is forgotten after two periods without it. */
static void test_bytes_live_long_ago_are_forgotten(void **state)
{
    (void)state;
    static const size_t sizes[] = {5 * MIB, 9 * MIB, 10 * MIB};
    uint64_t now = clock_now();
    char *chunks[3];

    forget(SIZE_MAX / 2);
    release(allocate(32 * MIB));
    large_trim();
    registry_lock();
    assert_null(cache_evict(now + (uint64_t)100 * CLOCK_TENTH, false));
    assert_null(cache_evict(now + (uint64_t)200 * CLOCK_TENTH, false));
    registry_unlock();
    learn(SIZE_MAX / 2);
    for (size_t n = 0; n < 3; n++)
        release(chunks[n] = allocate_plain(sizes[n] * 2));
    /* 48 MiB exceed the sum of 20, 10 and 8, and would not exceed the sum of 32, 16 and 8. */
    assert_false(cached(chunks[0]));
    assert_true(cached(chunks[1]) && cached(chunks[2]));
}

/*
 * No request has missed yet. When the last chunk is freed, perhaps no later call looks at the
 * cache, so it must be small at once.
 */
static void test_a_quarter_of_the_live_bytes_waits_before_anything_is_learned(void **state)
{
    (void)state;
    char *held, *first, *second;

    forget(0);
    held = allocate_plain(40 * MIB);
    first = allocate_plain(7 * MIB);
    second = allocate_plain(6 * MIB);
    release(first);
    assert_true(cached(first));
    release(second);
    assert_false(cached(first));
    assert_true(cached(second));
    release(held);
    assert_int_equal(large_cached_bytes(), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_the_limit_is_one_and_a_half_of_the_live_bytes, empty),
        cmocka_unit_test_setup(test_bytes_live_long_ago_are_forgotten, empty),
        cmocka_unit_test_setup(test_a_quarter_of_the_live_bytes_waits_before_anything_is_learned,
                               empty),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
