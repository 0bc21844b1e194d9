/*
 * More heaps of each zone than the own-heap tables have entries. The chunks of heaps that are not
 * in the tables are freed, resized and measured like all others, also by another thread, and double
 * frees of them are detected.
 */
#include "base/options.h"
#include "bins/heap.h"
#include "bins/size_class.h"
#include "support/capture.h"
#include "support/prefixed.h"

#include <malloc.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <setjmp.h>

#include <cmocka.h>

enum { HEAPS = OWN_HEAPS + 3 };

static char *twice;

static void free_twice(void)
{
    ft_free(twice);
}

static void *free_in_thread(void *chunk)
{
    ft_free(chunk);
    return NULL;
}

static void free_by_another(char *chunk)
{
    pthread_t thread;

    assert_int_equal(pthread_create(&thread, NULL, free_in_thread, chunk), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
}

static void require_usual(char *chunk, size_t size)
{
    assert_int_equal((uintptr_t)chunk % CHUNK_ALIGN, 0);
    assert_true(ft_malloc_usable_size(chunk) >= size);
    memset(chunk, 1, size);
    assert_ptr_equal(ft_realloc(chunk, size - 1), chunk);
    assert_ptr_equal(ft_realloc(chunk, size), chunk);
}

static void use_many_heaps(size_t size, size_t heap_size)
{
    size_t count = HEAPS * (heap_size / size);
    char **chunks = malloc(count * sizeof *chunks);
    struct capture capture;

    assert_non_null(chunks);
    for (size_t n = 0; n < count; n++)
        assert_non_null(chunks[n] = ft_malloc(size));
    /* One heap that has lost its entry in the table, and one that has it. */
    require_usual(chunks[0], size);
    require_usual(chunks[count - 1], size);

    twice = chunks[0];
    capture_open(&capture, STDERR_FILENO);
    capture_call(&capture, free_twice);
    capture_call(&capture, free_twice);
    assert_ptr_equal(strstr(capture.text, "ft_malloc: free(): double free"), capture.text);
    capture_close(&capture);
    free_by_another(chunks[1]);
    for (size_t n = 2; n < count; n++)
        ft_free(chunks[n]);
    free(chunks);
    assert_int_equal(ft_mallinfo2().uordblks, 0);
}

static void test_many_small_heaps(void **state)
{
    (void)state;
    use_many_heaps(SMALL_MAX, SMALL_HEAP_SIZE);
}

static void test_many_tiny_heaps(void **state)
{
    (void)state;
    use_many_heaps(TINY_MAX, TINY_HEAP_SIZE);
}

int main(void)
{
    /* The misuse is reported, and the test goes on. */
    options.report_only = true;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_many_small_heaps),
        cmocka_unit_test(test_many_tiny_heaps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
