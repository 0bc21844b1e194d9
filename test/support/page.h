/*
 * The size of the pages that the library under test sees: the kernel's pages, or the larger ones
 * that FT_TEST_PAGE makes the prefixed library see (src/os/larger_pages.c).
 */
#ifndef FT_TEST_SUPPORT_PAGE_H
#define FT_TEST_SUPPORT_PAGE_H

#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

static inline size_t page_size(void)
{
    const char *larger = getenv("FT_TEST_PAGE"); // NOLINT: nobody changes it here

    return larger != NULL ? strtoul(larger, NULL, 10) : (size_t)sysconf(_SC_PAGESIZE);
}

#endif
