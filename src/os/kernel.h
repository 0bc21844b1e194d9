/*
 * The kernel's two calls for memory, as os.c makes them; nothing else calls them. In the build for
 * tests, the environment variable FT_TEST_PAGE=16384 or 65536 makes them behave as on a kernel with
 * larger pages.
 */
#ifndef FT_OS_KERNEL_H
#define FT_OS_KERNEL_H

#include <stddef.h>

#ifdef FT_MALLOC_PREFIXED

/* Returns the size of a page: that of FT_TEST_PAGE, or the kernel's own. */
size_t os_kernel_page(void);

/* Behave like mmap() of private anonymous memory, and like munmap(). */
void *os_kernel_map(void *address, size_t size, int protection, int flags);
int os_kernel_unmap(void *address, size_t size);

#else

#include <sys/mman.h>
#include <unistd.h>

static inline size_t os_kernel_page(void)
{
    return (size_t)sysconf(_SC_PAGESIZE);
}

static inline void *os_kernel_map(void *address, size_t size, int protection, int flags)
{
    return mmap(address, size, protection, MAP_PRIVATE | MAP_ANONYMOUS | flags, -1, 0);
}

static inline int os_kernel_unmap(void *address, size_t size)
{
    return munmap(address, size);
}

#endif

#endif
