/*
 * Each piece of a table becomes one of what the items fill of it, and one of zeros.
 */
#include "source_tables.h"

#include "memory.h"
#include "snapshot_columns.h"

#include <stdlib.h>
#include <string.h>

/* All items together; the library's own cap is far lower, and a broken file may say anything. */
static const uint64_t MOST = UINT64_C(1) << 30;

static void add_piece(struct source_tables *tables, const struct piece *piece)
{
    if (piece->start == piece->end)
        return;
    tables->pieces =
        memory_grow(tables->pieces, &tables->room, tables->count, sizeof *tables->pieces);
    tables->pieces[tables->count++] = *piece;
}

static void add_pieces(struct source_tables *tables, const struct columns *columns)
{
    uint64_t offset = tables->size, left = columns->count * columns->item_bytes;

    for (size_t i = 0; i < columns->piece_count; i++) {
        uint64_t start = columns->pieces[i].address, size, filled;

        if (__builtin_mul_overflow(columns->pieces[i].items, columns->item_bytes, &size) ||
            start + size < start)
            continue;
        filled = size < left ? size : left;
        add_piece(tables, &(struct piece){start, start + filled, offset, false});
        add_piece(tables, &(struct piece){start + filled, start + size, 0, true});
        offset += filled;
        left -= filled;
    }
}

bool source_tables_add(struct source_tables *tables, const void *payload, size_t size)
{
    struct columns columns;
    char *larger = NULL;

    if (columns_read(&columns, payload, size, MOST - tables->size)) {
        uint64_t bytes = columns.count * columns.item_bytes;

        larger = realloc(tables->bytes, tables->size + bytes + 1);
        if (larger != NULL) {
            memcpy(larger + tables->size, columns.items, bytes);
            tables->bytes = larger;
            add_pieces(tables, &columns);
            tables->size += bytes;
        }
    }
    columns_free(&columns);
    return larger != NULL;
}

size_t source_tables_copy(const struct source_tables *tables, struct piece *pieces, uint64_t behind)
{
    for (size_t i = 0; i < tables->count; i++) {
        pieces[i] = tables->pieces[i];
        pieces[i].offset += behind;
    }
    return tables->count;
}

void source_tables_free(struct source_tables *tables)
{
    free(tables->bytes);
    free(tables->pieces);
}
