/*
 * What show_alloc_mem wrote, parsed strictly: zones, chunks, total. Parsing fails on any deviation
 * from the format, on zones or chunks out of order, on chunks that overlap or start before their
 * zone, and on a wrong total.
 */
#ifndef FT_TEST_SUPPORT_SHOWN_H
#define FT_TEST_SUPPORT_SHOWN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum shown_kind { SHOWN_TINY, SHOWN_SMALL, SHOWN_LARGE };

struct shown_zone {
    enum shown_kind kind;
    uintptr_t base;
    size_t first_chunk;
    size_t chunk_count;
};

struct shown_chunk {
    uintptr_t start;
    size_t size;
    enum shown_kind kind;
};

struct shown {
    struct shown_zone *zones;
    size_t zone_count;
    struct shown_chunk *chunks;
    size_t chunk_count;
    size_t total;
    char error[160]; /* why parsing failed, with the line's number */
};

bool shown_parse(struct shown *shown, const char *text, size_t length);
const struct shown_chunk *shown_find(const struct shown *shown, const void *start);
void shown_free(struct shown *shown);

#endif
