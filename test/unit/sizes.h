/*
 * Sizes for tests that need some of all zones but LARGE.
 */
#ifndef FT_TEST_UNIT_SIZES_H
#define FT_TEST_UNIT_SIZES_H

#include "bins/size_class.h"

#include <stddef.h>

static inline size_t size_of(size_t n)
{
    static const size_t sizes[] = {1,    16,   40,   100,   260,   TINY_MAX, TINY_MAX + 1,
                                   2000, 3000, 9000, 33000, 100000};

    return sizes[n % (sizeof sizes / sizeof sizes[0])];
}

#endif
