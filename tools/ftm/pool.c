/*
 * Large tables.
 */
#include "pool.h"

#include <sys/mman.h>

void *pool_map(size_t size)
{
    void *memory = mmap(NULL, size == 0 ? 1 : size, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (memory == MAP_FAILED)
        return NULL;
#ifdef MADV_HUGEPAGE
    /* Only a hint; without huge pages all is the same, but slower. */
    (void)madvise(memory, size, MADV_HUGEPAGE);
#endif
    return memory;
}

void *pool_grow(void *memory, size_t size, size_t larger)
{
    void *moved = mremap(memory, size, larger, MREMAP_MAYMOVE);

    return moved == MAP_FAILED ? NULL : moved;
}

void pool_unmap(void *memory, size_t size)
{
    if (memory != NULL)
        (void)munmap(memory, size == 0 ? 1 : size);
}
