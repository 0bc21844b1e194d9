/*
 * The sizes of the tests of FT_MALLOC_HARDEN: around the size classes, the zones' borders and whole
 * pages. And the zone that a report names for a size, which one byte more than the request decides.
 */
#ifndef FT_TEST_MISUSE_HARDENED_SIZES_H
#define FT_TEST_MISUSE_HARDENED_SIZES_H

#include "support/pattern.h"
#include "support/require.h"

#include <stddef.h>
#include <stdlib.h>

static const size_t hardened_sizes[] = {
    0,     1,     15,     16,     17,     24,     42,     63,      64,     100,   127,
    128,   200,   255,    256,    511,    512,    575,    800,     895,    896,   959,
    960,   961,   1000,   1023,   1024,   2000,   3725,   4096,    8192,   16383, 16384,
    32768, 65536, 100000, 262143, 262144, 300000, 528384, 1048575, 1048576};
enum { HARDEN_SIZES = sizeof hardened_sizes / sizeof *hardened_sizes };

static inline const char *hardened_zone(size_t size)
{
    return size < 960 ? "TINY" : size < 262144 ? "SMALL" : "LARGE";
}

/* Allocates a chunk with a pattern; and checks that it still has the pattern. */
static inline unsigned char *hardened_allocate(size_t size)
{
    unsigned char *chunk = malloc(size);
    REQUIRE(chunk != NULL, "no memory for %zu bytes", size);
    pattern_write(chunk, 0, size, size);
    return chunk;
}

static inline void hardened_require_contents(const void *chunk, size_t size, size_t tag)
{
    size_t mismatch = pattern_mismatch(chunk, size, tag);
    REQUIRE(mismatch == size, "a chunk of %zu bytes was changed at offset %zu", tag, mismatch);
}

#endif
