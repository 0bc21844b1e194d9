/*
 * Resizing LARGE chunks where the kernel refuses a call, and the order in which a chunk shrinks.
 */
#include "unit/resize.h"
#include "unit/unit.h"

#include "large/large.h"
#include "os/os.h"
#include "support/pattern.h"

static void test_headroom_that_cannot_be_committed(void **state)
{
    (void)state;
    char *chunk = large_alloc_growing(MIB, &(bool){false});

    assert_non_null(chunk);
    size_t reserved = descriptor(chunk).reserved;
    pattern_write(chunk, 0, MIB, 4);
    os_fail_after(1, false);
    assert_false(resize(chunk, 2 * MIB));
    os_fail_after(0, false);
    assert_int_equal(descriptor(chunk).requested, MIB);
    assert_int_equal(descriptor(chunk).mapped, MIB);
    assert_int_equal(pattern_mismatch(chunk, MIB, 4), MIB);
    /*
     * The part that was to be committed may be a hole. What is behind it was reserved for the chunk
     * and must be unmapped.
     */
    assert_false(is_mapped(chunk + reserved - os_page_size()));
    release_and_trim(chunk);
}

static void test_the_kernel_refuses_to_unmap_the_rest(void **state)
{
    (void)state;
    bool clean;
    char *chunk = large_alloc(4 * MIB, 1, &clean);

    assert_non_null(chunk);
    os_fail_after(1, false);
    assert_true(resize(chunk, MIB));
    os_fail_after(0, false);
    assert_int_equal(descriptor(chunk).mapped, 4 * MIB);
    assert_int_equal(descriptor(chunk).requested, MIB);
    release_and_trim(chunk);
    assert_false(is_mapped(chunk + 3 * MIB));
}

static void test_kept_headroom_is_unmapped_with_the_chunk(void **state)
{
    (void)state;
    char *chunk = large_alloc_growing(MIB, &(bool){false});

    assert_non_null(chunk);
    size_t reserved = descriptor(chunk).reserved;
    os_fail_after(1, false);
    assert_int_equal(large_free((uintptr_t)chunk, true), LARGE_FREED);
    os_fail_after(0, false);
    large_trim();
    assert_false(is_mapped(chunk));
    assert_false(is_mapped(chunk + reserved - os_page_size()));
}

static const char *shrinking;
static size_t requested_when_unmapped;

/* The linker creates these names. */
int __real_munmap(void *address, size_t size); // NOLINT
int __wrap_munmap(void *address, size_t size); // NOLINT

int __wrap_munmap(void *address, size_t size) // NOLINT
{
    if (shrinking != NULL)
        requested_when_unmapped = descriptor(shrinking).requested;
    return __real_munmap(address, size);
}

/* From then on the chunk's old end may be another thread's chunk. A listing must not show both. */
static void test_the_size_shrinks_before_the_pages_are_unmapped(void **state)
{
    (void)state;
    bool clean;
    char *chunk = large_alloc(10 * MIB, 1, &clean);

    assert_non_null(chunk);
    shrinking = chunk;
    assert_true(resize(chunk, 3 * MIB));
    shrinking = NULL;
    assert_int_equal(requested_when_unmapped, 3 * MIB);
    release_and_trim(chunk);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_headroom_that_cannot_be_committed),
        cmocka_unit_test(test_the_kernel_refuses_to_unmap_the_rest),
        cmocka_unit_test(test_kept_headroom_is_unmapped_with_the_chunk),
        cmocka_unit_test(test_the_size_shrinks_before_the_pages_are_unmapped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
