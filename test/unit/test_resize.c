/*
 * Resizing LARGE chunks in place: into headroom, into free space behind the mapping, and back.
 */
#include "unit/resize.h"
#include "unit/unit.h"

#include "large/large.h"
#include "large/registry.h"
#include "os/os.h"
#include "support/pattern.h"
#include "support/require.h"

#include <sys/mman.h>
#include <sys/resource.h>

static void test_growing_in_place_through_the_headroom(void **state)
{
    (void)state;
    size_t size = MIB;
    char *chunk = large_alloc_growing(size, &(bool){false});

    assert_non_null(chunk);
    pattern_write(chunk, 0, size, 1);
    assert_true(descriptor(chunk).reserved >= 4 * MIB);
    for (; size < 4 * MIB; size += 100001) {
        assert_true(resize(chunk, size + 100001 > 4 * MIB ? 4 * MIB : size + 100001));
        assert_true(descriptor(chunk).requested > size);
        if (size == MIB)
            assert_int_equal(pattern_first_nonzero(chunk + size, 100001), 100001);
        pattern_write(chunk, 0, descriptor(chunk).requested, 1);
    }
    assert_int_equal(pattern_mismatch(chunk, 4 * MIB, 1), 4 * MIB);
    release_and_trim(chunk);
}

/* Grows the chunk to `size` by twentieths, and returns how many system calls that made. */
static uint64_t calls_to_grow_to(char *chunk, size_t size)
{
    struct os_counters before = os_counted();

    for (size_t each = descriptor(chunk).requested; each < size;) {
        each = each + each / 20 < size ? each + each / 20 : size;
        assert_true(resize(chunk, each));
        assert_int_equal(descriptor(chunk).requested, each);
    }
    return os_counted().mmap + os_counted().munmap - before.mmap - before.munmap;
}

static void test_growing_inside_what_is_mapped_changes_nothing(void **state)
{
    (void)state;
    bool clean;
    struct sizes sizes;
    char *chunk = large_alloc_growing(8 * MIB, &(bool){false});

    assert_non_null(chunk);
    assert_true(resize(chunk, 9 * MIB));
    sizes = descriptor(chunk);
    assert_true(sizes.reserved >= 64 * (size_t)MIB);
    assert_int_equal(calls_to_grow_to(chunk, sizes.mapped), 0);
    assert_int_equal(descriptor(chunk).mapped, sizes.mapped);
    assert_int_equal(descriptor(chunk).reserved, sizes.reserved);
    release_and_trim(chunk);
    /* A mapping from the cache, which is larger than necessary. */
    large_trim();
    learn(32 * MIB);
    chunk = large_alloc(8 * MIB, 1, &clean);
    assert_non_null(chunk);
    assert_int_equal(large_free((uintptr_t)chunk, true), LARGE_FREED);
    assert_ptr_equal(large_alloc(4 * MIB, 1, &clean), chunk);
    assert_int_equal(calls_to_grow_to(chunk, 8 * MIB), 0);
    assert_int_equal(descriptor(chunk).mapped, 8 * MIB);
    release_and_trim(chunk);
}

static void test_a_vector_keeps_its_headroom_while_it_grows(void **state)
{
    (void)state;
    char *chunk = large_alloc_growing(8 * MIB, &(bool){false});
    size_t reserved;

    assert_non_null(chunk);
    reserved = descriptor(chunk).reserved;
    /* Far fewer system calls than there are steps (a hundred). */
    assert_true(calls_to_grow_to(chunk, 1024 * (size_t)MIB) <= 50);
    assert_int_equal(descriptor(chunk).reserved, reserved);
    release_and_trim(chunk);
    assert_false(is_mapped(chunk + reserved - os_page_size()));
}

static void test_large_vectors_have_more_headroom(void **state)
{
    (void)state;
    char *chunk = large_alloc_growing(8 * MIB, &(bool){false});

    assert_non_null(chunk);
    assert_true(descriptor(chunk).reserved >= 64 * (size_t)MIB);
    assert_int_equal(descriptor(chunk).mapped, 8 * MIB);
    release_and_trim(chunk);
    assert_false(is_mapped(chunk + 16 * (size_t)MIB));
}

static void limited(void *argument)
{
    struct rlimit limit = {(rlim_t)1 << 60, RLIM_INFINITY};
    char *chunk;

    (void)argument;
    REQUIRE(setrlimit(RLIMIT_AS, &limit) == 0, "no limit");
    os_look_at_process();
    chunk = large_alloc_growing(MIB, &(bool){false});
    REQUIRE(chunk != NULL, "no memory");
    registry_lock();
    REQUIRE(registry_find((uintptr_t)chunk)->reserved == MIB, "headroom");
    registry_unlock();
}

static void test_no_headroom_under_a_limit_of_address_space(void **state)
{
    (void)state;
    assert_true(unit_child_succeeds(limited, NULL));
}

static void test_sizes_within_the_mapping(void **state)
{
    (void)state;
    bool clean;
    char *chunk = large_alloc(MIB, 1, &clean);
    struct os_counters before = os_counted();

    assert_non_null(chunk);
    for (size_t size = MIB - 5000; size <= MIB; size++) {
        assert_true(resize(chunk, size));
        assert_int_equal(descriptor(chunk).requested, size);
    }
    assert_int_equal(os_counted().mmap + os_counted().munmap, before.mmap + before.munmap);
    release_and_trim(chunk);
}

static void test_shrinking_inside_the_rounding_costs_nothing(void **state)
{
    (void)state;
    for (size_t size = 300000; size < 20 * MIB; size += size / 3) {
        bool clean;
        char *chunk = large_alloc(size, 1, &clean);
        struct os_counters before = os_counted();

        assert_non_null(chunk);
        size_t mapped = descriptor(chunk).mapped;
        assert_int_equal(mapped, large_mapping_size(round_up(size, os_page_size())));
        /*
         * Shrinks to the smallest size with the same rounded mapping, and grows to all of it again.
         */
        size_t least = round_up(mapped - mapped / 8, os_page_size());
        while (large_mapping_size(least) < mapped)
            least += os_page_size();
        for (size_t each = size; each > least - os_page_size(); each -= os_page_size() / 2) {
            assert_true(resize(chunk, each));
            assert_int_equal(descriptor(chunk).requested, each);
            assert_int_equal(descriptor(chunk).mapped, mapped);
        }
        for (size_t each = least; each <= mapped; each += os_page_size()) {
            assert_true(resize(chunk, each));
            assert_int_equal(descriptor(chunk).requested, each);
            assert_int_equal(descriptor(chunk).mapped, mapped);
        }
        assert_int_equal(os_counted().mmap + os_counted().munmap, before.mmap + before.munmap);
        release_and_trim(chunk);
    }
}

static void test_the_size_after_shrinking_is_rounded_up_too(void **state)
{
    (void)state;
    bool clean;
    char *chunk = large_alloc(8 * MIB, 1, &clean);
    struct os_counters before;

    assert_non_null(chunk);
    assert_true(resize(chunk, 5 * MIB + 1));
    assert_int_equal(descriptor(chunk).mapped, 5 * MIB + MIB / 2);
    assert_false(is_mapped(chunk + 5 * MIB + MIB / 2));
    before = os_counted();
    assert_true(resize(chunk, 5 * MIB + MIB / 2));
    assert_int_equal(os_counted().mmap, before.mmap);
    pattern_write(chunk, 0, 5 * MIB + MIB / 2, 1);
    release_and_trim(chunk);
}

static void test_shrinking_gives_the_pages_back(void **state)
{
    (void)state;
    bool clean;
    char *chunk = large_alloc(8 * MIB, 1, &clean);

    assert_non_null(chunk);
    pattern_write(chunk, 0, 8 * MIB, 2);
    for (size_t size = 7 * MIB; size >= MIB; size -= MIB) {
        assert_true(resize(chunk, size - 100));
        assert_int_equal(descriptor(chunk).mapped, size);
        assert_int_equal(descriptor(chunk).requested, size - 100);
        assert_true(is_mapped(chunk + size - os_page_size()));
        assert_false(is_mapped(chunk + size));
    }
    assert_int_equal(pattern_mismatch(chunk, MIB - 100, 2), MIB - 100);
    release_and_trim(chunk);
}

static void test_shrinking_takes_the_headroom_too(void **state)
{
    (void)state;
    char *chunk = large_alloc_growing(3 * MIB, &(bool){false});

    assert_non_null(chunk);
    assert_true(resize(chunk, MIB));
    assert_int_equal(descriptor(chunk).mapped, MIB);
    assert_int_equal(descriptor(chunk).reserved, MIB);
    assert_false(is_mapped(chunk + MIB));
    assert_false(is_mapped(chunk + 4 * MIB));
    release_and_trim(chunk);
}

static void test_growing_into_free_space_behind(void **state)
{
    (void)state;
    bool clean;
    char *chunk = large_alloc(4 * MIB, 1, &clean), *in_the_way;

    assert_non_null(chunk);
    assert_true(resize(chunk, 2 * MIB));
    pattern_write(chunk, 0, 2 * MIB, 3);
    assert_true(resize(chunk, 3 * MIB));
    assert_int_equal(descriptor(chunk).mapped, 3 * MIB);
    assert_int_equal(pattern_mismatch(chunk, 2 * MIB, 3), 2 * MIB);
    assert_int_equal(pattern_first_nonzero(chunk + 2 * MIB, MIB), MIB);
    /* The chunk must not grow over somebody else's mapping. */
    in_the_way = mmap(chunk + 3 * MIB + 8 * os_page_size(), os_page_size(), PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
    assert_ptr_equal(in_the_way, chunk + 3 * MIB + 8 * os_page_size());
    *in_the_way = 'x';
    assert_false(resize(chunk, 4 * MIB));
    assert_int_equal(descriptor(chunk).mapped, 3 * MIB);
    assert_int_equal(descriptor(chunk).requested, 3 * MIB);
    assert_int_equal(*in_the_way, 'x');
    assert_true(resize(chunk, 3 * MIB + 8 * os_page_size()));
    release_and_trim(chunk);
    assert_int_equal(*in_the_way, 'x');
    munmap(in_the_way, os_page_size());
}

static void test_wrong_pointers_and_impossible_sizes(void **state)
{
    (void)state;
    bool clean;
    char *chunk = large_alloc(MIB, 1, &clean);

    assert_non_null(chunk);
    assert_false(resize(chunk + os_page_size(), MIB));
    assert_false(resize(chunk, SIZE_MAX));
    assert_false(resize(chunk, (size_t)1 << 62));
    assert_int_equal(descriptor(chunk).requested, MIB);
    release_and_trim(chunk);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_growing_in_place_through_the_headroom),
        cmocka_unit_test(test_growing_inside_what_is_mapped_changes_nothing),
        cmocka_unit_test(test_a_vector_keeps_its_headroom_while_it_grows),
        cmocka_unit_test(test_large_vectors_have_more_headroom),
        cmocka_unit_test(test_no_headroom_under_a_limit_of_address_space),
        cmocka_unit_test(test_sizes_within_the_mapping),
        cmocka_unit_test(test_shrinking_inside_the_rounding_costs_nothing),
        cmocka_unit_test(test_the_size_after_shrinking_is_rounded_up_too),
        cmocka_unit_test(test_shrinking_gives_the_pages_back),
        cmocka_unit_test(test_shrinking_takes_the_headroom_too),
        cmocka_unit_test(test_growing_into_free_space_behind),
        cmocka_unit_test(test_wrong_pointers_and_impossible_sizes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
