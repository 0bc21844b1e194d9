/*
 * All arithmetic is modulo 2^64, so that any value comes back as it was.
 */
#include "snapshot_columns.h"

#include "memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ITEM_LARGEST = 4096, CONTINUED = 0x80, DIGITS = 7 };

static uint64_t value_of(const char *item, const struct snapshot_field *field)
{
    uint64_t value = 0;

    memcpy(&value, item + field->offset, field->size);
    return value;
}

static const char *item_at(const struct columns *columns, uint64_t number)
{
    return columns->items + number * columns->item_bytes;
}

static uint64_t base_of(const struct columns *columns, const struct snapshot_field *field,
                        const char *item)
{
    return field->how & SNAPSHOT_FROM_BASE ? value_of(item, &columns->fields[field->base]) : 0;
}

static void put_number(FILE *file, uint64_t number)
{
    for (; number >= CONTINUED; number >>= DIGITS)
        (void)putc_unlocked((int)(number & (CONTINUED - 1)) | CONTINUED, file);
    (void)putc_unlocked((int)number, file);
}

static uint64_t folded(uint64_t difference)
{
    return difference >> 63 ? ~(difference << 1) : difference << 1;
}

static uint64_t unfolded(uint64_t number)
{
    return number & 1 ? ~(number >> 1) : number >> 1;
}

/* Goes from item to item by the numbers in a field. Returns 0 if that leads nowhere. */
static uint64_t step(const struct columns *columns, const struct snapshot_field *field,
                     uint64_t from)
{
    uint64_t to = value_of(item_at(columns, from), field);

    return to < from ? to : 0;
}

static uint64_t as_ancestor(const struct columns *columns, const struct snapshot_field *field,
                            uint64_t number, uint64_t value)
{
    uint64_t at = number == 0 ? 0 : number - 1;

    for (unsigned k = 0; k <= SNAPSHOT_STEPS && at >= value; k++) {
        if (at == value)
            return 2 * (uint64_t)k;
        at = step(columns, field, at);
    }
    return 2 * value + 1;
}

static void write_column(const struct columns *columns, const struct snapshot_field *field,
                         FILE *file)
{
    uint64_t last = 0;

    for (uint64_t i = 0; i < columns->count; i++) {
        const char *item = item_at(columns, i);
        uint64_t value = value_of(item, field), told = value - base_of(columns, field, item);

        if (field->how & SNAPSHOT_ANCESTOR)
            put_number(file, as_ancestor(columns, field, i, value));
        else if (field->how == 0)
            put_number(file, value);
        else
            put_number(file, folded(field->how & SNAPSHOT_FROM_LAST ? told - last : told));
        last = told;
    }
}

char *columns_write(const struct columns *columns, size_t *size)
{
    const struct snapshot_table head = {.item_bytes = columns->item_bytes,
                                        .fields = columns->field_count,
                                        .pieces = (uint32_t)columns->piece_count,
                                        .items = columns->count};
    char *payload = NULL;
    FILE *file = open_memstream(&payload, size);

    if (file == NULL)
        return NULL;
    (void)fwrite(&head, sizeof head, 1, file);
    (void)fwrite(columns->fields, sizeof columns->fields[0], columns->field_count, file);
    (void)fwrite(columns->pieces, sizeof columns->pieces[0], columns->piece_count, file);
    for (unsigned i = 0; i < columns->field_count; i++)
        write_column(columns, &columns->fields[i], file);
    if (ferror(file) != 0 || fclose(file) != 0) {
        free(payload);
        return NULL;
    }
    return payload;
}

/* What is left of a payload. */
struct rest {
    const unsigned char *at, *end;
    bool broken;
};

static void take(struct rest *rest, void *out, size_t size)
{
    if ((size_t)(rest->end - rest->at) < size) {
        rest->broken = true;
        memset(out, 0, size);
        return;
    }
    memcpy(out, rest->at, size);
    rest->at += size;
}

static uint64_t take_number(struct rest *rest)
{
    uint64_t number = 0;

    for (unsigned shift = 0; shift < 64 && rest->at < rest->end; shift += DIGITS) {
        unsigned char byte = *rest->at++;

        number |= (uint64_t)(byte & (CONTINUED - 1)) << shift;
        if ((byte & CONTINUED) == 0)
            return number;
    }
    rest->broken = true;
    return 0;
}

static uint64_t from_ancestor(const struct columns *columns, const struct snapshot_field *field,
                              uint64_t number, uint64_t told)
{
    uint64_t at = number == 0 ? 0 : number - 1;

    if (told & 1)
        return told >> 1;
    for (uint64_t k = 0; k < told >> 1 && k < SNAPSHOT_STEPS; k++)
        at = step(columns, field, at);
    return at;
}

static void read_column(struct columns *columns, const struct snapshot_field *field,
                        struct rest *rest)
{
    uint64_t last = 0;

    for (uint64_t i = 0; i < columns->count && !rest->broken; i++) {
        char *item = columns->items + i * columns->item_bytes;
        uint64_t told = take_number(rest), value = told;

        if (field->how & SNAPSHOT_ANCESTOR) {
            value = from_ancestor(columns, field, i, told);
        } else if (field->how != 0) {
            told = unfolded(told) + (field->how & SNAPSHOT_FROM_LAST ? last : 0);
            value = told + base_of(columns, field, item);
        }
        last = told;
        memcpy(item + field->offset, &value, field->size);
    }
}

static bool field_is_right(const struct columns *columns, unsigned number)
{
    const struct snapshot_field *field = &columns->fields[number];
    bool has_base = (field->how & SNAPSHOT_FROM_BASE) != 0;

    return (field->size == 2 || field->size == 4 || field->size == 8) &&
           (uint32_t)field->offset + field->size <= columns->item_bytes &&
           (!has_base || field->base < number);
}

static bool head_is_right(const struct snapshot_table *head, const struct rest *rest, uint64_t most)
{
    size_t left = (size_t)(rest->end - rest->at);

    /* Each value of each item takes a byte or more. */
    return head->item_bytes > 0 && head->item_bytes <= ITEM_LARGEST && head->fields > 0 &&
           head->fields <= COLUMN_FIELDS && head->items <= left / head->fields &&
           head->items <= most / head->item_bytes &&
           head->pieces <= left / sizeof(struct snapshot_piece);
}

bool columns_read(struct columns *columns, const void *payload, size_t size, uint64_t most)
{
    struct rest rest = {payload, (const unsigned char *)payload + size, false};
    struct snapshot_table head;

    *columns = (struct columns){.items = NULL};
    take(&rest, &head, sizeof head);
    if (rest.broken || !head_is_right(&head, &rest, most))
        return false;
    columns->item_bytes = head.item_bytes;
    columns->count = head.items;
    columns->field_count = head.fields;
    columns->piece_count = head.pieces;
    take(&rest, columns->fields, head.fields * sizeof columns->fields[0]);
    for (unsigned i = 0; i < head.fields; i++)
        rest.broken = rest.broken || !field_is_right(columns, i);
    columns->pieces = memory_new(head.pieces + (size_t)1, sizeof columns->pieces[0]);
    take(&rest, columns->pieces, head.pieces * sizeof columns->pieces[0]);
    columns->items = rest.broken ? NULL : calloc(head.items + 1, head.item_bytes);
    for (unsigned i = 0; columns->items != NULL && i < head.fields; i++)
        read_column(columns, &columns->fields[i], &rest);
    return columns->items != NULL && !rest.broken;
}

void columns_free(struct columns *columns)
{
    free(columns->items);
    free(columns->pieces);
    *columns = (struct columns){.items = NULL};
}
