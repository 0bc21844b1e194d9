/*
 * With FT_MALLOC_ON_ERROR=report: every interior address of chunks of all zones and many sizes,
 * every address of the headers of heaps (in steps), addresses between chunks, and wrong sizes are
 * passed to functions that must refuse each of them with one line. At the end the heap is intact.
 */
#include "misuse/reports.h"
#include "support/pattern.h"
#include "support/require.h"

#include <malloc.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    TINY_HEAP = 4 << 20,
    TINY_HEADER = 304 << 10,
    SMALL_HEAP = 32 << 20,
    SMALL_HEADER = 336 << 10
};

extern void free_sized(void *pointer, size_t size) __attribute__((weak));

static const size_t sizes[] = {1,    16,    17,    42,     48,     100,    127,   128,  200,
                               300,  500,   700,   900,    960,    961,    1024,  3000, 3725,
                               9000, 20000, 50000, 100000, 262144, 262145, 484847};
enum { SIZES = sizeof sizes / sizeof *sizes };

static const char *zone(size_t size)
{
    return size <= 960 ? "TINY" : size <= 262144 ? "SMALL" : "LARGE";
}

static unsigned char *allocate(size_t size)
{
    unsigned char *chunk = malloc(size);
    REQUIRE(chunk != NULL, "no memory for %zu bytes", size);
    pattern_write(chunk, 0, size, size);
    return chunk;
}

static void expect_inside(const char *function, const unsigned char *pointer,
                          const unsigned char *chunk, size_t size)
{
    reports_expect("%s: invalid pointer %p: inside the chunk %p (%s, %zu bytes)", function,
                   (const void *)pointer, (const void *)chunk, zone(size), size);
}

/* Tries every offset; for the slower functions every offset up to 1 KiB. */
static void sweep_interior(size_t size)
{
    unsigned char *chunk = allocate(size);
    for (size_t offset = 1; offset < size; offset++) {
        unsigned char *pointer = chunk + offset;
        free(pointer); // NOLINT: wrong on purpose
        expect_inside("free()", pointer, chunk, size);
        if (offset > 1024)
            continue;
        REQUIRE(malloc_usable_size(pointer) == 0, "an interior pointer has a usable size");
        expect_inside("malloc_usable_size()", pointer, chunk, size);
        REQUIRE(realloc(pointer, 10) == NULL, "realloc of an interior pointer is not refused");
        expect_inside("realloc()", pointer, chunk, size);
    }
    REQUIRE(pattern_mismatch(chunk, size, size) == size, "a chunk of %zu bytes was changed", size);
    free(chunk);
    reports_expect_none();
}

/* The slack belongs to the chunk, too. */
static void sweep_slack(size_t size)
{
    unsigned char *chunk = allocate(size);
    size_t usable = malloc_usable_size(chunk);
    for (size_t offset = size; offset < usable; offset++) {
        if (offset == 0)
            continue;
        free(chunk + offset); // NOLINT: wrong on purpose
        expect_inside("free()", chunk + offset, chunk, size);
    }
    free(chunk);
}

static void sweep_header(size_t size, uintptr_t heap_size, size_t header)
{
    unsigned char *chunk = allocate(size);
    unsigned char *heap = chunk - ((uintptr_t)chunk & (heap_size - 1));
    for (size_t offset = 0; offset < header; offset += offset % 16 == 0 ? 1 : 15) {
        free(heap + offset); // NOLINT: wrong on purpose
        reports_expect("free(): invalid pointer %p: no chunk in a %s heap", (void *)(heap + offset),
                       zone(size));
    }
    free(chunk);
    reports_expect_none();
}

/* What is behind the last slab was never handed out. */
static void sweep_unused(size_t size, uintptr_t heap_size)
{
    unsigned char *chunk = allocate(size);
    unsigned char *end = chunk - ((uintptr_t)chunk & (heap_size - 1)) + heap_size - (64 << 10);
    for (size_t offset = 0; offset < 16384; offset += 61) {
        free(end + offset); // NOLINT: wrong on purpose
        reports_expect("free(): invalid pointer %p: no chunk in a %s heap", (void *)(end + offset),
                       zone(size));
    }
    free(chunk);
}

static void sweep_claims(size_t size)
{
    static const size_t wrong[] = {
        1, 2, 15, 16, 64, 256, 1024, 4096, 65536, 262144, (size_t)1 << 40};
    REQUIRE(free_sized != NULL, "no free_sized in this process");
    for (size_t n = 0; n < 2 * sizeof wrong / sizeof *wrong; n++) {
        size_t claim = n % 2 == 0 ? size + wrong[n / 2] : size - wrong[n / 2];
        unsigned char *chunk = allocate(size);
        free_sized(chunk, claim);
        reports_expect("free_sized(): wrong size %zu for %p (%s, %zu bytes)", claim, (void *)chunk,
                       zone(size), size);
    }
}

int main(void)
{
    reports_open();
    for (size_t n = 0; n < SIZES; n++) {
        sweep_interior(sizes[n]);
        sweep_slack(sizes[n]);
        sweep_claims(sizes[n]);
    }
    sweep_header(42, TINY_HEAP, TINY_HEADER);
    sweep_header(3000, SMALL_HEAP, SMALL_HEADER);
    sweep_unused(42, TINY_HEAP);
    sweep_unused(3000, SMALL_HEAP);
    for (size_t round = 0; round < 2; round++) {
        static unsigned char *held[SIZES];
        for (size_t n = 0; n < SIZES; n++)
            held[n] = allocate(sizes[n]);
        for (size_t n = 0; n < SIZES; n++) {
            REQUIRE(pattern_mismatch(held[n], sizes[n], sizes[n]) == sizes[n],
                    "a chunk was changed");
            free(held[n]);
        }
    }
    reports_close("wrong pointers and sizes");
    return 0;
}
