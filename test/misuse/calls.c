/*
 * The C++ operators are called by their mangled names: this is C, and the library defines them for
 * C programs, too.
 */
#include "misuse/calls.h"

#include "support/require.h"

#include <errno.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

extern void cfree(void *pointer) __attribute__((weak));
extern void free_sized(void *pointer, size_t size) __attribute__((weak));
extern void free_aligned_sized(void *pointer, size_t align, size_t size) __attribute__((weak));
/* NOLINTBEGIN(bugprone-reserved-identifier) */
extern void _ZdlPv(void *pointer) __attribute__((weak));
extern void _ZdaPv(void *pointer) __attribute__((weak));
extern void _ZdlPvm(void *pointer, size_t size) __attribute__((weak));
extern void _ZdaPvm(void *pointer, size_t size) __attribute__((weak));
extern void _ZdlPvSt11align_val_t(void *pointer, size_t align) __attribute__((weak));
extern void _ZdlPvmSt11align_val_t(void *pointer, size_t size, size_t align) __attribute__((weak));
/* NOLINTEND(bugprone-reserved-identifier) */

static void call_free(void *pointer)
{
    errno = 4242;
    free(pointer);
    REQUIRE(errno == 4242, "free changes errno");
}

static void call_cfree(void *pointer)
{
    REQUIRE(cfree != NULL, "no cfree in this process");
    cfree(pointer);
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
    REQUIRE(reallocarray(pointer, 1000, 1000) == NULL,
            "reallocarray of a wrong pointer is not refused");
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

static void call_free_aligned_sized(void *pointer)
{
    REQUIRE(free_aligned_sized != NULL, "no free_aligned_sized in this process");
    free_aligned_sized(pointer, 16, 42);
}

static void call_delete(void *pointer)
{
    REQUIRE(_ZdlPv != NULL, "no operator delete in this process");
    _ZdlPv(pointer);
}

static void call_delete_array(void *pointer)
{
    REQUIRE(_ZdaPv != NULL, "no operator delete[] in this process");
    _ZdaPv(pointer);
}

static void call_delete_sized(void *pointer)
{
    REQUIRE(_ZdlPvm != NULL, "no sized operator delete in this process");
    _ZdlPvm(pointer, 42);
}

static void call_delete_array_sized(void *pointer)
{
    REQUIRE(_ZdaPvm != NULL, "no sized operator delete[] in this process");
    _ZdaPvm(pointer, 42);
}

/* Every address has this alignment, or the function refuses the alignment first. */
static void call_delete_aligned(void *pointer)
{
    REQUIRE(_ZdlPvSt11align_val_t != NULL, "no aligned operator delete in this process");
    _ZdlPvSt11align_val_t(pointer, 1);
}

static void call_delete_sized_aligned(void *pointer)
{
    REQUIRE(_ZdlPvmSt11align_val_t != NULL, "no sized and aligned operator delete in this process");
    _ZdlPvmSt11align_val_t(pointer, 42, 16);
}

const struct call *call_named(const char *name)
{
    static const struct call calls[] = {
        {"free", "free()", call_free},
        {"cfree", "free()", call_cfree},
        {"realloc", "realloc()", call_realloc},
        {"realloc-zero", "realloc()", call_realloc_zero},
        {"reallocarray", "realloc()", call_reallocarray},
        {"malloc_usable_size", "malloc_usable_size()", call_usable_size},
        {"free_sized", "free_sized()", call_free_sized},
        {"free_aligned_sized", "free_aligned_sized()", call_free_aligned_sized},
        {"delete", "free()", call_delete},
        {"delete-array", "free()", call_delete_array},
        {"delete-sized", "operator delete()", call_delete_sized},
        {"delete-array-sized", "operator delete[]()", call_delete_array_sized},
        {"delete-aligned", "free()", call_delete_aligned},
        {"delete-sized-aligned", "operator delete()", call_delete_sized_aligned},
    };
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++)
        if (strcmp(name, calls[i].name) == 0)
            return &calls[i];
    return NULL;
}
