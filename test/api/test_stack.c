/*
 * How much stack each public function takes. A thread may have no more than 16 KiB, of which the
 * kernel and the C library take a part.
 */
#include "support/prefixed.h"
#include "support/sanitized.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <setjmp.h>

#include <cmocka.h>

enum { STACK = 256 << 10, MOST = 8 << 10, PAINT = 0xA5, MANY = 2000 };

static FILE *stream;

static void nothing(void)
{
}

/* Stacks of free chunks overflow, and slabs are created and returned. */
static void many_chunks(void)
{
    static void *chunks[MANY];

    for (size_t n = 0; n < MANY; n++)
        chunks[n] = ft_malloc(n * 100 + 1);
    for (size_t n = 0; n < MANY; n++)
        ft_free(chunks[n]);
}

static void resize(void)
{
    char *chunk = NULL;

    for (size_t size = 1; size < 10 << 20; size *= 3)
        chunk = ft_realloc(chunk, size);
    ft_free(ft_reallocarray(chunk, 10, 10));
}

static void clear(void)
{
    ft_free(ft_calloc(1000, 1000));
    ft_cfree(ft_calloc(10, 10));
}

static void align(void)
{
    void *chunk = NULL;

    for (size_t alignment = 16; alignment <= 1 << 21; alignment *= 2) {
        ft_free(ft_memalign(alignment, 100));
        ft_free_aligned_sized(ft_aligned_alloc(alignment, alignment), alignment, alignment);
        if (ft_posix_memalign(&chunk, alignment, 100) == 0)
            ft_free_sized(chunk, 100);
    }
    ft_free(ft_valloc(100));
    ft_free(ft_pvalloc(100));
}

static void ask_for_sizes(void)
{
    void *small = ft_malloc(100), *large = ft_malloc(1 << 20);

    (void)ft_malloc_usable_size(small);
    (void)ft_malloc_usable_size(large);
    ft_free(small);
    ft_free(large);
}

static void trim(void)
{
    ft_malloc_trim(0);
}

static void count(void)
{
    (void)ft_mallinfo2();
    (void)ft_mallinfo();
    (void)ft_mallopt(0, 0);
}

static void describe(void)
{
    (void)ft_malloc_info(0, stream);
}

static void *call(void *argument)
{
    void (*function)(void);

    memcpy(&function, argument, sizeof function);
    function();
    return NULL;
}

/* Returns how much of a thread's stack was overwritten. */
static size_t depth_of(void (*function)(void))
{
    unsigned char *stack =
        mmap(NULL, STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
    pthread_attr_t attributes;
    pthread_t thread;
    size_t untouched = 0;

    assert_ptr_not_equal(stack, MAP_FAILED);
    memset(stack, PAINT, STACK);
    assert_int_equal(pthread_attr_init(&attributes), 0);
    assert_int_equal(pthread_attr_setstack(&attributes, stack, STACK), 0);
    assert_int_equal(pthread_create(&thread, &attributes, call, &function), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    while (untouched < STACK && stack[untouched] == PAINT)
        untouched++;
    pthread_attr_destroy(&attributes);
    munmap(stack, STACK);
    return STACK - untouched;
}

static const struct {
    const char *name;
    void (*function)(void);
} measured[] = {
    {"malloc, free", many_chunks},
    {"realloc", resize},
    {"calloc", clear},
    {"aligned", align},
    {"usable size", ask_for_sizes},
    {"malloc_trim", trim},
    {"mallinfo", count},
    {"malloc_stats", ft_print_stats},
    {"malloc_info", describe},
    {"show_alloc_mem", show_alloc_mem},
};

static void test_no_function_uses_much_stack(void **state)
{
    (void)state;
    size_t beside;
    int out, err, null = open("/dev/null", O_WRONLY | O_CLOEXEC);

    if (sanitized)
        skip();
    out = dup(STDOUT_FILENO), err = dup(STDERR_FILENO);
    assert_true(null >= 0 && out >= 0 && err >= 0);
    stream = fopen("/dev/null", "w");
    assert_non_null(stream);
    assert_int_equal(setvbuf(stream, NULL, _IONBF, 0), 0);
    /* The dynamic linker binds some functions at their first call. */
    for (size_t n = 0; n < sizeof measured / sizeof measured[0]; n++) {
        (void)dup2(null, STDOUT_FILENO), (void)dup2(null, STDERR_FILENO);
        depth_of(measured[n].function);
        (void)dup2(out, STDOUT_FILENO), (void)dup2(err, STDERR_FILENO);
    }
    beside = depth_of(nothing);
    for (size_t n = 0; n < sizeof measured / sizeof measured[0]; n++) {
        size_t depth;

        (void)dup2(null, STDOUT_FILENO), (void)dup2(null, STDERR_FILENO);
        depth = depth_of(measured[n].function);
        (void)dup2(out, STDOUT_FILENO), (void)dup2(err, STDERR_FILENO);
        depth = depth > beside ? depth - beside : 0;
        printf("%s: %zu bytes\n", measured[n].name, depth);
        assert_true(depth <= MOST);
    }
    assert_int_equal(fclose(stream), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_function_uses_much_stack),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
