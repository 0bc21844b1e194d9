/*
 * The kernel calls: what they promise, that they keep errno, and the faults that tests inject.
 */
#include "unit/unit.h"

#include "os/os.h"
#include "support/page.h"
#include "support/pattern.h"
#include "support/require.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { MIB = 1 << 20 };

static bool is_mapped(const char *address)
{
    unsigned char resident;

    return mincore((void *)(uintptr_t)address, 1, &resident) == 0 || errno != ENOMEM;
}

static void test_the_page(void **state)
{
    (void)state;
    assert_int_equal(os_page_size(), page_size());
    assert_true(os_page_size() >= OS_PAGE);
    assert_true(os_processors() >= 1);
}

static void test_rounding(void **state)
{
    (void)state;
    assert_int_equal(round_up(0, 16), 0);
    assert_int_equal(round_up(1, 16), 16);
    assert_int_equal(round_up(16, 16), 16);
    assert_int_equal(round_up(OS_PAGE + 1, OS_PAGE), 2 * OS_PAGE);
}

static void test_mappings_are_zero_and_can_be_unmapped(void **state)
{
    (void)state;
    char *memory = os_map(MIB);

    assert_non_null(memory);
    assert_int_equal(pattern_first_nonzero(memory, MIB), MIB);
    memset(memory, 1, MIB);
    assert_true(os_unmap(memory, MIB));
    assert_false(is_mapped(memory));
    errno = 0;
    assert_null(os_map((size_t)1 << 62));
    assert_int_equal(errno, 0);
}

static void test_aligned_mappings_leave_nothing_over(void **state)
{
    (void)state;
    for (size_t align = os_page_size(); align <= 256 * (size_t)MIB; align *= 4) {
        char *memory = os_map_aligned(3 * os_page_size(), align);

        assert_non_null(memory);
        assert_int_equal((uintptr_t)memory % align, 0);
        memset(memory, 1, 3 * os_page_size());
        assert_true(os_unmap(memory, 3 * os_page_size()));
    }
    assert_null(os_map_aligned(SIZE_MAX - os_page_size() + 1, MIB));
    assert_null(os_map_aligned((size_t)1 << 62, (size_t)1 << 62));
}

static void test_only_holes_are_filled(void **state)
{
    (void)state;
    size_t page = os_page_size();
    char *memory = os_map(3 * page);

    assert_non_null(memory);
    memset(memory, 1, 3 * page);
    os_fill_hole(memory + page, page);
    assert_int_equal(memory[page], 1);
    memory[page] = 2;
    assert_true(os_unmap(memory + page, page));
    os_fill_hole(memory + page, page);
    assert_int_equal(pattern_first_nonzero(memory + page, page), page);
    assert_true(unit_protected_so((uintptr_t)memory + page, (uintptr_t)memory + 2 * page, "r--p"));
    assert_true(os_unmap(memory, 3 * page));
}

static void test_mapping_at_an_address(void **state)
{
    (void)state;
    char *memory = os_map(4 * os_page_size());

    assert_non_null(memory);
    memset(memory, 1, 4 * os_page_size());
    assert_true(os_unmap(memory + os_page_size(), 2 * os_page_size()));
    assert_false(os_map_at(memory, 2 * os_page_size()));
    assert_false(os_map_at(memory + os_page_size(), 3 * os_page_size()));
    assert_int_equal(memory[3 * os_page_size()], 1);
    assert_false(is_mapped(memory + os_page_size()));
    assert_true(os_map_at(memory + os_page_size(), 2 * os_page_size()));
    assert_int_equal(pattern_first_nonzero(memory + os_page_size(), 2 * os_page_size()),
                     2 * os_page_size());
    os_unmap(memory, 4 * os_page_size());
}

static void read_first(void *argument)
{
    (void)*(volatile char *)argument;
}

static void test_reserved_space_is_committed_piece_by_piece(void **state)
{
    (void)state;
    char *space = os_reserve((size_t)1 << 36);
    struct unit_end end;

    assert_non_null(space);
    assert_true(os_renew(space + MIB, MIB));
    assert_int_equal(pattern_first_nonzero(space + MIB, MIB), MIB);
    memset(space + MIB, 1, MIB);
    assert_true(os_renew(space + MIB + os_page_size(), os_page_size()));
    assert_int_equal(space[MIB + os_page_size() - 1], 1);
    assert_int_equal(pattern_first_nonzero(space + MIB + os_page_size(), os_page_size()),
                     os_page_size());
    assert_int_equal(space[MIB + 2 * os_page_size()], 1);
    /* Reserved address space that was not committed must not be touched. */
    unit_in_child(read_first, space, &end);
    assert_int_not_equal(end.exit_code, 0);
    assert_true(os_unmap(space, (size_t)1 << 36));
}

static void test_errno_is_kept(void **state)
{
    (void)state;
    int closed = dup(1);

    close(closed);
    errno = 12345;
    assert_null(os_map(SIZE_MAX - os_page_size() + 1));
    assert_null(os_reserve(SIZE_MAX - os_page_size() + 1));
    assert_false(os_unmap((void *)1, os_page_size())); // NOLINT: not a page
    os_write(closed, "text", 4);
    assert_true(os_processors() > 0);
    assert_true(os_memory_limit() > 0);
    assert_int_equal(errno, 12345);
}

static void test_calls_are_counted(void **state)
{
    (void)state;
    struct os_counters before = os_counted();
    char *memory = os_map(os_page_size());

    assert_non_null(memory);
    assert_true(os_renew(memory, os_page_size()));
    assert_true(os_unmap(memory, os_page_size()));
    assert_int_equal(os_counted().mmap, before.mmap + 2);
    assert_int_equal(os_counted().munmap, before.munmap + 1);
}

static void test_one_call_fails(void **state)
{
    (void)state;
    char *memory[4];

    os_fail_after(3, false);
    for (unsigned n = 0; n < 4; n++)
        memory[n] = os_map(os_page_size());
    assert_true(memory[0] != NULL && memory[1] != NULL && memory[2] == NULL && memory[3] != NULL);
    os_fail_after(1, false);
    assert_false(os_unmap(memory[0], os_page_size()));
    assert_true(is_mapped(memory[0]));
    for (unsigned n = 0; n < 4; n++)
        assert_true(n == 2 || os_unmap(memory[n], os_page_size()));
}

static void test_all_calls_fail_from_one_on(void **state)
{
    (void)state;
    char *memory;

    os_fail_after(2, true);
    memory = os_map(os_page_size());
    assert_non_null(memory);
    for (unsigned n = 0; n < 10; n++)
        assert_true(os_map(os_page_size()) == NULL && !os_unmap(memory, os_page_size()) &&
                    !os_renew(memory, os_page_size()));
    os_fail_after(0, false);
    assert_true(os_unmap(memory, os_page_size()));
}

static void *read_slowly(void *argument)
{
    static char buffer[1000];
    size_t total = 0;
    ssize_t got;

    while ((got = read(*(int *)argument, buffer, sizeof buffer)) > 0)
        total += (size_t)got;
    return (void *)total; // NOLINT: a number
}

static void test_all_of_a_text_is_written(void **state)
{
    (void)state;
    static char text[MIB];
    pthread_t thread;
    int ends[2];
    void *total;

    assert_int_equal(pipe(ends), 0);
    assert_int_equal(pthread_create(&thread, NULL, read_slowly, &ends[0]), 0);
    /* More than the pipe holds. */
    os_write(ends[1], text, sizeof text);
    close(ends[1]);
    assert_int_equal(pthread_join(thread, &total), 0);
    assert_int_equal((size_t)total, sizeof text);
    close(ends[0]);
}

static void abort_with(void *argument)
{
    sigset_t all;

    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, NULL);
    if (*(bool *)argument)
        (void)signal(SIGABRT, SIG_IGN);
    os_abort();
}

static void test_abort_ends_the_process_whatever_it_does_with_signals(void **state)
{
    (void)state;
    struct unit_end end;
    bool ignored = false;

    unit_in_child(abort_with, &ignored, &end);
    assert_int_equal(end.signal, SIGABRT);
    ignored = true;
    unit_in_child(abort_with, &ignored, &end);
    assert_int_not_equal(end.signal, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_page),
        cmocka_unit_test(test_rounding),
        cmocka_unit_test(test_mappings_are_zero_and_can_be_unmapped),
        cmocka_unit_test(test_aligned_mappings_leave_nothing_over),
        cmocka_unit_test(test_only_holes_are_filled),
        cmocka_unit_test(test_mapping_at_an_address),
        cmocka_unit_test(test_reserved_space_is_committed_piece_by_piece),
        cmocka_unit_test(test_errno_is_kept),
        cmocka_unit_test(test_calls_are_counted),
        cmocka_unit_test(test_one_call_fails),
        cmocka_unit_test(test_all_calls_fail_from_one_on),
        cmocka_unit_test(test_all_of_a_text_is_written),
        cmocka_unit_test(test_abort_ends_the_process_whatever_it_does_with_signals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
