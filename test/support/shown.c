/*
 * The parser of show_alloc_mem's output. It knows the prescribed format and nothing of the
 * allocator.
 */
#include "support/shown.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct scanner {
    const char *at;
    const char *end;
    unsigned line;
};

static bool skip_text(struct scanner *scanner, const char *text)
{
    size_t length = strlen(text);
    if ((size_t)(scanner->end - scanner->at) < length || memcmp(scanner->at, text, length) != 0)
        return false;
    scanner->at += length;
    return true;
}

static int digit_value(char letter)
{
    if (letter >= '0' && letter <= '9')
        return letter - '0';
    if (letter >= 'A' && letter <= 'F')
        return letter - 'A' + 10;
    return 99;
}

/* A number without leading zeros. */
static bool scan_number(struct scanner *scanner, unsigned base, uintptr_t *value)
{
    const char *start = scanner->at;
    *value = 0;
    while (scanner->at < scanner->end && digit_value(*scanner->at) < (int)base)
        *value = *value * base + (uintptr_t)digit_value(*scanner->at++);
    ptrdiff_t digits = scanner->at - start;
    return digits > 0 && digits <= 20 && (*start != '0' || digits == 1);
}

static bool scan_address(struct scanner *scanner, uintptr_t *value)
{
    return skip_text(scanner, "0x") && scan_number(scanner, 16, value);
}

static bool fail(struct shown *shown, const struct scanner *scanner, const char *why)
{
    const char *newline = memchr(scanner->at, '\n', (size_t)(scanner->end - scanner->at));
    int rest = (int)((newline != NULL ? newline : scanner->end) - scanner->at);
    (void)snprintf(shown->error, sizeof shown->error, "line %u: %s, at \"%.*s\"", scanner->line,
                   why, rest < 60 ? rest : 60, scanner->at);
    return false;
}

static void *grown(void *array, size_t count, size_t size)
{
    if ((count & (count - 1)) != 0)
        return array;
    void *larger = realloc(array, (count == 0 ? 1 : count * 2) * size);
    if (larger == NULL)
        abort();
    return larger;
}

static bool scan_zone(struct shown *shown, struct scanner *scanner, enum shown_kind kind)
{
    struct shown_zone zone = {.kind = kind, .first_chunk = shown->chunk_count};
    if (!skip_text(scanner, " : ") || !scan_address(scanner, &zone.base) ||
        !skip_text(scanner, "\n"))
        return fail(shown, scanner, "not a zone line");
    if (zone.base % 4096 != 0)
        return fail(shown, scanner, "zone is not a multiple of the page size");
    if (shown->zone_count > 0) {
        const struct shown_zone *previous = &shown->zones[shown->zone_count - 1];
        if (previous->base >= zone.base)
            return fail(shown, scanner, "zones are not in order");
        if (previous->chunk_count == 0)
            return fail(shown, scanner, "zone without chunks");
    }
    shown->zones = grown(shown->zones, shown->zone_count, sizeof *shown->zones);
    shown->zones[shown->zone_count++] = zone;
    return true;
}

static bool scan_chunk(struct shown *shown, struct scanner *scanner)
{
    struct shown_chunk chunk = {0};
    uintptr_t end = 0;
    if (!scan_address(scanner, &chunk.start) || !skip_text(scanner, " - ") ||
        !scan_address(scanner, &end) || !skip_text(scanner, " : ") ||
        !scan_number(scanner, 10, &chunk.size) || !skip_text(scanner, " bytes\n"))
        return fail(shown, scanner, "not a chunk line");
    if (shown->zone_count == 0)
        return fail(shown, scanner, "chunk before any zone");
    if (end - chunk.start != chunk.size)
        return fail(shown, scanner, "end - start is not the size");
    struct shown_zone *zone = &shown->zones[shown->zone_count - 1];
    if (chunk.start < zone->base)
        return fail(shown, scanner, "chunk starts before its zone");
    if (shown->chunk_count > 0) {
        const struct shown_chunk *previous = &shown->chunks[shown->chunk_count - 1];
        if (previous->start >= chunk.start || previous->start + previous->size > chunk.start)
            return fail(shown, scanner, "chunks overlap or are not in order");
    }
    chunk.kind = zone->kind;
    zone->chunk_count++;
    shown->chunks = grown(shown->chunks, shown->chunk_count, sizeof *shown->chunks);
    shown->chunks[shown->chunk_count++] = chunk;
    shown->total += chunk.size;
    return true;
}

static bool scan_total(struct shown *shown, struct scanner *scanner)
{
    uintptr_t total = 0;
    if (!scan_number(scanner, 10, &total) || !skip_text(scanner, " bytes\n"))
        return fail(shown, scanner, "not the total line");
    if (scanner->at != scanner->end)
        return fail(shown, scanner, "text behind the total");
    if (total != shown->total)
        return fail(shown, scanner, "the total is not the sum");
    if (shown->zone_count > 0 && shown->zones[shown->zone_count - 1].chunk_count == 0)
        return fail(shown, scanner, "zone without chunks");
    return true;
}

bool shown_parse(struct shown *shown, const char *text, size_t length)
{
    static const char *const names[] = {"TINY", "SMALL", "LARGE"};
    struct scanner scanner = {text, text + length, 0};
    memset(shown, 0, sizeof *shown);
    while (scanner.at < scanner.end) {
        scanner.line++;
        if (skip_text(&scanner, "Total : "))
            return scan_total(shown, &scanner);
        unsigned kind = 0;
        while (kind < 3 && !skip_text(&scanner, names[kind]))
            kind++;
        if (kind < 3 ? !scan_zone(shown, &scanner, (enum shown_kind)kind)
                     : !scan_chunk(shown, &scanner))
            return false;
    }
    return fail(shown, &scanner, "no total line");
}

const struct shown_chunk *shown_find(const struct shown *shown, const void *start)
{
    size_t low = 0;
    size_t high = shown->chunk_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (shown->chunks[middle].start < (uintptr_t)start)
            low = middle + 1;
        else
            high = middle;
    }
    bool found = low < shown->chunk_count && shown->chunks[low].start == (uintptr_t)start;
    return found ? &shown->chunks[low] : NULL;
}

void shown_free(struct shown *shown)
{
    free(shown->zones);
    free(shown->chunks);
    memset(shown, 0, sizeof *shown);
}
