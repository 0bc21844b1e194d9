/*
 * Version 2 of snapshots has columns of bytes, version 3 coded ones; only the latter are written.
 */
#include "snapshot_columns.h"

#include "column_code.h"
#include "column_values.h"
#include "memory.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    ITEM_LARGEST = 4096,
    CONTINUED = 0x80,
    DIGITS = 7,
    /* More items cannot be in a byte: a bit that is nearly sure takes a thousandth of one. */
    ITEMS_IN_BYTE = 1 << 13
};

char *columns_write(struct columns *columns, size_t *size)
{
    const struct snapshot_table head = {.item_bytes = columns->item_bytes,
                                        .fields = columns->field_count,
                                        .pieces = (uint32_t)columns->piece_count,
                                        .coding = SNAPSHOT_CODED,
                                        .items = columns->count};
    struct range_coder coder;
    char *payload = NULL;
    FILE *file = open_memstream(&payload, size);

    if (file == NULL)
        return NULL;
    (void)fwrite(&head, sizeof head, 1, file);
    (void)fwrite(columns->fields, sizeof columns->fields[0], columns->field_count, file);
    (void)fwrite(columns->pieces, sizeof columns->pieces[0], columns->piece_count, file);
    range_begin_writing(&coder, file);
    (void)columns_code(columns, &coder);
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

static void read_column(struct columns *columns, const struct snapshot_field *field,
                        struct rest *rest)
{
    uint64_t last = 0;

    for (uint64_t i = 0; i < columns->count && !rest->broken; i++) {
        column_store(columns, field, i, take_number(rest), last);
        last = column_last(columns, field, i);
    }
}

static bool read_coded(struct columns *columns, const struct rest *rest)
{
    struct range_coder coder;

    range_begin_reading(&coder, rest->at, (size_t)(rest->end - rest->at));
    return columns_code(columns, &coder);
}

static bool field_is_right(const struct columns *columns, unsigned number)
{
    const struct snapshot_field *field = &columns->fields[number];
    bool has_base = (field->how & (SNAPSHOT_FROM_BASE | SNAPSHOT_CALLEE)) != 0;

    return (field->size == 2 || field->size == 4 || field->size == 8) &&
           (uint32_t)field->offset + field->size <= columns->item_bytes &&
           (!has_base || field->base < number);
}

static bool head_is_right(const struct snapshot_table *head, const struct rest *rest, uint64_t most)
{
    uint64_t left = (uint64_t)(rest->end - rest->at);

    if (head->item_bytes == 0 || head->item_bytes > ITEM_LARGEST || head->fields == 0 ||
        head->fields > COLUMN_FIELDS || head->coding > SNAPSHOT_CODED)
        return false;
    /* Each value of each item takes a byte or more, if it is not coded. */
    return head->items <=
               (head->coding == SNAPSHOT_CODED ? left * ITEMS_IN_BYTE : left / head->fields) &&
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
    if (columns->items == NULL)
        return false;
    if (head.coding == SNAPSHOT_CODED)
        return read_coded(columns, &rest);
    for (unsigned i = 0; i < head.fields; i++)
        read_column(columns, &columns->fields[i], &rest);
    return !rest.broken;
}

void columns_free(struct columns *columns)
{
    free(columns->items);
    free(columns->pieces);
    *columns = (struct columns){.items = NULL};
}
