/*
 * The cache of freed LARGE mappings: which sizes a mapping serves, how much the cache may hold, and
 * which mapping is evicted first. test_cache_fit.c has the choice among several mappings.
 */
#include "unit/cache.h"
#include "unit/unit.h"

#include "base/clock.h"
#include "large/large.h"
#include "large/registry.h"
#include "os/os.h"

#include <string.h>

enum { MIB = 1 << 20, BYTES_MAX = 160 * MIB };

static void test_a_freed_mapping_serves_the_next_request(void **state)
{
    (void)state;
    struct large_info info;
    bool clean = true;
    char *chunk = allocate(MIB);

    memset(chunk, 0xee, MIB);
    release(chunk);
    assert_int_equal(large_cached_bytes(), MIB);
    struct os_counters before = os_counted();
    assert_ptr_equal(large_alloc(MIB - 5000, 1, &clean), chunk);
    assert_false(clean);
    assert_int_equal(os_counted().mmap + os_counted().munmap, before.mmap + before.munmap);
    assert_int_equal(large_cached_bytes(), 0);
    assert_true(large_find((uintptr_t)chunk, &info));
    assert_true(info.live && info.requested == MIB - 5000 && info.usable == MIB);
    release(chunk);
}

static size_t mapping_of(size_t size)
{
    return large_mapping_size(round_up(size, os_page_size()));
}

static void test_a_freed_mapping_serves_similar_sizes(void **state)
{
    (void)state;
    for (size_t size = 300000; size < 30 * MIB; size += size / 3) {
        size_t most = mapping_of(size), least = most - most / 8;
        struct large_info info;
        char *chunk = allocate(size);

        while (mapping_of(least) < most)
            least += os_page_size();
        release(chunk);
        /*
         * Sizes that are rounded up to the same mapping size, and some that are not rounded at all.
         */
        for (size_t each = least / 2; each <= most;
             each += each < least ? os_page_size() * 17 : os_page_size() - 1) {
            struct os_counters before = os_counted();

            if (mapping_of(each) * 2 < most)
                continue;
            assert_ptr_equal(allocate(each), chunk);
            assert_true(large_find((uintptr_t)chunk, &info));
            assert_true(info.live && info.requested == each && info.usable == most);
            release(chunk);
            assert_int_equal(os_counted().mmap + os_counted().munmap, before.mmap + before.munmap);
        }
        large_trim();
    }
}

static void test_a_mapping_that_is_much_too_large_is_not_taken(void **state)
{
    (void)state;
    /* From this size on, a sixteenth of the mapping is at least one page. */
    for (size_t size = round_up(300000, 16 * os_page_size()); size < 10 * MIB; size += size / 3) {
        size_t mapped = mapping_of(size), less = mapped / 2 - mapped / 16;
        char *large = allocate(size), *fitting;
        struct large_info info;

        /* A mapping may be twice as large as the request, and not more. */
        release(large);
        assert_ptr_equal(allocate(mapped / 2), large);
        release(large);
        assert_true(mapping_of(less) * 2 < mapped);
        assert_ptr_not_equal(fitting = allocate(less), large);
        assert_true(large_find((uintptr_t)fitting, &info));
        assert_true(info.usable <= less + less / 8 + os_page_size());
        release(fitting);
        large_trim();
    }
}

static void test_bytes_are_bounded_and_the_oldest_is_evicted(void **state)
{
    (void)state;
    enum { COUNT = 48 };
    char *chunks[COUNT];

    for (size_t n = 0; n < COUNT; n++)
        chunks[n] = allocate(4 * MIB);
    for (size_t n = 0; n < COUNT; n++) {
        release(chunks[n]);
        assert_true(large_cached_bytes() <= BYTES_MAX);
        assert_true(cached(chunks[n]));
    }
    assert_int_equal(large_cached_bytes(), BYTES_MAX);
    for (size_t n = 0; n < COUNT; n++)
        assert_int_equal(cached(chunks[n]), n >= COUNT - BYTES_MAX / (4 * MIB));
}

static void test_a_very_large_mapping_is_not_kept(void **state)
{
    (void)state;
    char *chunk = allocate(BYTES_MAX + os_page_size());

    release(chunk);
    assert_false(cached(chunk));
    assert_int_equal(large_cached_bytes(), 0);
    release(chunk = allocate(BYTES_MAX));
    assert_true(cached(chunk));
}

static void test_a_mapping_with_long_headroom_is_not_kept(void **state)
{
    (void)state;
    char *chunk = large_alloc_growing(BYTES_MAX + os_page_size(), &(bool){false});

    assert_non_null(chunk);
    release(chunk);
    assert_int_equal(large_cached_bytes(), 0);
    for (unsigned n = 0; n < 5; n++) {
        chunk = large_alloc_growing(20 * MIB, &(bool){false});
        assert_non_null(chunk);
        assert_true(large_resize((uintptr_t)chunk, 30 * MIB));
        release(chunk);
        assert_true(large_cached_bytes() <= BYTES_MAX);
    }
}

static void put_in(size_t size, uint64_t freed_at)
{
    struct large *large;

    release(allocate(size));
    registry_lock();
    large = cache_take(size, 1);
    cache_count_live(-large->mapped);
    cache_put(large, freed_at);
    registry_unlock();
}

static void test_a_later_free_evicts_old_mappings(void **state)
{
    (void)state;
    char *young;
    uint64_t now = clock_now();

    put_in(MIB, now - (uint64_t)100 * CLOCK_TENTH);
    put_in(3 * MIB, now - (uint64_t)90 * CLOCK_TENTH);
    /* Storing the second mapping has evicted the first. */
    assert_int_equal(large_cached_bytes(), 3 * MIB);
    release(young = allocate(5 * MIB));
    assert_int_equal(large_cached_bytes(), 5 * MIB);
    assert_true(cached(young));
}

static void test_a_later_mapping_evicts_old_ones(void **state)
{
    (void)state;
    uint64_t now = clock_now();

    put_in(MIB, now - (uint64_t)100 * CLOCK_TENTH);
    assert_int_equal(large_cached_bytes(), MIB);
    /* The mapping serves this request although it is old. */
    char *chunk = allocate(MIB);
    assert_int_equal(large_cached_bytes(), 0);
    release(chunk);
    large_trim();
    put_in(MIB, now - (uint64_t)100 * CLOCK_TENTH);
    chunk = allocate(20 * MIB);
    assert_int_equal(large_cached_bytes(), 0);
    release(chunk);
}

static void test_fresh_memory_elsewhere_evicts_mappings(void **state)
{
    (void)state;
    char *first = allocate(2 * MIB), *second = allocate(3 * MIB);

    release(first);
    release(second);
    large_make_way(0);
    large_make_way(2 * MIB - 1);
    assert_int_equal(large_cached_bytes(), 5 * MIB);
    /* The eviction only tries the lock, because the holder may be waiting for this thread. */
    registry_lock();
    large_make_way(5 * MIB);
    registry_unlock();
    assert_int_equal(large_cached_bytes(), 5 * MIB);
    /* What that call could not evict is still owed, and the oldest mapping is evicted first. */
    large_make_way(1);
    assert_int_equal(large_cached_bytes(), 3 * MIB);
    assert_true(cached(second));
    large_make_way(MIB);
    assert_true(cached(second));
    large_make_way(4 * MIB);
    assert_int_equal(large_cached_bytes(), 0);
    /* Nothing is owed on an empty cache, so the next mapping may stay. */
    large_make_way(MIB);
    release(allocate(MIB));
    large_make_way(0);
    assert_int_equal(large_cached_bytes(), MIB);
}

static void test_a_vector_gets_a_mapping_that_has_grown_before(void **state)
{
    (void)state;
    /* Mappings from 1 MiB on all have address space reserved behind them. */
    char *plain = allocate(MIB / 2), *grown = large_alloc_growing(2 * MIB, &(bool){false});
    struct large_info info;

    assert_non_null(grown);
    release(plain);
    release(grown);
    /* A request does not take the lock of an empty cache. */
    large_trim();
    registry_lock();
    assert_null(large_reuse_growing(MIB));
    registry_unlock();
    plain = allocate(MIB / 2), grown = large_alloc_growing(2 * MIB, &(bool){false});
    release(plain);
    release(grown);
    /*
     * A mapping is refused if it is too small, has no address space behind it, or is much too
     * large.
     */
    assert_null(large_reuse_growing(2 * MIB + 1));
    assert_null(large_reuse_growing(2 * MIB / GROWN - os_page_size()));
    struct os_counters before = os_counted();
    assert_ptr_equal(large_reuse_growing(MIB / 2), grown);
    assert_true(large_find((uintptr_t)grown, &info));
    assert_true(info.live && info.requested == MIB / 2 && info.usable == 2 * MIB);
    assert_null(large_reuse_growing(MIB / 4));
    assert_int_equal(os_counted().mmap + os_counted().munmap, before.mmap + before.munmap);
    /* The address space behind the mapping is still reserved. */
    assert_true(large_resize((uintptr_t)grown, 7 * MIB));
    release(grown);
    assert_true(cached(plain));
}

static void test_a_trim_empties_it(void **state)
{
    (void)state;
    char *chunks[50];

    for (size_t n = 0; n < 50; n++)
        chunks[n] = allocate(300000 + n * 10000);
    size_t bytes = 0;
    for (size_t n = 0; n < 50; n++) {
        release(chunks[n]);
        bytes += mapping_of(300000 + n * 10000);
    }
    assert_int_equal(large_cached_bytes(), bytes);
    assert_int_equal(large_trim(), bytes);
    assert_int_equal(large_cached_bytes(), 0);
    assert_int_equal(large_trim(), 0);
}

static void test_what_the_kernel_refuses_to_unmap_stays(void **state)
{
    (void)state;
    char *chunk = allocate(MIB), *huge = allocate(BYTES_MAX + os_page_size());

    release(chunk);
    os_fail_after(1, true);
    assert_int_equal(large_trim(), 0);
    assert_true(cached(chunk));
    release(huge);
    assert_true(cached(huge));
    assert_ptr_equal(allocate(MIB), chunk);
    os_fail_after(0, false);
    /* The next free tries again. */
    release(chunk);
    assert_false(cached(huge));
    assert_int_equal(large_trim(), MIB);
}

static void test_sizes_at_the_borders_of_the_lists(void **state)
{
    (void)state;
    /*
     * Sizes around the first size of each list: a cached mapping serves a request of its own size.
     */
    for (size_t size = 16 * os_page_size(); size <= 4 * MIB; size += size / 8) {
        size_t base = size & ~(size_t)(os_page_size() - 1);

        for (size_t each = base - os_page_size(); each <= base + os_page_size();
             each += os_page_size()) {
            char *chunk = allocate(each);

            release(chunk);
            assert_ptr_equal(allocate(each), chunk);
            release(chunk);
            large_trim();
        }
    }
    registry_lock();
    assert_null(cache_take(SIZE_MAX & ~(size_t)(os_page_size() - 1), 1));
    assert_null(cache_take((size_t)1 << 63, 1));
    registry_unlock();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_a_freed_mapping_serves_the_next_request, empty),
        cmocka_unit_test_setup(test_a_freed_mapping_serves_similar_sizes, empty),
        cmocka_unit_test_setup(test_a_mapping_that_is_much_too_large_is_not_taken, empty),
        cmocka_unit_test_setup(test_bytes_are_bounded_and_the_oldest_is_evicted, empty),
        cmocka_unit_test_setup(test_a_very_large_mapping_is_not_kept, empty),
        cmocka_unit_test_setup(test_a_mapping_with_long_headroom_is_not_kept, empty),
        cmocka_unit_test_setup(test_a_later_free_evicts_old_mappings, empty),
        cmocka_unit_test_setup(test_a_later_mapping_evicts_old_ones, empty),
        cmocka_unit_test_setup(test_fresh_memory_elsewhere_evicts_mappings, empty),
        cmocka_unit_test_setup(test_a_vector_gets_a_mapping_that_has_grown_before, empty),
        cmocka_unit_test_setup(test_a_trim_empties_it, empty),
        cmocka_unit_test_setup(test_what_the_kernel_refuses_to_unmap_stays, empty),
        cmocka_unit_test_setup(test_sizes_at_the_borders_of_the_lists, empty),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
