/*
 * Columns of a TABLE section: whatever an array holds comes back, and what is cut off or broken is
 * refused without reading beyond its end.
 */
#include "snapshot_columns.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { ITEMS = 600 };

struct item {
    uint64_t first, second;
    uint32_t parent, third;
    uint16_t half;
    uint16_t padding[3];
};

static const struct snapshot_field fields[] = {
    {offsetof(struct item, first), 8, SNAPSHOT_FROM_LAST, 0},
    {offsetof(struct item, second), 8, SNAPSHOT_FROM_BASE, 0},
    {offsetof(struct item, third), 4, SNAPSHOT_FROM_LAST | SNAPSHOT_FROM_BASE, 1},
    {offsetof(struct item, parent), 4, SNAPSHOT_ANCESTOR, 0},
    {offsetof(struct item, half), 2, 0, 0}};

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

static struct columns some_columns(struct item *items, struct snapshot_piece *pieces)
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
    }
    memcpy(columns.fields, fields, sizeof fields);
    pieces[0] = (struct snapshot_piece){0x10000, 500};
    pieces[1] = (struct snapshot_piece){0x90000, 500};
    return columns;
}

static void everything_comes_back(void **state)
{
    struct item items[ITEMS];
    struct snapshot_piece pieces[2];
    struct columns columns = some_columns(items, pieces), again;
    size_t size;
    char *payload = columns_write(&columns, &size);

    (void)state;
    assert_non_null(payload);
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
    struct columns columns = some_columns(items, pieces), again;
    size_t size;
    char *payload = columns_write(&columns, &size);

    (void)state;
    for (size_t left = 0; left < size; left += left < 200 ? 1 : 37) {
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
    struct item items[ITEMS];
    struct snapshot_piece pieces[2];
    struct columns columns = some_columns(items, pieces), again;
    uint64_t random = 3;
    size_t size;
    char *payload = columns_write(&columns, &size);

    (void)state;
    for (unsigned n = 0; n < 20000; n++) {
        size_t at = next_random(&random) % (n % 2 == 0 ? 112 : size);
        char before = payload[at];

        payload[at] = (char)some_value(&random);
        if (columns_read(&again, payload, size, sizeof items))
            assert_true(again.count * again.item_bytes <= sizeof items);
        columns_free(&again);
        payload[at] = before;
    }
    free(payload);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(everything_comes_back),
                                       cmocka_unit_test(what_is_cut_off_is_refused),
                                       cmocka_unit_test(damage_does_no_harm)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
