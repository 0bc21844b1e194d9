/*
 * Moving very large chunks: what was written arrives, what was not written stays untouched, and
 * both chunks together take hardly more memory than one of them.
 */
#include "unit/unit.h"

#include "large/large.h"
#include "large/registry.h"
#include "os/os.h"
#include "support/page.h"
#include "support/pattern.h"
#include "support/prefixed.h"
#include "support/sanitized.h"

#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>

enum { MIB = 1 << 20, SIZE = 96 * MIB, EVERY = 4 * MIB };

static size_t resident_pages(char *memory, size_t size)
{
    static unsigned char pages[(size_t)SIZE * 2 / 4096];
    size_t count = size / page_size(), sum = 0;

    assert_int_equal(mincore(memory, size, pages), 0);
    for (size_t n = 0; n < count; n++)
        sum += pages[n] & 1;
    return sum;
}

static char *allocate(size_t size)
{
    bool clean;
    char *chunk = large_alloc(size, 1, &clean);

    assert_non_null(chunk);
    assert_true(clean);
    return chunk;
}

static void write_some(char *chunk)
{
    for (size_t at = 0; at < SIZE; at += EVERY)
        chunk[at + page_size() - 1] = (char)(at / EVERY + 1);
}

static void require_some(const char *chunk)
{
    for (size_t at = 0; at < SIZE; at += EVERY)
        assert_int_equal(chunk[at + page_size() - 1], (char)(at / EVERY + 1));
}

static void test_only_what_was_written_is_copied(void **state)
{
    (void)state;
    char *from = allocate(SIZE), *to = allocate((size_t)SIZE * 2);
    struct large_info info;

    write_some(from);
    assert_true(large_move((uintptr_t)from, to));
    assert_false(large_find((uintptr_t)from, &info));
    assert_int_equal(resident_pages(to, SIZE), SIZE / EVERY);
    require_some(to);
    assert_int_equal(large_free((uintptr_t)to, false), LARGE_FREED);
}

/*
 * Refuses each system call for memory in turn. Nothing is lost, and what could not be unmapped
 * waits in the cache.
 */
static void test_the_kernel_refuses_every_unmapping(void **state)
{
    (void)state;
    for (unsigned refused = 1; refused <= 8; refused++) {
        char *from = allocate(SIZE), *to = allocate((size_t)SIZE * 2);

        write_some(from);
        os_fail_after(refused, true);
        assert_true(large_move((uintptr_t)from, to));
        os_fail_after(0, false);
        require_some(to);
        assert_int_equal(large_free((uintptr_t)to, false), LARGE_FREED);
        large_trim();
        assert_int_equal(large_cached_bytes(), 0);
    }
}

static void test_only_a_live_chunk_is_moved(void **state)
{
    (void)state;
    char *from = allocate(SIZE), *to = allocate(SIZE);

    assert_false(large_move((uintptr_t)from + page_size(), to));
    assert_int_equal(large_free((uintptr_t)from, false), LARGE_FREED);
    assert_false(large_move((uintptr_t)from, to));
    assert_int_equal(large_free((uintptr_t)to, false), LARGE_FREED);
}

static long peak_kib(void)
{
    struct rusage usage;

    assert_int_equal(getrusage(RUSAGE_SELF, &usage), 0);
    return usage.ru_maxrss;
}

/* The move happens in realloc, beyond all headroom that the chunk has. */
static void test_realloc_takes_little_more_than_the_chunk(void **state)
{
    (void)state;
    enum { LARGER = 192 * MIB };
    char *chunk, *moved;
    long peak;

    /* What the sanitizers record about each access is resident memory, too. */
    if (sanitized)
        skip();
    chunk = ft_malloc(LARGER);
    assert_non_null(chunk);
    memset(chunk, 'x', LARGER);
    peak = peak_kib();
    moved = ft_realloc(chunk, (size_t)LARGER * 9);
    assert_non_null(moved);
    assert_ptr_not_equal(moved, chunk);
    assert_int_equal(moved[0] + moved[LARGER - 1], 'x' * 2);
    assert_true(peak_kib() < peak + 64 * 1024);
    ft_free(moved);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_only_what_was_written_is_copied),
        cmocka_unit_test(test_the_kernel_refuses_every_unmapping),
        cmocka_unit_test(test_only_a_live_chunk_is_moved),
        cmocka_unit_test(test_realloc_takes_little_more_than_the_chunk),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
