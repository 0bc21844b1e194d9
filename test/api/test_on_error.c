/*
 * ft_malloc_on_error(): what the handler is told, when it is called, and how it may end. Each case
 * runs in a child process, whose standard error the test reads.
 */
#include "unit/unit.h"

#include "base/options.h"
#include "ft_malloc.h"
#include "support/prefixed.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MESSAGE = 512 };

/* What the handler saw last, and how often it was called. */
static struct ft_malloc_error seen;
static char seen_message[MESSAGE], seen_function[MESSAGE];
static unsigned calls;
static jmp_buf landing;

static void remember(const struct ft_malloc_error *error)
{
    seen = *error;
    strncpy(seen_message, error->message, MESSAGE - 1);
    strncpy(seen_function, error->function != NULL ? error->function : "none", MESSAGE - 1);
    calls++;
}

static void call(void *body)
{
    (*(void (**)(void))body)();
}

static struct unit_end run(void (*body)(void))
{
    struct unit_end end;

    unit_in_child(call, (void *)&body, &end);
    return end;
}

/* In the child, where cmocka must not continue. */
static void require(bool condition, int code)
{
    if (!condition)
        _exit(code);
}

/* Volatile, so that the compiler does not see the misuse. */
static void *volatile victim;

static void free_twice(size_t size)
{
    victim = ft_malloc(size);
    ft_free(victim);
    ft_free(victim);
}

static void exit_if_double_free(const struct ft_malloc_error *error)
{
    remember(error);
    require(seen.size == sizeof seen, 2);
    require(seen.kind == FT_MALLOC_DOUBLE_FREE, 3);
    require(seen.may_allocate != 0, 4);
    require(strcmp(seen_function, "free()") == 0, 5);
    require(seen.pointer == victim, 6);
    require(write(STDERR_FILENO, seen_message, strlen(seen_message)) > 0, 7);
    ft_free(ft_malloc(1000)); /* as may_allocate says */
    _exit(42);
}

static void double_free_of_tiny(void)
{
    ft_malloc_on_error(exit_if_double_free);
    free_twice(42);
}

static void double_free_of_large(void)
{
    ft_malloc_on_error(exit_if_double_free);
    free_twice(1 << 20);
}

/* The handler writes the message after the library wrote the line: they must be the same. */
static void check_fields(void (*body)(void))
{
    struct unit_end end = run(body);
    char *second;

    assert_int_equal(end.exit_code, 42);
    second = strchr(end.err, '\n');
    assert_non_null(second);
    *second++ = '\0';
    assert_string_equal(end.err, second);
    assert_non_null(strstr(end.err, "ft_malloc: free(): double free of 0x"));
}

static void test_handler_is_told_what_the_line_says(void **state)
{
    (void)state;
    check_fields(double_free_of_tiny);
    check_fields(double_free_of_large);
}

static void return_from_handler(void)
{
    ft_malloc_on_error(remember);
    free_twice(42);
}

static void test_process_ends_when_the_handler_returns(void **state)
{
    (void)state;
    assert_int_equal(run(return_from_handler).signal, SIGABRT);
}

static void spoil_errno(const struct ft_malloc_error *error)
{
    remember(error);
    errno = EDOM;
}

static void go_on_in_report_mode(void)
{
    char *chunk = ft_malloc(100);
    int local;

    options.report_only = true;
    ft_malloc_on_error(spoil_errno);
    errno = EILSEQ;
    free_twice(42);
    require(calls == 1 && errno == EILSEQ, 2);
    victim = chunk + 16;
    ft_free(victim);
    require(calls == 2 && seen.kind == FT_MALLOC_INVALID_POINTER && seen.pointer == victim, 3);
    victim = &local;
    require(ft_realloc(victim, 10) == NULL && calls == 3, 4);
    require(strcmp(seen_function, "realloc()") == 0, 5);
    ft_malloc_on_error(NULL);
    ft_free(chunk);
    victim = chunk;
    ft_free(victim);
    require(calls == 3, 6);
}

static void wrong_sizes(void)
{
    options.on_wrong_size = WRONG_SIZE_REPORT;
    ft_malloc_on_error(remember);
    victim = ft_malloc(42);
    ft_free_sized(victim, 43);
    require(calls == 1 && seen.kind == FT_MALLOC_WRONG_SIZE && seen.may_allocate, 2);
    require(seen.pointer == victim && strcmp(seen_function, "free_sized()") == 0, 3);
    victim = ft_malloc(42);
    ft_free_aligned_sized(victim, 3, 42);
    require(calls == 2 && seen.kind == FT_MALLOC_WRONG_ALIGNMENT, 4);
    options.on_wrong_size = WRONG_SIZE_IGNORE;
    victim = ft_malloc(42);
    ft_free_sized(victim, 43);
    require(calls == 2, 5);
}

static void leave(const struct ft_malloc_error *error)
{
    remember(error);
    ft_malloc_on_error(leave);
    longjmp(landing, 1);
}

/* Twice, so that the second report shows that leaving did not silence the handler. */
static void leave_by_longjmp(void)
{
    static const size_t sizes[] = {42, 3000, 1 << 20};

    ft_malloc_on_error(leave);
    for (volatile unsigned n = 0; n < 6; n++) {
        if (setjmp(landing) == 0) {
            free_twice(sizes[n / 2]);
            _exit(2);
        }
        require(calls == n + 1, 3);
        ft_free(ft_malloc(sizes[n / 2]));
        ft_free(ft_malloc(100));
    }
}

static void misuse_again(const struct ft_malloc_error *error)
{
    remember(error);
    require(calls == 1, 2);
    free_twice(42);
}

static void nested_in_report_mode(void)
{
    options.report_only = true;
    ft_malloc_on_error(misuse_again);
    free_twice(3000);
    require(calls == 1, 3);
    ft_malloc_on_error(remember);
    free_twice(3000);
    require(calls == 2, 4);
}

static void nested(void)
{
    ft_malloc_on_error(misuse_again);
    free_twice(3000);
}

static void overflow(void)
{
    char *chunk = ft_malloc(40);

    options.report_only = true;
    ft_malloc_on_error(remember);
    ((volatile char *)chunk)[40] ^= 1;
    ft_free(chunk);
    require(calls == 1 && seen.kind == FT_MALLOC_OVERFLOW && !seen.may_allocate, 2);
    require(seen.pointer == chunk && strcmp(seen_function, "free()") == 0, 3);
}

static void check_exit(void (*body)(void))
{
    assert_int_equal(run(body).exit_code, 0);
}

static void test_calls_go_on_in_report_mode(void **state)
{
    (void)state;
    check_exit(go_on_in_report_mode);
}

static void test_wrong_sizes_that_are_told_call_the_handler(void **state)
{
    (void)state;
    check_exit(wrong_sizes);
}

static void test_handler_may_leave_a_double_free(void **state)
{
    (void)state;
    check_exit(leave_by_longjmp);
}

static void test_misuse_in_the_handler_does_not_call_it_again(void **state)
{
    struct unit_end end;

    (void)state;
    check_exit(nested_in_report_mode);
    end = run(nested);
    assert_int_equal(end.signal, SIGABRT);
    assert_non_null(strchr(end.err, '\n'));
    assert_non_null(strstr(strchr(end.err, '\n') + 1, "double free of"));
}

static void test_overflow_forbids_the_handler_to_allocate(void **state)
{
    const char *harden = getenv("FT_MALLOC_HARDEN");

    (void)state;
    if (harden == NULL || strcmp(harden, "1") != 0)
        skip(); /* only the hardened mode has canaries */
    check_exit(overflow);
}

static void test_former_handler_is_returned(void **state)
{
    (void)state;
    assert_null(ft_malloc_on_error(remember));
    assert_true(ft_malloc_on_error(leave) == remember);
    assert_true(ft_malloc_on_error(NULL) == leave);
    assert_null(ft_malloc_on_error(NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_handler_is_told_what_the_line_says),
        cmocka_unit_test(test_process_ends_when_the_handler_returns),
        cmocka_unit_test(test_calls_go_on_in_report_mode),
        cmocka_unit_test(test_wrong_sizes_that_are_told_call_the_handler),
        cmocka_unit_test(test_handler_may_leave_a_double_free),
        cmocka_unit_test(test_misuse_in_the_handler_does_not_call_it_again),
        cmocka_unit_test(test_overflow_forbids_the_handler_to_allocate),
        cmocka_unit_test(test_former_handler_is_returned),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
