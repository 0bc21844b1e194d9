/*
 * Memory for tables of ftm that are large and looked at in no order: in huge pages, where the
 * kernel has them, and zero-filled.
 */
#ifndef FTM_POOL_H
#define FTM_POOL_H

#include <stddef.h>

/* Returns NULL without memory. */
void *pool_map(size_t size);
/* As realloc(): what was there stays, and if there is no memory, NULL comes back. */
void *pool_grow(void *memory, size_t size, size_t larger);
void pool_unmap(void *memory, size_t size);

#endif
