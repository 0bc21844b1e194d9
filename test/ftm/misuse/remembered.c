/*
 * Chunks that were copied to before, when all was well, so that libft_malloc_debug.so remembers
 * them. Then something changes.
 */
#include "programs.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { TIMES = 3, SMALL = 3000, LARGE = 700000 };

/* Allowed TIMES times, at the beginning, in the middle and at the end. */
static char *used_chunk(size_t size)
{
    char *chunk = chunk_of(size);

    for (int n = 0; n < TIMES; n++) {
        memset(chunk, n, opaque_size(size));
        memcpy(chunk + size / 2, "abcd", opaque_size(4));
        memset(chunk + size - 1, n, opaque_size(1));
    }
    return chunk;
}

static bool write_freed(size_t size)
{
    char *chunk = used_chunk(size);

    free(chunk);
    return memset(opaque(chunk + size / 2), 1, opaque_size(2)) == NULL;
}

static bool tiny_is_freed(void)
{
    return write_freed(40);
}

static bool small_is_freed(void)
{
    return write_freed(SMALL);
}

static bool large_is_freed(void)
{
    return write_freed(LARGE);
}

static bool write_shrunk(size_t size)
{
    char *chunk = realloc(used_chunk(size), size - size / 16);

    return memset(opaque(chunk + size / 2), 1, opaque_size(size / 2)) == NULL;
}

static bool small_has_shrunk(void)
{
    return write_shrunk(SMALL);
}

static bool large_has_shrunk(void)
{
    return write_shrunk(LARGE);
}

/* What was no chunk's becomes one: it is likely to get the addresses that became free last. */
static bool chunk_where_none_was(void)
{
    for (size_t size = 1 << 20; size < 64 << 20; size *= 2) {
        char *mapped = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

        if (mapped == MAP_FAILED)
            exit(99);
        for (size_t at = 0; at < size; at += 4096)
            memset(mapped + at, 1, opaque_size(4));
        munmap(mapped, size);
        memset(opaque(malloc(size)), 1, opaque_size(size));
    }
    return memset(opaque(malloc(LARGE)), 1, opaque_size(LARGE + 1)) == NULL;
}

#define OVER(bytes, chunk) "memset\\(\\): writes " bytes " past the end of 0x[0-9a-f]+ \\(" chunk

static const struct program table[] = {
    {"tiny_is_freed", tiny_is_freed, REPORTED, "memset\\(\\): writes to the freed chunk .*TINY"},
    {"small_is_freed", small_is_freed, REPORTED, "memset\\(\\): writes to the freed chunk .*SMALL"},
    {"large_is_freed", large_is_freed, STOPPED, "use after free: writes to .*"},
    {"small_has_shrunk", small_has_shrunk, REPORTED, OVER("187 bytes", "SMALL, 2813")},
    {"large_has_shrunk", large_has_shrunk, REPORTED, OVER("43750 bytes", "LARGE, 656250")},
    {"chunk_where_none_was", chunk_where_none_was, REPORTED, OVER("1 byte", "LARGE, 700000")},
};
PROGRAMS(remembered, "remembered");
