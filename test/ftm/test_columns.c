/*
 * Columns of a TABLE section, as snapshots of version 2 and 3 have them: whatever an array holds
 * comes back, and what is cut off or broken is refused without reading beyond its end.
 */
#include "column_values.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { ITEMS = 600 };

/* Of the fields below. */
enum { THIRD = 2, PARENT = 3, ADDRESS = 5 };

struct item {
    uint64_t first, second;
    uint32_t parent, third;
    uint16_t half;
    uint16_t padding[3];
    uint64_t address;
};

/* Those of version 3 have two flags more. */
static const struct snapshot_field fields[] = {
    {offsetof(struct item, first), 8, SNAPSHOT_FROM_LAST, 0},
    {offsetof(struct item, second), 8, SNAPSHOT_FROM_BASE, 0},
    {offsetof(struct item, third), 4, SNAPSHOT_FROM_LAST | SNAPSHOT_FROM_BASE, 1},
    {offsetof(struct item, parent), 4, SNAPSHOT_ANCESTOR, 0},
    {offsetof(struct item, half), 2, 0, 0},
    {offsetof(struct item, address), 8, 0, PARENT}};

enum { FIELDS = sizeof fields / sizeof *fields };

static uint64_t next_random(uint64_t *state)
{
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (*state >> 33) * UINT64_C(0x9e3779b97f4a7c15);
}

/* Small numbers, large ones, and those where signs and carries change. */
static uint64_t some_value(uint64_t *state)
{
    static const uint64_t edges[] = {0,          1,          127,
                                     128,        INT64_MAX,  (uint64_t)INT64_MAX + 1,
                                     UINT64_MAX, UINT32_MAX, (uint64_t)UINT32_MAX + 1};
    uint64_t word = next_random(state);

    if (word % 3 == 0)
        return edges[word / 3 % (sizeof edges / sizeof *edges)];
    return word % 3 == 1 ? word % 1000 : word;
}

/*
 * Parents: the item before, one of its ancestors, one that is none, a chain that is too long to be
 * counted, and numbers that lead nowhere.
 */
static uint32_t some_parent(uint64_t *state, const struct item *items, uint32_t number)
{
    uint32_t kind = (uint32_t)(next_random(state) % 8), at = number == 0 ? 0 : number - 1;

    if (number < 400 || kind < 3)
        return at;
    if (kind == 3)
        return (uint32_t)some_value(state);
    if (kind == 4)
        return number % 100;
    for (uint32_t k = 0; k < kind * 50 && items[at].parent < at; k++)
        at = items[at].parent;
    return at;
}

static void put_number(FILE *file, uint64_t number)
{
    for (; number >= 128; number >>= 7)
        (void)fputc((int)(number % 128) | 128, file);
    (void)fputc((int)number, file);
}

/* As ftm wrote them in version 2. */
static char *write_bytes(const struct columns *columns, size_t *size)
{
    const struct snapshot_table head = {.item_bytes = columns->item_bytes,
                                        .fields = columns->field_count,
                                        .pieces = (uint32_t)columns->piece_count,
                                        .items = columns->count};
    char *payload = NULL;
    FILE *file = open_memstream(&payload, size);

    assert_non_null(file);
    (void)fwrite(&head, sizeof head, 1, file);
    (void)fwrite(columns->fields, sizeof columns->fields[0], columns->field_count, file);
    (void)fwrite(columns->pieces, sizeof columns->pieces[0], columns->piece_count, file);
    for (unsigned n = 0; n < columns->field_count; n++) {
        uint64_t last = 0;

        for (uint64_t i = 0; i < columns->count; i++) {
            put_number(file, column_told(columns, &columns->fields[n], i, last));
            last = column_last(columns, &columns->fields[n], i);
        }
    }
    assert_int_equal(fclose(file), 0);
    return payload;
}

static struct columns some_columns(struct item *items, struct snapshot_piece *pieces,
                                   unsigned version)
{
    struct columns columns = {.items = (char *)items,
                              .count = ITEMS,
                              .item_bytes = sizeof *items,
                              .field_count = FIELDS,
                              .pieces = pieces,
                              .piece_count = 2};
    uint64_t state = 7;

    memset(items, 0, ITEMS * sizeof *items);
    for (uint32_t i = 0; i < ITEMS; i++) {
        items[i].first = some_value(&state);
        items[i].second = some_value(&state);
        items[i].third = (uint32_t)some_value(&state);
        items[i].half = (uint16_t)some_value(&state);
        items[i].parent = some_parent(&state, items, i);
        items[i].address = i % 5 == 0 ? some_value(&state) : items[i].parent % 50 * 16;
    }
    memcpy(columns.fields, fields, sizeof fields);
    if (version == 3) {
        columns.fields[THIRD].how |= SNAPSHOT_GUESSED;
        columns.fields[ADDRESS].how = SNAPSHOT_CALLEE;
    }
    pieces[0] = (struct snapshot_piece){0x10000, 500};
    pieces[1] = (struct snapshot_piece){0x90000, 500};
    return columns;
}

static char *some_payload(struct item *items, struct snapshot_piece *pieces, unsigned version,
                          size_t *size)
{
    struct columns columns = some_columns(items, pieces, version);
    char *payload = version == 2 ? write_bytes(&columns, size) : columns_write(&columns, size);

    assert_non_null(payload);
    return payload;
}

static unsigned version_of(void *const *state)
{
    return *(const unsigned *)*state;
}

static void everything_comes_back(void **state)
{
    struct item items[ITEMS];
    struct snapshot_piece pieces[2];
    struct columns again;
    size_t size;
    char *payload = some_payload(items, pieces, version_of(state), &size);

    assert_true(columns_read(&again, payload, size, sizeof items));
    assert_int_equal(again.count, ITEMS);
    assert_memory_equal(again.items, items, sizeof items);
    assert_int_equal(again.piece_count, 2);
    assert_memory_equal(again.pieces, pieces, sizeof pieces);
    columns_free(&again);
    assert_false(columns_read(&again, payload, size, sizeof items - 1));
    columns_free(&again);
    free(payload);
}

/* Each in memory of its own size, so that a sanitizer or a guard sees a read beyond it. */
static void what_is_cut_off_is_refused(void **state)
{
    struct item items[ITEMS];
    struct snapshot_piece pieces[2];
    struct columns again;
    size_t size;
    char *payload = some_payload(items, pieces, version_of(state), &size);

    for (size_t left = 0; left + 1 < size; left += left < 200 ? 1 : 97) {
        char *part = malloc(left + 1);

        memcpy(part, payload, left);
        assert_false(columns_read(&again, part, left, sizeof items));
        columns_free(&again);
        free(part);
    }
    free(payload);
}

/* Any byte may be wrong: the answer may be no, or other values, and nothing else. */
static void damage_does_no_harm(void **state)
{
    enum { HEAD = 120 };
    struct item items[ITEMS];
    struct snapshot_piece pieces[2];
    struct columns again;
    uint64_t random = 3;
    size_t size;
    char *payload = some_payload(items, pieces, version_of(state), &size);

    for (unsigned n = 0; n < (version_of(state) == 2 ? 20000 : 500); n++) {
        size_t at = next_random(&random) % (n % 2 == 0 ? HEAD : size);
        char before = payload[at];

        payload[at] = (char)some_value(&random);
        if (columns_read(&again, payload, size, sizeof items))
            assert_true(again.count * again.item_bytes <= sizeof items);
        columns_free(&again);
        payload[at] = before;
    }
    free(payload);
}

/* A few bytes must not say that a tree has more items than bits could tell. */
static void nothing_is_not_many(void **state)
{
    const struct snapshot_table head = {
        .item_bytes = 16, .fields = 1, .coding = SNAPSHOT_CODED, .items = 1 << 20};
    const struct snapshot_field field = {0, 8, SNAPSHOT_GUESSED, 0};
    char payload[sizeof head + sizeof field + 8] = {0};
    struct columns again;

    (void)state;
    memcpy(payload, &head, sizeof head);
    memcpy(payload + sizeof head, &field, sizeof field);
    assert_false(columns_read(&again, payload, sizeof payload, UINT64_C(1) << 30));
    columns_free(&again);
}

int main(void)
{
    static unsigned second = 2, third = 3;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_prestate(everything_comes_back, &second),
        cmocka_unit_test_prestate(everything_comes_back, &third),
        cmocka_unit_test_prestate(what_is_cut_off_is_refused, &second),
        cmocka_unit_test_prestate(what_is_cut_off_is_refused, &third),
        cmocka_unit_test_prestate(damage_does_no_harm, &second),
        cmocka_unit_test_prestate(damage_does_no_harm, &third),
        cmocka_unit_test(nothing_is_not_many)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
