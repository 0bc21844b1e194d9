/*
 * The names that the C library gives its own malloc family beside the public ones. Programs call
 * them to bypass a malloc of their own, and mix them with the public names. So these names are
 * ours, whoever defines malloc(). They are weak, because a static program may take the C library's.
 */
#ifndef FT_MALLOC_PREFIXED

#include "api/api.h"

#include <malloc.h>

#define LIBC_NAME __attribute__((visibility("default"), weak))

// NOLINTBEGIN: the C library's names
LIBC_NAME void *__libc_malloc(size_t size);
LIBC_NAME void *__libc_calloc(size_t count, size_t size);
LIBC_NAME void *__libc_realloc(void *pointer, size_t size);
LIBC_NAME void *__libc_memalign(size_t align, size_t size);
LIBC_NAME void *__libc_valloc(size_t size);
LIBC_NAME void *__libc_pvalloc(size_t size);
LIBC_NAME int __posix_memalign(void **result, size_t align, size_t size);
LIBC_NAME void __libc_free(void *pointer);
LIBC_NAME void __libc_cfree(void *pointer);
LIBC_NAME int __libc_mallopt(int param, int val);
LIBC_NAME struct mallinfo __libc_mallinfo(void);

void *__libc_malloc(size_t size)
{
    return own_malloc(size);
}

void *__libc_calloc(size_t count, size_t size)
{
    return own_calloc(count, size);
}

void *__libc_realloc(void *pointer, size_t size)
{
    return own_realloc(pointer, size);
}

void *__libc_memalign(size_t align, size_t size)
{
    return own_memalign(align, size);
}

void *__libc_valloc(size_t size)
{
    return own_valloc(size);
}

void *__libc_pvalloc(size_t size)
{
    return own_pvalloc(size);
}

int __posix_memalign(void **result, size_t align, size_t size)
{
    return own_posix_memalign(result, align, size);
}

void __libc_free(void *pointer)
{
    own_free(pointer);
}

void __libc_cfree(void *pointer)
{
    own_free(pointer);
}

int __libc_mallopt(int param, int val)
{
    return own_mallopt(param, val);
}

struct mallinfo __libc_mallinfo(void)
{
    return own_mallinfo();
}
// NOLINTEND

#else

/* A translation unit must not be empty. */
typedef int libc_names_are_not_prefixed;

#endif
