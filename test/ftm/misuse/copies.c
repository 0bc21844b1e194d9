/*
 * Chunks that are overflowed, read beyond, or used after they were freed through memcpy and its
 * relatives, also with wide characters.
 */
#include "programs.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <wchar.h>

enum { SIZE = 40, WIDE = 10 };

static char source[4096];
static wchar_t wide_source[1024];

static bool use(const void *result)
{
    (void)opaque((void *)(size_t)result);
    return false;
}

static bool memcpy_1_beyond(void)
{
    return use(memcpy(chunk_of(SIZE), source, opaque_size(SIZE + 1)));
}

static bool memcpy_far_beyond(void)
{
    return use(memcpy(chunk_of(SIZE), source, opaque_size(sizeof source)));
}

static bool memcpy_beyond_small(void)
{
    return use(memcpy(chunk_of(3000) + 1000, source, opaque_size(2008)));
}

static bool memcpy_beyond_large(void)
{
    return use(memcpy(chunk_of(300000) + 299990, source, opaque_size(11)));
}

static bool memcpy_into_empty(void)
{
    return use(memcpy(opaque(malloc(0)), source, opaque_size(1)));
}

static bool memcpy_size_negative(void)
{
    return use(memcpy(chunk_of(SIZE), source, opaque_size((size_t)-1)));
}

static bool memcpy_reads_beyond(void)
{
    return use(memcpy(source, chunk_of(SIZE), opaque_size(SIZE + 8)));
}

static bool memcpy_reads_far_beyond(void)
{
    return use(memcpy(source, chunk_of(SIZE), opaque_size(2000)));
}

static bool memcpy_to_freed(void)
{
    char *chunk = chunk_of(SIZE);

    free(chunk);
    return use(memcpy(opaque(chunk), source, 8));
}

static bool memcpy_from_freed(void)
{
    char *chunk = chunk_of(SIZE);

    free(chunk);
    return use(memcpy(source, (char *)opaque(chunk) + 8, 8));
}

static bool memcpy_in_front(void)
{
    char *chunks[8];

    for (unsigned n = 0; n < 8; n++)
        chunks[n] = chunk_of(SIZE);
    for (unsigned n = 0; n < 8; n++)
        memcpy(chunks[n] - opaque_size(8), source, 8);
    return false;
}

/* A size that became negative. The function would never return from such a copy. */
static bool memcpy_of_minus_one(void)
{
    return use(memcpy(chunk_of(SIZE), opaque(source), opaque_size((size_t)-1)));
}

static bool memmove_beyond(void)
{
    char *chunk = chunk_of(SIZE);

    return use(memmove(chunk + 8, chunk, opaque_size(SIZE)));
}

static bool mempcpy_beyond(void)
{
    return use(mempcpy(chunk_of(SIZE), source, opaque_size(SIZE + 3)));
}

static bool memset_1_beyond(void)
{
    return use(memset(chunk_of(SIZE), 0, opaque_size(SIZE + 1)));
}

static bool memset_of_pointer_size(void)
{
    char *chunk = chunk_of(4);

    return use(memset(chunk, 0, opaque_size(sizeof chunk)));
}

static bool memset_freed(void)
{
    char *chunk = chunk_of(SIZE);

    free(chunk);
    return use(memset(opaque(chunk), 0, SIZE));
}

static bool memset_after_shrinking(void)
{
    char *chunk = realloc(chunk_of(SIZE), 33);

    return use(memset(opaque(chunk), 0, opaque_size(SIZE)));
}

static bool memccpy_beyond(void)
{
    return use(memccpy(chunk_of(SIZE), source, 'q', opaque_size(100)));
}

static bool bzero_beyond(void)
{
    bzero(chunk_of(SIZE), opaque_size(SIZE + 2));
    return false;
}

static bool bcopy_beyond(void)
{
    bcopy(source, chunk_of(SIZE), opaque_size(SIZE + 2));
    return false;
}

static bool explicit_bzero_beyond(void)
{
    explicit_bzero(chunk_of(SIZE), opaque_size(SIZE + 2));
    return false;
}

static bool memcmp_reads_beyond(void)
{
    char *one = chunk_of(SIZE);

    return memcmp(one, opaque(one), opaque_size(SIZE + 1)) == 2;
}

static wchar_t *wide_chunk(void)
{
    return (wchar_t *)(void *)chunk_of(WIDE * sizeof(wchar_t));
}

static bool wmemcpy_beyond(void)
{
    return use(wmemcpy(wide_chunk(), wide_source, opaque_size(WIDE + 1)));
}

static bool wmemmove_beyond(void)
{
    return use(wmemmove(wide_chunk(), wide_source, opaque_size(WIDE + 1)));
}

static bool wmempcpy_beyond(void)
{
    return use(wmempcpy(wide_chunk(), wide_source, opaque_size(WIDE + 1)));
}

static bool wmemset_beyond(void)
{
    return use(wmemset(wide_chunk(), L'x', opaque_size(WIDE + 1)));
}

/* Counts bytes where the function counts characters. */
static bool wmemset_bytes_for_characters(void)
{
    return use(wmemset(wide_chunk(), L'x', opaque_size(WIDE * sizeof(wchar_t))));
}

#define WRITES(name, bytes)                                                                        \
    name "\\(\\): writes " bytes " past the end of 0x[0-9a-f]+ \\(TINY, 40 bytes\\)"

static const struct program table[] = {
    {"memcpy_1_beyond", memcpy_1_beyond, REPORTED, WRITES("memcpy", "1 byte")},
    {"memcpy_far_beyond", memcpy_far_beyond, REPORTED, WRITES("memcpy", "4056 bytes")},
    {"memcpy_beyond_small", memcpy_beyond_small, REPORTED, "writes 8 bytes past .*SMALL, 3000"},
    {"memcpy_beyond_large", memcpy_beyond_large, REPORTED, "writes 1 byte past .*LARGE, 300000"},
    {"memcpy_into_empty", memcpy_into_empty, STOPPED, "TINY, 0 bytes"},
    {"memcpy_size_negative", memcpy_size_negative, REPORTED, "memcpy\\(\\): writes .*past the end"},
    {"memcpy_reads_beyond", memcpy_reads_beyond, REPORTED, "memcpy\\(\\): reads 8 bytes past"},
    {"memcpy_reads_far_beyond", memcpy_reads_far_beyond, REPORTED, "reads 1960 bytes past"},
    {"memcpy_to_freed", memcpy_to_freed, REPORTED, "memcpy\\(\\): writes to the freed chunk .*40"},
    {"memcpy_from_freed", memcpy_from_freed, REPORTED, "memcpy\\(\\): reads from the freed chunk"},
    {"memcpy_in_front", memcpy_in_front, REPORTED, "memcpy\\(\\): writes"},
    {"memcpy_of_minus_one", memcpy_of_minus_one, REPORTED, "memcpy\\(\\): writes "},
    {"memmove_beyond", memmove_beyond, REPORTED, WRITES("memmove", "8 bytes")},
    {"mempcpy_beyond", mempcpy_beyond, REPORTED, WRITES("mempcpy", "3 bytes")},
    {"memset_1_beyond", memset_1_beyond, REPORTED, WRITES("memset", "1 byte")},
    {"memset_of_pointer_size", memset_of_pointer_size, REPORTED, "memset.*4 bytes past.*4 bytes"},
    {"memset_freed", memset_freed, REPORTED, "memset\\(\\): writes to the freed chunk"},
    {"memset_after_shrinking", memset_after_shrinking, REPORTED, "memset\\(\\): .*33 bytes"},
    {"memccpy_beyond", memccpy_beyond, REPORTED, WRITES("memccpy", "1 byte")},
    {"bzero_beyond", bzero_beyond, REPORTED, "writes 2 bytes past"},
    {"bcopy_beyond", bcopy_beyond, REPORTED, "writes 2 bytes past"},
    {"explicit_bzero_beyond", explicit_bzero_beyond, REPORTED, WRITES("explicit_bzero", "2 bytes")},
    {"memcmp_reads_beyond", memcmp_reads_beyond, REPORTED, "memcmp\\(\\): reads 1 byte past"},
    {"wmemcpy_beyond", wmemcpy_beyond, REPORTED, WRITES("wmemcpy", "4 bytes")},
    {"wmemmove_beyond", wmemmove_beyond, REPORTED, WRITES("wmemmove", "4 bytes")},
    {"wmempcpy_beyond", wmempcpy_beyond, REPORTED, WRITES("wmempcpy", "4 bytes")},
    {"wmemset_beyond", wmemset_beyond, REPORTED, WRITES("wmemset", "4 bytes")},
    {"wmemset_bytes_for_characters", wmemset_bytes_for_characters, REPORTED,
     WRITES("wmemset", "120 bytes")},
};
PROGRAMS(copies, "copy");
