/*
 * Sizes that cannot be: products that overflow, differences that became negative.
 */
#include "programs.h"

#include <errno.h>
#include <malloc.h>
#include <stdint.h>
#include <stdlib.h>

/* Returns whether the call was refused as it has to be. */
static bool refused(const void *pointer)
{
    return pointer == NULL && errno == ENOMEM;
}

static bool calloc_overflow(void)
{
    return refused(opaque(calloc(opaque_size(SIZE_MAX / 2), opaque_size(4))));
}

static bool calloc_overflow_to_little(void)
{
    return refused(
        opaque(calloc(opaque_size((size_t)1 << 33), opaque_size(((size_t)1 << 31) + 1))));
}

static bool reallocarray_overflow(void)
{
    return refused(opaque(reallocarray(NULL, opaque_size(SIZE_MAX / 8), opaque_size(16))));
}

static bool malloc_of_minus_one(void)
{
    return refused(opaque(malloc(opaque_size((size_t)-1))));
}

static bool malloc_of_more_than_half(void)
{
    return refused(opaque(malloc(opaque_size((size_t)PTRDIFF_MAX + 1))));
}

static bool realloc_to_minus_one(void)
{
    char *chunk = chunk_of(16);

    return refused(realloc(chunk, opaque_size((size_t)-16))) && chunk[15] == 'x';
}

static bool aligned_alloc_overflow(void)
{
    return refused(opaque(aligned_alloc(4096, opaque_size(SIZE_MAX - 100))));
}

static bool posix_memalign_of_three(void)
{
    void *pointer = NULL;

    return posix_memalign(&pointer, opaque_size(3), 100) == EINVAL && pointer == NULL;
}

static bool pvalloc_overflow(void)
{
    return refused(opaque(pvalloc(opaque_size(SIZE_MAX - 1))));
}

static const struct program table[] = {
    {"calloc_overflow", calloc_overflow, HARMLESS, NULL},
    {"calloc_overflow_to_little", calloc_overflow_to_little, HARMLESS, NULL},
    {"reallocarray_overflow", reallocarray_overflow, HARMLESS, NULL},
    {"malloc_of_minus_one", malloc_of_minus_one, HARMLESS, NULL},
    {"malloc_of_more_than_half", malloc_of_more_than_half, HARMLESS, NULL},
    {"realloc_to_minus_one", realloc_to_minus_one, HARMLESS, NULL},
    {"aligned_alloc_overflow", aligned_alloc_overflow, HARMLESS, NULL},
    {"posix_memalign_of_three", posix_memalign_of_three, HARMLESS, NULL},
    {"pvalloc_overflow", pvalloc_overflow, HARMLESS, NULL},
};
PROGRAMS(sizes, "size");
