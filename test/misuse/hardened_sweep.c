/*
 * With FT_MALLOC_HARDEN=1 and FT_MALLOC_ON_ERROR=report: writes to every byte of the canary of
 * chunks of many sizes. Each write is found once, when the chunk is freed or resized, and the
 * program goes on with an intact heap.
 */
#include "misuse/hardened_sizes.h"
#include "misuse/reports.h"
#include "support/pattern.h"
#include "support/require.h"

#include <malloc.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CANARY_MAX = 64, PAGE = 4096, ALIGNMENTS = 17, WORKLOAD = 300 };

/*
 * Returns how many bytes the canary has at least: 16, the spacing of the classes, or what is left
 * of the page. Where a guard follows at once, there is no canary.
 */
static size_t canary_length(size_t size)
{
    if (size == 0 || (size >= 262144 && size % PAGE == 0))
        return 0;
    if (size >= 262144)
        return PAGE - size % PAGE < CANARY_MAX ? PAGE - size % PAGE : CANARY_MAX;
    return 16 - size % 16;
}

static void report_overflow(const char *function, const void *chunk, size_t size)
{
    reports_expect("%s: written past the end of %p (%s, %zu bytes)", function, chunk,
                   hardened_zone(size), size);
}

static void overflow_then_free(size_t size, size_t offset)
{
    unsigned char *chunk = hardened_allocate(size);
    chunk[size + offset] ^= 0x55;
    free(chunk);
    report_overflow("free()", chunk, size);
}

static void overflow_then_realloc(size_t size, size_t offset, size_t to)
{
    size_t kept = size < to ? size : to;
    unsigned char *chunk = hardened_allocate(size);
    uintptr_t was = (uintptr_t)chunk;
    chunk[size + offset] ^= 0x55;
    chunk = realloc(chunk, to);
    report_overflow("realloc()", (void *)was, size); // NOLINT: only its number
    REQUIRE(chunk != NULL, "realloc failed");
    hardened_require_contents(chunk, kept, size);
    free(chunk);
    reports_expect_none();
}

static void sweep_sizes(void)
{
    for (size_t n = 0; n < HARDEN_SIZES; n++) {
        size_t size = hardened_sizes[n];
        for (size_t offset = 0; offset < canary_length(size); offset++) {
            overflow_then_free(size, offset);
            if (size > 1)
                overflow_then_realloc(size, offset, size - 1);
            overflow_then_realloc(size, offset, size + 1);
            overflow_then_realloc(size, offset, size * 3 + 5);
        }
    }
}

/* Flips each bit of the first byte, which is the only canary byte of many sizes. */
static void sweep_bits(void)
{
    for (unsigned bit = 0; bit < 8; bit++) {
        unsigned char *chunk = hardened_allocate(1023);
        chunk[1023] ^= (unsigned char)(1U << bit);
        free(chunk);
        report_overflow("free()", chunk, 1023);
    }
}

static void overflow_aligned(size_t align, size_t size)
{
    unsigned char *chunk = aligned_alloc(align, size);
    REQUIRE(chunk != NULL && (uintptr_t)chunk % align == 0, "no memory, or not aligned to %zu",
            align);
    REQUIRE(malloc_usable_size(chunk) == size, "%zu bytes are usable, not %zu",
            malloc_usable_size(chunk), size);
    pattern_write(chunk, 0, size, size);
    chunk[size] ^= 0x55;
    free(chunk);
    /* Where the canary is depends on which class is a multiple of the alignment. */
    reports_expect_beginning("free(): written past the end of %p (", (void *)chunk);
}

static void sweep_alignments(void)
{
    for (size_t power = 4; power < 4 + ALIGNMENTS; power++)
        for (size_t n = 0; n < HARDEN_SIZES; n++)
            /* A chunk that is aligned to more than a page has no guards, so it has a canary. */
            if (canary_length(hardened_sizes[n]) > 0 || (hardened_sizes[n] > 0 && power > 12))
                overflow_aligned((size_t)1 << power, hardened_sizes[n]);
}

static void require_intact(void)
{
    static unsigned char *held[WORKLOAD];
    for (size_t n = 0; n < WORKLOAD; n++)
        held[n] = hardened_allocate(n * n * 3 % 6000);
    for (size_t n = 0; n < WORKLOAD; n++) {
        hardened_require_contents(held[n], n * n * 3 % 6000, n * n * 3 % 6000);
        free(held[n]);
    }
    reports_expect_none();
}

int main(void)
{
    reports_open();
    sweep_sizes();
    require_intact();
    sweep_bits();
    sweep_alignments();
    require_intact();
    reports_close("writes past the end");
    return 0;
}
