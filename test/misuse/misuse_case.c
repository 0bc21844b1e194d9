/*
 * One misuse: `misuse_case FUNCTION POINTER` gives a wrong pointer (see pointers.c) to a function. It first says on
 * stdout how the library must name it. When the call returns (FT_MALLOC_ON_ERROR=report), it checks what was returned
 * and that the heap is intact.
 */
#include "misuse/pointers.h"
#include "support/pattern.h"
#include "support/require.h"

#include <errno.h>
#include <malloc.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { HELD = 300 };

extern void free_sized(void *pointer, size_t size) __attribute__((weak));

static void *held[HELD];

static size_t held_size(size_t n)
{
    return n * n * 3 % 5000 + (n % 50 == 0 ? 300000 : 0);
}

static void hold_chunks(void)
{
    for (size_t n = 0; n < HELD; n++) {
        held[n] = malloc(held_size(n));
        REQUIRE(held[n] != NULL, "no memory");
        pattern_write(held[n], 0, held_size(n), n);
    }
}

static void release_chunks(void)
{
    for (size_t n = 0; n < HELD; n++) {
        REQUIRE(pattern_mismatch(held[n], held_size(n), n) == held_size(n), "chunk %zu was changed", n);
        free(held[n]);
    }
}

static void call_free(void *pointer)
{
    errno = 4242;
    free(pointer);
    REQUIRE(errno == 4242, "free changes errno");
}

static void call_realloc(void *pointer)
{
    REQUIRE(realloc(pointer, 100) == NULL, "realloc of a wrong pointer is not refused");
}

static void call_realloc_zero(void *pointer)
{
    void *result = realloc(pointer, 0); // NOLINT: size 0 is the case
    REQUIRE(result == NULL, "realloc of a wrong pointer is not refused");
}

static void call_reallocarray(void *pointer)
{
    REQUIRE(reallocarray(pointer, 1000, 1000) == NULL, "reallocarray of a wrong pointer is not refused");
}

static void call_usable_size(void *pointer)
{
    REQUIRE(malloc_usable_size(pointer) == 0, "a wrong pointer has a usable size");
}

static void call_free_sized(void *pointer)
{
    REQUIRE(free_sized != NULL, "no free_sized in this process");
    free_sized(pointer, 42);
}

static const struct {
    const char *name;
    const char *shown;
    void (*call)(void *pointer);
} functions[] = {
    {"free", "free()", call_free},
    {"realloc", "realloc()", call_realloc},
    {"realloc-zero", "realloc()", call_realloc_zero},
    {"reallocarray", "realloc", call_reallocarray},
    {"malloc_usable_size", "malloc_usable_size()", call_usable_size},
    {"free_sized", "free", call_free_sized},
};

/* The expected line goes out before the call, for it may end the process; stdio would keep it back. */
static void announce(const char *function, const char *verdict)
{
    char line[300];
    int length = snprintf(line, sizeof line, "ft_malloc: %s\n%s\n", function, verdict);
    REQUIRE(write(STDOUT_FILENO, line, (size_t)length) == length, "cannot write");
}

static void misuse(size_t function, const char *name)
{
    struct wrong_pointer wrong;
    hold_chunks();
    REQUIRE(wrong_pointer_make(name, &wrong), "no pointer named %s", name);
    announce(functions[function].shown, wrong.verdict);
    functions[function].call(wrong.pointer);
    release_chunks();
    hold_chunks();
    release_chunks();
    REQUIRE(write(STDOUT_FILENO, "intact\n", 7) == 7, "cannot write");
}

int main(int argc, char **argv)
{
    REQUIRE(argc == 3, "usage: misuse_case FUNCTION POINTER");
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++) {
        if (strcmp(argv[1], functions[i].name) == 0) {
            misuse(i, argv[2]);
            return 0;
        }
    }
    REQUIRE(!"known function", "no function named %s", argv[1]);
}
