/*
 * show_alloc_mem_ex() and ft_malloc_show_ex(): the listing with who allocated each chunk, its
 * bytes, and the history; also while other threads free what is shown. Each test runs in a child,
 * because it switches a mode on.
 */
#include "unit/unit.h"

#include "arena/thread.h"
#include "base/modes.h"
#include "debug/guard.h"
#include "debug/history.h"
#include "os/os.h"
#include "support/capture.h"
#include "support/prefixed.h"
#include "support/require.h"
#include "support/rng.h"
#include "support/sanitized.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { THREADS = 2, HELD = 24, ROUNDS = 25 };

static void run(void (*body)(void *argument))
{
    assert_true(unit_child_succeeds(body, NULL));
}

/* Called before anything is allocated. */
static void begin(unsigned modes)
{
    thread_runtime_init(NULL);
    REQUIRE((modes & MODE_HISTORY) == 0 || history_begin(100, 4), "no history");
    REQUIRE((modes & MODE_GUARD) == 0 || guard_begin(2, 42), "no guard");
    atomic_store(&modes_on, modes);
}

static void show_plain(void)
{
    show_alloc_mem_ex(0);
}

static void show_bytes(void)
{
    show_alloc_mem_ex(FT_MALLOC_SHOW_BYTES);
}

static struct capture capture;

static const char *shown(void (*function)(void))
{
    if (capture.text == NULL)
        capture_open(&capture, STDOUT_FILENO);
    capture_call(&capture, function);
    return capture.text;
}

/* Returns what follows the line, which must be there. */
static const char *line(const char *text, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static const char *line(const char *text, const char *format, ...)
{
    char expected[256];
    const char *found;
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(expected, sizeof expected, format, arguments);
    va_end(arguments);
    found = strstr(text, expected);
    REQUIRE(found != NULL, "no \"%s\" in\n%s", expected, text);
    return found + strlen(expected);
}

static void show_history(void *unused)
{
    unsigned thread = (unsigned)gettid();
    const char *text;
    char *a, *b;
    (void)unused;

    begin(MODE_HISTORY);
    a = ft_malloc(42);
    b = ft_calloc(3, 1000);
    ft_free(ft_malloc(7));
    a = ft_realloc(a, 5000);
    text = line(shown(show_plain), "0x%lX - 0x%lX : 3000 bytes\n    ", (unsigned long)b,
                (unsigned long)b + 3000);
    REQUIRE(strncmp(strchr(text, ' '), " seconds old, thread", 20) == 0, "no age: %s", text);
    line(text, " %u\n    #0 0x", thread);
    text = strstr(capture.text, "Total : 8000 bytes\n");
    REQUIRE(text != NULL, "no total");
    text = line(text, "History : 5 calls\n1 : ");
    text = line(text, "thread %u : malloc(42) = 0x", thread);
    text = line(text, "calloc(3000) = 0x%lX\n    #0 0x", (unsigned long)b);
    text = line(text, "malloc(7) = 0x");
    text = line(text, "free(0x");
    text = line(text, "realloc(0x");
    text = line(text, ", 5000) = 0x%lX\n    #0 0x", (unsigned long)a);
    REQUIRE(strstr(text, " : ") == NULL, "more calls");
}

static void test_the_history(void **state)
{
    (void)state;
    run(show_history);
}

static void show_contents(void *unused)
{
    const char *text;
    char *chunk;
    (void)unused;

    begin(0);
    chunk = ft_malloc(20);
    memcpy(chunk, "Hello\0\1\xff 0123456789", 20);
    text = line(shown(show_bytes), "0x%lX - 0x%lX : 20 bytes\n", (unsigned long)chunk,
                (unsigned long)chunk + 20);
    text = line(text,
                "    0x%lX : 48 65 6C 6C 6F 00 01 FF 20 30 31 32 33 34 35 36 : Hello... 0123456\n",
                (unsigned long)chunk);
    text = line(text, "    0x%lX : 37 38 39 00                                     : 789.\n",
                (unsigned long)chunk + 16);
    REQUIRE(strncmp(text, "Total : 20 bytes\n", 17) == 0, "more: %s", text);
    REQUIRE(strstr(shown(show_plain), "48 65") == NULL, "bytes that nobody asked for");
}

static void test_bytes(void **state)
{
    (void)state;
    run(show_contents);
}

/* Every byte of large chunks and of guarded ones. */
static void show_all_contents(void *unused)
{
    static const size_t sizes[] = {0, 1, 1023, 1024, 1025, 300000, 700001};
    size_t total = 0, bytes = 0;
    (void)unused;

    begin(MODE_GUARD);
    for (unsigned n = 0; n < 14; n++) {
        size_t size = sizes[n % 7];

        memset(ft_malloc(size), 'x', size);
        total += size;
    }
    for (const char *at = shown(show_bytes); *at != '\0'; at++)
        bytes += at[0] == ' ' && at[1] == '7' && at[2] == '8' && at[3] == ' ';
    REQUIRE(bytes == total, "%zu bytes of %zu", bytes, total);
}

static void test_bytes_of_all_kinds(void **state)
{
    (void)state;
    run(show_all_contents);
}

static void refuse(void *unused)
{
    (void)unused;
    begin(MODE_HISTORY);
    REQUIRE(ft_malloc(10) != NULL, "no memory");
    errno = 0;
    REQUIRE(ft_malloc_show_ex(STDERR_FILENO, 2) == -1 && errno == EINVAL, "an unknown flag");
    REQUIRE(ft_malloc_show_ex(-1, 0) == -1 && errno == EBADF, "no descriptor");
    os_fail_after(1, false);
    REQUIRE(ft_malloc_show_ex(STDERR_FILENO, 0) == -1 && errno == ENOMEM, "no memory");
    REQUIRE(ft_malloc_show_ex(STDERR_FILENO, 0) == 0, "an error");
}

static void test_errors(void **state)
{
    struct unit_end end;

    (void)state;
    unit_in_child(refuse, NULL, &end);
    assert_int_equal(end.exit_code, 0);
    assert_non_null(strstr(end.err, "ft_malloc_show_ex(): no memory for the whole list\n"));
}

static atomic_bool stop;

static void *live_on(void *number)
{
    struct rng rng = rng_stream(11, (uintptr_t)number);
    char *held[HELD] = {NULL};

    while (!atomic_load(&stop)) {
        size_t i = rng_below(&rng, HELD);
        size_t size = rng_below(&rng, 4) == 0 ? rng_below(&rng, 700000) : rng_below(&rng, 5000);

        if (rng_below(&rng, 2) == 0) {
            held[i] = ft_realloc(held[i], size + 1);
        } else {
            ft_free(held[i]);
            held[i] = ft_malloc(size);
        }
        if (size > 0)
            held[i][size / 2] = 'x';
    }
    for (size_t i = 0; i < HELD; i++)
        ft_free(held[i]);
    return NULL;
}

/* A chunk that is shown may be freed, moved or made smaller at any moment. */
static void show_while_threads_free(void *modes)
{
    pthread_t threads[THREADS];

    begin((unsigned)(uintptr_t)modes);
    for (uintptr_t n = 0; n < THREADS; n++)
        REQUIRE(pthread_create(&threads[n], NULL, live_on, pointer_to(n)) == 0, "no thread");
    /* Bytes are read while the program writes them, which ThreadSanitizer reports. */
    for (unsigned n = 0; n < ROUNDS; n++)
        REQUIRE(strstr(shown(sanitized ? show_plain : show_bytes), "Total : ") != NULL,
                "not to the end");
    atomic_store(&stop, true);
    for (unsigned n = 0; n < THREADS; n++)
        pthread_join(threads[n], NULL);
}

static void test_while_threads_free(void **state)
{
    (void)state;
    assert_true(unit_child_succeeds(show_while_threads_free, pointer_to(0)));
    assert_true(unit_child_succeeds(show_while_threads_free, pointer_to(MODE_GUARD)));
    assert_true(unit_child_succeeds(show_while_threads_free, pointer_to(MODE_HISTORY)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_history),        cmocka_unit_test(test_bytes),
        cmocka_unit_test(test_bytes_of_all_kinds), cmocka_unit_test(test_errors),
        cmocka_unit_test(test_while_threads_free),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
