/*
 * A library to be loaded with RTLD_DEEPBIND, which makes it call libc's own malloc in spite of a
 * preloaded one.
 */
#include <stdlib.h>

void *deep_malloc(size_t size);
void deep_free(void *pointer);

void *deep_malloc(size_t size)
{
    return malloc(size);
}

void deep_free(void *pointer)
{
    free(pointer);
}
