/*
 * LARGE chunks: allocation, look-up, freeing, walking, alignment, and what happens without memory.
 */
#include "unit/unit.h"

#include "large/large.h"
#include "large/registry.h"
#include "os/os.h"
#include "support/pattern.h"

#include <string.h>

enum { MIB = 1 << 20 };

static char *allocate(size_t size, size_t align)
{
    bool clean = false;
    char *chunk = large_alloc(size, align, &clean);

    assert_non_null(chunk);
    assert_int_equal((uintptr_t)chunk % align, 0);
    if (clean)
        assert_int_equal(pattern_first_nonzero(chunk, size), size);
    memset(chunk, 0xee, size);
    return chunk;
}

static void release(char *chunk)
{
    assert_int_equal(large_free((uintptr_t)chunk, true), LARGE_FREED);
}

static void test_the_requested_size_is_known_to_the_byte(void **state)
{
    (void)state;
    const size_t page = os_page_size();
    const size_t sizes[] = {0, 1, page - 1, page, page + 1, 300000, MIB, 5 * MIB + 12345};
    struct large_info info;

    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        char *chunk = allocate(sizes[i], 1);

        assert_true(large_find((uintptr_t)chunk, &info));
        assert_true(info.live);
        assert_int_equal(info.start, (uintptr_t)chunk);
        assert_int_equal(info.requested, sizes[i]);
        assert_true(info.usable >= sizes[i] && info.usable % os_page_size() == 0);
        memset(chunk, 1, info.usable);
        release(chunk);
    }
    large_trim();
}

static void check_mapping_size(size_t needed)
{
    size_t mapped = large_mapping_size(needed);

    assert_true(mapped >= needed && mapped - needed <= needed / 8);
    assert_int_equal(mapped % os_page_size(), 0);
    /*
     * The larger request never gets the smaller mapping. A request of a mapping's own size is not
     * rounded.
     */
    assert_true(mapped <= large_mapping_size(needed + os_page_size()));
    assert_int_equal(large_mapping_size(mapped), mapped);
}

static void test_mappings_are_rounded_up_by_at_most_an_eighth(void **state)
{
    (void)state;
    static const size_t exact_from = (size_t)1 << 40;
    size_t sizes = 0, last = 0;

    for (size_t needed = os_page_size(); needed < 128 << 10; needed += os_page_size())
        assert_int_equal(large_mapping_size(needed), needed);
    for (size_t needed = os_page_size(); needed <= 64 * (size_t)MIB; needed += os_page_size())
        check_mapping_size(needed);
    /* From this size on, an eighth of the mapping is a whole number of pages. */
    for (size_t power = round_up(128 << 10, 8 * os_page_size()); power < exact_from; power *= 2)
        for (size_t eighth = 0; eighth < 8; eighth++) {
            size_t border = power + power / 8 * eighth;

            assert_int_equal(large_mapping_size(border), border);
            assert_int_equal(large_mapping_size(border + os_page_size()), border + power / 8);
            check_mapping_size(border - os_page_size());
            check_mapping_size(border + os_page_size());
        }
    for (size_t needed = MIB + os_page_size(); needed <= 2 * MIB; needed += os_page_size()) {
        sizes += large_mapping_size(needed) != last;
        last = large_mapping_size(needed);
    }
    assert_int_equal(sizes, 8);
    /* Mappings that large are not cached, and rounding must not overflow. */
    check_mapping_size(exact_from - os_page_size());
    assert_int_equal(large_mapping_size(exact_from), exact_from);
    assert_int_equal(large_mapping_size(exact_from + os_page_size()), exact_from + os_page_size());
    assert_int_equal(large_mapping_size(SIZE_MAX - os_page_size() + 1),
                     SIZE_MAX - os_page_size() + 1);
}

static void test_a_chunk_may_use_all_of_its_mapping(void **state)
{
    (void)state;
    struct large_info info;

    for (size_t size = 1; size < 5 * MIB; size += size / 2 + 1) {
        char *chunk = allocate(size, 1);

        assert_true(large_find((uintptr_t)chunk, &info));
        assert_int_equal(info.usable, large_mapping_size(round_up(size, os_page_size())));
        memset(chunk, 1, info.usable);
        release(chunk);
        large_trim();
    }
}

static void test_a_refused_rounded_mapping_is_tried_unrounded(void **state)
{
    (void)state;
    struct large_info info;
    bool clean = false;

    /* Where pages are as large as the steps of the rounding, nothing can be saved. */
    if (large_mapping_size(MIB / 2 + os_page_size()) == MIB / 2 + os_page_size())
        skip();
    large_trim();
    /*
     * The chunk is too small to have headroom from the beginning. The first mapping is refused; one
     * of just as many pages as are needed is granted.
     */
    os_fail_after(1, false);
    char *chunk = large_alloc(MIB / 2 + 1, 1, &clean);
    os_fail_after(0, false);
    assert_non_null(chunk);
    assert_true(clean);
    assert_true(large_find((uintptr_t)chunk, &info));
    assert_int_equal(info.usable, MIB / 2 + os_page_size());
    assert_int_equal(pattern_first_nonzero(chunk, info.usable), info.usable);
    release(chunk);
    assert_int_equal(large_trim(), MIB / 2 + os_page_size());
}

static void test_alignment_up_to_a_gigabyte(void **state)
{
    (void)state;
    struct large_info info;

    for (size_t align = 16; align <= (size_t)1 << 30; align *= 2) {
        char *chunk = allocate(100000, align);

        assert_true(large_find((uintptr_t)chunk, &info) && info.live);
        release(chunk);
        large_trim();
        assert_false(large_find((uintptr_t)chunk, &info));
    }
}

static void test_impossible_sizes(void **state)
{
    (void)state;
    bool clean;

    assert_null(large_alloc(SIZE_MAX, 1, &clean));
    assert_null(large_alloc(SIZE_MAX - os_page_size(), 1, &clean));
    assert_null(large_alloc((size_t)1 << 62, 1, &clean));
    assert_null(large_alloc((size_t)1 << 62, (size_t)1 << 62, &clean));
    assert_null(large_alloc(PTRDIFF_MAX, (size_t)1 << 63, &clean));
    assert_null(large_alloc(16, (size_t)1 << 63, &clean));
    assert_null(large_alloc_growing(SIZE_MAX, &(bool){false}));
    assert_null(large_alloc_growing((size_t)1 << 62, &(bool){false}));
}

static void test_only_a_live_chunk_can_be_freed(void **state)
{
    (void)state;
    char *chunk = allocate(MIB, 1);
    uintptr_t address = (uintptr_t)chunk;
    struct large_info info;

    assert_int_equal(large_free(address + 16, true), LARGE_UNKNOWN);
    assert_int_equal(large_free(address + os_page_size(), true), LARGE_UNKNOWN);
    assert_int_equal(large_free(0, true), LARGE_UNKNOWN);
    release(chunk);
    assert_int_equal(large_free(address, true), LARGE_WAS_FREE);
    assert_true(large_find(address, &info) && !info.live);
    large_trim();
    assert_int_equal(large_free(address, true), LARGE_UNKNOWN);
    assert_true(large_find_gone(address, &info));
    assert_int_equal(info.requested, MIB);
}

static void test_a_chunk_is_found_from_inside(void **state)
{
    (void)state;
    char *chunk = allocate(MIB + 1, 1);
    struct large_info info;

    assert_true(large_find_around((uintptr_t)chunk + MIB, &info));
    assert_int_equal(info.start, (uintptr_t)chunk);
    assert_int_equal(info.requested, MIB + 1);
    assert_false(large_find_around((uintptr_t)&info, &info));
    release(chunk);
    assert_false(large_find_around((uintptr_t)chunk + MIB, &info));
    large_trim();
}

static void test_a_mapping_that_is_not_kept_is_unmapped_at_once(void **state)
{
    (void)state;
    size_t before = large_cached_bytes();
    char *chunk = allocate(MIB, 1);
    struct large_info info;

    assert_int_equal(large_free((uintptr_t)chunk, false), LARGE_FREED);
    assert_int_equal(large_cached_bytes(), before);
    assert_false(large_find((uintptr_t)chunk, &info));
}

struct seen {
    size_t live, cached, bytes;
};

static void see(void *context, const struct large_info *info)
{
    struct seen *seen = context;

    *(info->live ? &seen->live : &seen->cached) += 1;
    seen->bytes += info->live ? info->requested : 0;
}

static void test_a_walk_sees_live_and_cached_chunks(void **state)
{
    (void)state;
    char *chunks[20];
    struct seen before = {0}, seen = {0};

    large_trim();
    large_walk(see, &before);
    for (size_t n = 0; n < 20; n++)
        chunks[n] = allocate(300000 + n, 1);
    for (size_t n = 0; n < 20; n += 4)
        release(chunks[n]);
    large_walk(see, &seen);
    assert_int_equal(seen.live - before.live, 15);
    assert_int_equal(seen.cached - before.cached, 5);
    for (size_t n = 0; n < 20; n++)
        if (n % 4 != 0) {
            before.bytes += 300000 + n;
            release(chunks[n]);
        }
    assert_int_equal(seen.bytes, before.bytes);
    large_trim();
}

static void test_without_memory_for_the_mapping(void **state)
{
    (void)state;
    bool clean;

    large_trim();
    os_fail_after(1, true);
    assert_null(large_alloc(MIB, 1, &clean));
    assert_null(large_alloc(MIB, MIB, &clean));
    assert_null(large_alloc_growing(MIB, &(bool){false}));
    os_fail_after(0, false);
    release(allocate(MIB, 1));
}

static void test_a_single_failure_is_survived(void **state)
{
    (void)state;
    /* The cached mappings are unmapped, and that is enough for the request. */
    release(allocate(MIB, 1));
    bool clean;
    os_fail_after(1, false);
    char *chunk = large_alloc(3 * MIB, 1, &clean);
    os_fail_after(0, false);
    assert_non_null(chunk);
    assert_true(clean);
    release(chunk);
    large_trim();
}

static void test_without_a_descriptor_the_mapping_is_unmapped(void **state)
{
    (void)state;
    static char *chunks[5000];
    struct seen before = {0}, seen = {0};
    size_t count = 0;
    bool clean;

    large_trim();
    large_walk(see, &before);
    for (; count < 5000; count++) {
        /* The second call maps a block of descriptors, when one is needed. */
        os_fail_after(2, true);
        chunks[count] = large_alloc(os_page_size(), 1, &clean);
        os_fail_after(0, false);
        if (chunks[count] == NULL)
            break;
    }
    assert_true(count < 5000);
    large_walk(see, &seen);
    assert_int_equal(seen.live, before.live + count);
    chunks[count] = allocate(os_page_size(), 1);
    for (size_t n = 0; n <= count; n++)
        release(chunks[n]);
    large_trim();
    seen = (struct seen){0};
    large_walk(see, &seen);
    assert_int_equal(seen.live + seen.cached, before.live);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_requested_size_is_known_to_the_byte),
        cmocka_unit_test(test_mappings_are_rounded_up_by_at_most_an_eighth),
        cmocka_unit_test(test_a_chunk_may_use_all_of_its_mapping),
        cmocka_unit_test(test_a_refused_rounded_mapping_is_tried_unrounded),
        cmocka_unit_test(test_alignment_up_to_a_gigabyte),
        cmocka_unit_test(test_impossible_sizes),
        cmocka_unit_test(test_only_a_live_chunk_can_be_freed),
        cmocka_unit_test(test_a_chunk_is_found_from_inside),
        cmocka_unit_test(test_a_mapping_that_is_not_kept_is_unmapped_at_once),
        cmocka_unit_test(test_a_walk_sees_live_and_cached_chunks),
        cmocka_unit_test(test_without_memory_for_the_mapping),
        cmocka_unit_test(test_a_single_failure_is_survived),
        cmocka_unit_test(test_without_a_descriptor_the_mapping_is_unmapped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
