/*
 * Accesses by the program's own instructions: beyond a chunk, in front of it, after it was freed,
 * and before anything was written to it.
 */
#include "programs.h"

#include <stdlib.h>
#include <string.h>

enum { TINY = 40, SMALL = 3000, LARGE = 300000, PAGE = 4096 };

/* Writes `beyond` bytes behind the end of a chunk, and frees it. */
static bool overflow(size_t size, size_t beyond)
{
    char *chunk = chunk_of(size);

    for (size_t n = 0; n < beyond; n++)
        chunk[opaque_size(size) + n] = 'o';
    free(chunk);
    return false;
}

static bool overflow_tiny_1(void)
{
    return overflow(TINY, 1);
}

static bool overflow_tiny_8(void)
{
    return overflow(TINY, 8);
}

static bool overflow_tiny_64(void)
{
    return overflow(TINY, 64);
}

static bool overflow_tiny_full(void)
{
    return overflow(48, 1);
}

static bool overflow_small_1(void)
{
    return overflow(SMALL, 1);
}

static bool overflow_small_500(void)
{
    return overflow(SMALL, 500);
}

static bool overflow_large_1(void)
{
    return overflow(LARGE, 1);
}

static bool overflow_large_page(void)
{
    return overflow(LARGE, PAGE);
}

static bool overflow_empty(void)
{
    return overflow(0, 1);
}

static bool overflow_by_zero_byte(void)
{
    char *chunk = chunk_of(TINY);

    chunk[opaque_size(TINY)] = '\0';
    free(chunk);
    return false;
}

static bool overflow_seen_at_realloc(void)
{
    char *chunk = chunk_of(TINY);

    chunk[opaque_size(TINY)] = 'o';
    free(realloc(chunk, 5000));
    return false;
}

static bool overflow_never_freed(void)
{
    char *chunk = chunk_of(TINY);

    chunk[opaque_size(TINY)] = 'o';
    return false;
}

static bool overflow_far_into_neighbours(void)
{
    char *chunks[64];

    for (size_t n = 0; n < 64; n++)
        chunks[n] = chunk_of(TINY);
    for (size_t n = 0; n < 1000; n++)
        chunks[20][opaque_size(TINY) + n] = 'o';
    for (size_t n = 0; n < 64; n++)
        free(chunks[n]);
    return false;
}

static bool read_beyond(size_t size, size_t distance)
{
    char *chunk = chunk_of(size);
    volatile char read = chunk[opaque_size(size) + distance];

    (void)read;
    free(chunk);
    return false;
}

static bool overread_tiny(void)
{
    return read_beyond(TINY, 0);
}

static bool overread_small(void)
{
    return read_beyond(SMALL, 0);
}

static bool overread_large_page(void)
{
    return read_beyond(LARGE, PAGE);
}

static bool overread_empty(void)
{
    return read_beyond(0, 0);
}

static bool underflow(size_t size, size_t distance)
{
    char *chunk = chunk_of(size);

    chunk[-(ptrdiff_t)opaque_size(distance)] = 'u';
    free(chunk);
    churn(size);
    return false;
}

static bool underflow_tiny_1(void)
{
    return underflow(TINY, 1);
}

static bool underflow_small_8(void)
{
    return underflow(SMALL, 8);
}

static bool underflow_large_1(void)
{
    return underflow(LARGE, 1);
}

static bool use_after_free_write(size_t size, size_t place)
{
    char *chunk = chunk_of(size);

    free(chunk);
    ((char *)opaque(chunk))[place] = 'w';
    churn(size);
    return false;
}

static bool write_after_free_tiny(void)
{
    return use_after_free_write(TINY, 20);
}

static bool write_after_free_small(void)
{
    return use_after_free_write(SMALL, 100);
}

/* Of a large chunk only the first bytes are looked at when it is handed out again. */
static bool write_after_free_small_far(void)
{
    return use_after_free_write(SMALL, 2000);
}

static bool write_after_free_large(void)
{
    return use_after_free_write(LARGE, 5000);
}

static bool write_after_free_empty(void)
{
    return use_after_free_write(0, 0);
}

/* Nothing of what was in the chunk can be read. */
static bool use_after_free_read(size_t size)
{
    char *chunk = chunk_of(size);
    bool zero = true;

    free(chunk);
    for (size_t n = 0; n < size; n++)
        zero = zero && ((volatile char *)opaque(chunk))[n] == 0;
    return zero;
}

static bool read_after_free_tiny(void)
{
    return use_after_free_read(TINY);
}

static bool read_after_free_small(void)
{
    return use_after_free_read(SMALL);
}

static bool read_after_free_large(void)
{
    return use_after_free_read(LARGE);
}

static bool write_after_realloc(void)
{
    char *chunk = chunk_of(TINY);
    char *moved = realloc(opaque(chunk), 100000);

    ((char *)opaque(chunk))[3] = 'w';
    churn(TINY);
    free(moved);
    return false;
}

static bool write_through_second_pointer(void)
{
    struct node {
        struct node *next;
        char text[56];
    } *first = (struct node *)(void *)chunk_of(sizeof *first);
    struct node *second = (struct node *)(void *)chunk_of(sizeof *second);

    first->next = second;
    free(second);
    ((struct node *)opaque(first->next))->next = first;
    churn(sizeof *first);
    return false;
}

/* What is not written to reads as zero, also in memory that was used before. */
static bool uninitialised(size_t size)
{
    bool zero = true;

    for (unsigned round = 0; round < 3000; round++) {
        char *chunk = opaque(malloc(size));

        for (size_t n = 0; n < size && round % 100 == 0; n++)
            zero = zero && ((volatile char *)chunk)[n] == 0;
        memset(chunk, 's', size < 200 ? size : 200);
        free(chunk);
    }
    return zero;
}

static bool uninitialised_tiny(void)
{
    return uninitialised(TINY);
}

static bool uninitialised_small(void)
{
    return uninitialised(SMALL);
}

static bool uninitialised_large(void)
{
    return uninitialised(LARGE);
}

#define PAST_END "written past the end of 0x[0-9a-f]+ \\(TINY, 40 bytes\\)"

static const struct program table[] = {
    {"overflow_tiny_1", overflow_tiny_1, REPORTED, PAST_END},
    {"overflow_tiny_8", overflow_tiny_8, REPORTED, PAST_END},
    {"overflow_tiny_64", overflow_tiny_64, REPORTED, PAST_END},
    {"overflow_tiny_full", overflow_tiny_full, REPORTED, "written past the end of .*48 bytes"},
    {"overflow_small_1", overflow_small_1, REPORTED, "written past the end of .*SMALL, 3000 bytes"},
    {"overflow_small_500", overflow_small_500, REPORTED, "written past the end of .*3000 bytes"},
    {"overflow_large_1", overflow_large_1, REPORTED, "written past the end of .*LARGE, 300000"},
    {"overflow_large_page", overflow_large_page, STOPPED,
     "heap overflow: writes to .* behind the end of the chunk .*LARGE, 300000 bytes"},
    {"overflow_empty", overflow_empty, STOPPED, "heap overflow: writes to .*TINY, 0 bytes"},
    {"overflow_by_zero_byte", overflow_by_zero_byte, REPORTED, PAST_END},
    {"overflow_seen_at_realloc", overflow_seen_at_realloc, REPORTED, PAST_END},
    {"overflow_never_freed", overflow_never_freed, UNSEEN, NULL},
    {"overflow_far_into_neighbours", overflow_far_into_neighbours, REPORTED,
     "written past the end of"},
    {"overread_tiny", overread_tiny, UNSEEN, NULL},
    {"overread_small", overread_small, UNSEEN, NULL},
    {"overread_large_page", overread_large_page, STOPPED, "heap overflow: reads .*LARGE, 300000"},
    {"overread_empty", overread_empty, STOPPED, "heap overflow: reads .*TINY, 0 bytes"},
    {"underflow_tiny_1", underflow_tiny_1, REPORTED, "written"},
    {"underflow_small_8", underflow_small_8, REPORTED, "written"},
    {"underflow_large_1", underflow_large_1, STOPPED,
     "heap underflow: writes to .* 1 byte in front of .*LARGE, 300000 bytes"},
    {"write_after_free_tiny", write_after_free_tiny, REPORTED, "written"},
    {"write_after_free_small", write_after_free_small, REPORTED, "written"},
    {"write_after_free_small_far", write_after_free_small_far, UNSEEN, NULL},
    {"write_after_free_large", write_after_free_large, STOPPED,
     "use after free: writes to .* bytes into the freed chunk .*LARGE, 300000 bytes"},
    {"write_after_free_empty", write_after_free_empty, STOPPED, "writes to .*TINY, 0 bytes"},
    {"read_after_free_tiny", read_after_free_tiny, HARMLESS, NULL},
    {"read_after_free_small", read_after_free_small, HARMLESS, NULL},
    {"read_after_free_large", read_after_free_large, STOPPED, "use after free: reads .*LARGE"},
    {"write_after_realloc", write_after_realloc, REPORTED, "written"},
    {"write_through_second_pointer", write_through_second_pointer, REPORTED, "written"},
    {"uninitialised_tiny", uninitialised_tiny, HARMLESS, NULL},
    {"uninitialised_small", uninitialised_small, HARMLESS, NULL},
    {"uninitialised_large", uninitialised_large, HARMLESS, NULL},
};
PROGRAMS(direct, "direct");
