/*
 * One small misuse, done once: `matrix_case NAME SIZE`. It prints "not caught" if it survives, or
 * if freed memory does not look as it must. It does not matter what catches it: a report, a signal,
 * or the loader of an allocator.
 */
#include "support/require.h"

#include <malloc.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    PAGE = 4096,
    MIB = 1 << 20,
    FAR = 1 << 30,
    PAIRS = 1024,
    MANY = 3000,
    AMONG = 64,
    FORGED = 32
};

static volatile unsigned char sink;

static void not_caught(void)
{
    static const char text[] = "not caught\n";
    REQUIRE(write(STDOUT_FILENO, text, sizeof text - 1) == sizeof text - 1, "cannot write");
    _exit(0);
}

static void caught(void)
{
    _exit(0);
}

static unsigned char *allocate(size_t size)
{
    unsigned char *chunk = malloc(size);
    REQUIRE(chunk != NULL, "no memory for %zu bytes", size);
    return chunk;
}

/*
 * Writes one byte, so far behind the last byte or so far in front of the first one. Then the chunk
 * is freed.
 */
static void write_past(size_t size, size_t far)
{
    unsigned char *chunk = allocate(size);
    chunk[size - 1 + far] ^= 0x55;
    free(chunk);
}

static void write_before(size_t size, size_t far)
{
    unsigned char *chunk = allocate(size);
    chunk[-(ptrdiff_t)far] ^= 0x55;
    free(chunk);
}

static void read_past(size_t size, size_t far)
{
    sink = allocate(size)[size - 1 + far];
}

static void read_before(size_t size, size_t far)
{
    sink = allocate(size)[-(ptrdiff_t)far];
}

/* Writes everything in between, too. */
static void run_past(size_t size, size_t far)
{
    unsigned char *chunk = allocate(size);
    memset(chunk, 0x55, size + far);
    free(chunk);
}

static void run_before(size_t size, size_t far)
{
    unsigned char *chunk = allocate(size);
    memset(chunk - far, 0x55, far);
    free(chunk);
}

static void write_freed(size_t size, size_t far)
{
    unsigned char *chunk = allocate(size);
    (void)far;
    free(chunk);
    memset(chunk, 0x55, size); // NOLINT: wrong on purpose
    for (size_t n = 0; n < MANY; n++)
        free(allocate(size));
}

/* The former contents must be gone. */
static void read_freed(size_t size, size_t far)
{
    unsigned char *chunk = allocate(size);
    (void)far;
    memset(chunk, 0x55, size);
    free(chunk);
    for (size_t n = 0; n < size; n++)
        if (chunk[n] == 0x55) // NOLINT: wrong on purpose
            return;
    caught();
}

/* The same for a chunk that is handed out, after `far` chunks were filled and freed. */
static void read_handed_out(size_t size, size_t far)
{
    unsigned char **chunks = (unsigned char **)allocate(far * sizeof *chunks);
    unsigned char *chunk;
    for (size_t n = 0; n < far; n++)
        chunks[n] = memset(allocate(size), 0x55, size);
    for (size_t n = 0; n < far; n++)
        free(chunks[n]);
    chunk = allocate(size);
    for (size_t n = 0; n < size; n++)
        if (chunk[n] == 0x55) // NOLINT: what nobody wrote is the matter of the test
            return;
    caught();
}

static void reuse(size_t size, size_t far)
{
    unsigned char *chunk = allocate(size);
    uintptr_t was = (uintptr_t)chunk;
    free(chunk);
    if ((uintptr_t)allocate(size / far) != was)
        caught();
}

static void free_twice(size_t size, size_t pairs)
{
    unsigned char *chunk = allocate(size);
    free(chunk);
    for (size_t n = 0; n < pairs; n++)
        free(allocate(size));
    free(chunk); // NOLINT: wrong on purpose
}

static void free_interleaved(size_t size, size_t far)
{
    unsigned char *chunk = allocate(size), *other = allocate(size);
    (void)far;
    free(chunk), free(other), free(chunk); // NOLINT: wrong on purpose
}

static void free_reused(size_t size, size_t far)
{
    unsigned char *chunk = allocate(size), *other;
    (void)far;
    free(chunk);
    other = allocate(size);
    free(chunk), free(other); // NOLINT: wrong on purpose
}

/*
 * Frees many chunks, then one of them again. An allocator that checks only the last few misses it.
 */
static void free_among(size_t size, size_t many)
{
    unsigned char **chunks = (unsigned char **)allocate(many * sizeof *chunks);
    for (size_t n = 0; n < many; n++)
        chunks[n] = allocate(size);
    for (size_t n = 0; n < many; n++)
        free(chunks[n]);
    free(chunks[many / 2]); // NOLINT: wrong on purpose
}

/* Frees an address inside a chunk, behind a number that looks like the header of a glibc chunk. */
static void free_forged(size_t size, size_t forged)
{
    size_t *chunk = (size_t *)allocate(size + 4 * forged);
    for (size_t n = 0; n < 4 * forged / sizeof *chunk; n++)
        chunk[n] = forged | 1;
    free(chunk + 2); // NOLINT: wrong on purpose
}

static void free_inside(size_t size, size_t far)
{
    free(allocate(size) + far);
}

static void free_stack(size_t size, size_t far)
{
    unsigned char chunk[PAGE];
    chunk[size % PAGE] = (unsigned char)far;
    sink = chunk[size % PAGE];
    free(chunk); // NOLINT: wrong on purpose
}

static void free_number(size_t size, size_t far)
{
    (void)size;
    free((void *)far); // NOLINT: wrong on purpose
}

static void realloc_freed(size_t size, size_t far)
{
    unsigned char *chunk = allocate(size);
    free(chunk);
    sink = (uintptr_t)realloc(chunk, size + far) & 1; // NOLINT: wrong on purpose
}

/* Allocates chunks of 0 bytes in every possible way. */
enum { BY_MALLOC, BY_CALLOC, BY_ALIGNED, BY_POSIX, BY_MEMALIGN, BY_REALLOC, BY_VALLOC };

static unsigned char *empty(size_t way)
{
    void *chunk = NULL;
    switch (way) {
    case BY_MALLOC:
        return malloc(0);
    case BY_CALLOC:
        return calloc(0, 100);
    case BY_ALIGNED:
        return aligned_alloc(64, 0);
    case BY_POSIX:
        return posix_memalign(&chunk, 1024, 0) == 0 ? chunk : NULL;
    case BY_MEMALIGN:
        return memalign(MIB, 0);
    case BY_REALLOC:
        return realloc(NULL, 0);
    default:
        return valloc(0);
    }
}

// NOLINTBEGIN: empty chunks are used on purpose
static void read_empty(size_t size, size_t way)
{
    (void)size;
    sink = empty(way)[0];
}

static void write_empty(size_t size, size_t way)
{
    unsigned char *chunk = empty(way);
    (void)size;
    chunk[0] = 1;
    free(chunk);
}

static void read_empty_last(size_t size, size_t way)
{
    unsigned char *chunk = empty(way);
    (void)size;
    sink = chunk[15];
    free(chunk);
}

// NOLINTEND

static void free_empty_twice(size_t size, size_t way)
{
    unsigned char *chunk = empty(way);
    (void)size;
    free(chunk);
    for (size_t n = 0; n < PAIRS; n++)
        free(empty(way));
    free(chunk); // NOLINT: wrong on purpose
}

static const struct {
    const char *name;
    void (*run)(size_t size, size_t far);
    size_t far;
} cases[] = {
    {"write-past-1", write_past, 1},
    {"write-past-word", write_past, 8},
    {"write-past-32", write_past, 32},
    {"write-past-page", write_past, PAGE},
    {"write-past-mib", write_past, MIB},
    {"run-past-1", run_past, 1},
    {"run-past-word", run_past, 8},
    {"run-past-page", run_past, PAGE},
    {"run-past-mib", run_past, MIB},
    {"read-past-1", read_past, 1},
    {"read-past-word", read_past, 8},
    {"read-past-page", read_past, PAGE},
    {"read-past-mib", read_past, MIB},
    {"write-before-1", write_before, 1},
    {"write-before-word", write_before, 8},
    {"write-before-32", write_before, 32},
    {"write-before-page", write_before, PAGE},
    {"write-before-mib", write_before, MIB},
    {"run-before-1", run_before, 1},
    {"run-before-word", run_before, 8},
    {"run-before-page", run_before, PAGE},
    {"run-before-mib", run_before, MIB},
    {"read-before-1", read_before, 1},
    {"read-before-page", read_before, PAGE},
    {"read-before-mib", read_before, MIB},
    {"write-freed", write_freed, 0},
    {"read-freed", read_freed, 0},
    {"read-handed-out-1", read_handed_out, 1},
    {"read-handed-out-many", read_handed_out, 64},
    {"reuse", reuse, 1},
    {"reuse-smaller", reuse, 2},
    {"free-twice", free_twice, 0},
    {"free-twice-later", free_twice, PAIRS},
    {"free-interleaved", free_interleaved, 0},
    {"free-reused", free_reused, 0},
    {"free-among", free_among, AMONG},
    {"free-forged", free_forged, FORGED},
    {"free-inside-1", free_inside, 1},
    {"free-inside-word", free_inside, 8},
    {"free-inside-16", free_inside, 16},
    {"free-page-away", free_inside, PAGE},
    {"free-gib-away", free_inside, FAR},
    {"free-stack", free_stack, 1},
    {"free-1", free_number, 1},
    {"realloc-freed", realloc_freed, 1},
    {"empty-read-malloc", read_empty, BY_MALLOC},
    {"empty-read-calloc", read_empty, BY_CALLOC},
    {"empty-read-aligned", read_empty, BY_ALIGNED},
    {"empty-read-posix", read_empty, BY_POSIX},
    {"empty-read-memalign", read_empty, BY_MEMALIGN},
    {"empty-read-realloc", read_empty, BY_REALLOC},
    {"empty-read-valloc", read_empty, BY_VALLOC},
    {"empty-write-malloc", write_empty, BY_MALLOC},
    {"empty-write-calloc", write_empty, BY_CALLOC},
    {"empty-write-aligned", write_empty, BY_ALIGNED},
    {"empty-write-realloc", write_empty, BY_REALLOC},
    {"empty-read-15", read_empty_last, BY_MALLOC},
    {"empty-free-twice", free_empty_twice, BY_MALLOC},
};

int main(int argc, char **argv)
{
    REQUIRE(argc == 3, "usage: matrix_case NAME SIZE");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (strcmp(argv[1], cases[i].name) == 0) {
            cases[i].run(strtoull(argv[2], NULL, 10), cases[i].far);
            not_caught();
        }
    REQUIRE(!"known case", "no case named %s", argv[1]);
}
