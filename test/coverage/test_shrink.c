/*
 * realloc to a smaller size when there is no memory for a smaller chunk: it succeeds, the chunk
 * stays where it is, and afterwards every caller sees the new size.
 */
#include "api/api.h"
#include "base/options.h"
#include "os/os.h"
#include "support/capture.h"
#include "support/pattern.h"
#include "support/prefixed.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <setjmp.h>

#include <cmocka.h>

enum { BEFORE = 400, AFTER = 8 };

static void *shrunk;

static void free_shrunk(void)
{
    ft_free_sized(shrunk, AFTER);
}

/* A list of all chunks of the smallest class that the process can get. */
static void *exhaust(void)
{
    void *list = NULL, **chunk;

    os_fail_after(1, true);
    while ((chunk = ft_malloc(AFTER)) != NULL) {
        *chunk = list;
        list = (void *)chunk;
    }
    return list;
}

static void release(void *list)
{
    os_fail_after(0, false);
    while (list != NULL) {
        void *next = *(void **)list;

        ft_free(list);
        list = next;
    }
}

static void test_sized_free_after_shrinking_without_memory(void **state)
{
    struct capture capture;
    void *list, *before = ft_malloc(BEFORE);

    (void)state;
    assert_non_null(before);
    pattern_write(before, 0, BEFORE, 1);
    list = exhaust();
    shrunk = ft_realloc(before, AFTER);
    release(list);
    assert_ptr_equal(shrunk, before);
    assert_int_equal(pattern_mismatch(shrunk, AFTER, 1), AFTER);

    capture_open(&capture, STDERR_FILENO);
    capture_call(&capture, free_shrunk);
    assert_string_equal(capture.text, "");
    capture_close(&capture);
}

static void test_shrinking_keeps_every_size(void **state)
{
    (void)state;
    for (size_t size = BEFORE; size > 0; size -= 7) {
        void *list, *chunk = ft_malloc(BEFORE);

        pattern_write(chunk, 0, BEFORE, size);
        list = exhaust();
        chunk = ft_realloc(chunk, size);
        release(list);
        assert_non_null(chunk);
        assert_int_equal(pattern_mismatch(chunk, size, size), size);
        assert_true(ft_malloc_usable_size(chunk) >= size);
        ft_free(chunk);
        if (size < 8)
            break;
    }
}

int main(void)
{
    /* If there is a report, the test goes on to print it. */
    options.report_only = true;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sized_free_after_shrinking_without_memory),
        cmocka_unit_test(test_shrinking_keeps_every_size),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
