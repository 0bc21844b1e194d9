/*
 * Hardened mode (FT_MALLOC_HARDEN=1, from the environment): a byte written behind a chunk's end is
 * reported when the chunk is freed, whatever its zone and whoever frees it.
 */
#include "base/options.h"
#include "support/capture.h"
#include "support/prefixed.h"
#include "support/require.h"

#include <pthread.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <setjmp.h>

#include <cmocka.h>

static unsigned char *chunk;
static struct capture capture;

static void free_here(void)
{
    ft_free(chunk);
}

static void *free_in_thread(void *argument)
{
    (void)argument;
    ft_free(chunk);
    return NULL;
}

static void free_there(void)
{
    pthread_t thread;

    REQUIRE(pthread_create(&thread, NULL, free_in_thread, NULL) == 0, "pthread_create failed");
    pthread_join(thread, NULL);
}

static size_t resized_by;

static void resize_and_free(void)
{
    ft_free(ft_realloc(chunk, ft_malloc_usable_size(chunk) + resized_by));
}

static const char *message_of(void (*release)(void), size_t size, bool overflow)
{
    chunk = ft_malloc(size);
    assert_non_null(chunk);
    memset(chunk, 0x5A, size);
    if (overflow)
        chunk[size] ^= 0xFF;
    capture_call(&capture, release);
    return capture.text;
}

static void check(void (*release)(void))
{
    static const size_t sizes[] = {0, 1, 24, 32, 100, 900, 1000, 4096, 100000, 262143, 300001};

    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        assert_string_equal(message_of(release, sizes[i], false), "");
        /* An empty chunk may not be touched at all, so the write itself ends the process. */
        if (sizes[i] > 0)
            assert_non_null(strstr(message_of(release, sizes[i], true), "written past the end"));
    }
}

static void test_own_chunks(void **state)
{
    (void)state;
    check(free_here);
}

static void test_chunks_of_another_thread(void **state)
{
    (void)state;
    check(free_there);
}

static void test_resized_chunks(void **state)
{
    (void)state;
    for (resized_by = 1; resized_by < 1000000; resized_by *= 30)
        check(resize_and_free);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_own_chunks),
        cmocka_unit_test(test_chunks_of_another_thread),
        cmocka_unit_test(test_resized_chunks),
    };

    /* The first call reads the environment. */
    ft_free(ft_malloc(1));
    REQUIRE(options.harden, "run it with FT_MALLOC_HARDEN=1");
    options.report_only = true;
    capture_open(&capture, STDERR_FILENO);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
