/*
 * Columns of a TABLE section, as debug/snapshot.h describes them: making them, and reading them
 * from a file that may be broken.
 */
#ifndef FTM_SNAPSHOT_COLUMNS_H
#define FTM_SNAPSHOT_COLUMNS_H

#include "debug/snapshot.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { COLUMN_FIELDS = 32 };

/* An array, and the memory that it belongs to. columns_free() ends it. */
struct columns {
    char *items;
    size_t count;
    uint32_t item_bytes;
    unsigned field_count;
    struct snapshot_field fields[COLUMN_FIELDS];
    struct snapshot_piece *pieces;
    size_t piece_count, piece_room, room; /* room: in items */
};

/* Returns the payload, which the caller frees, or NULL if there is no memory. */
char *columns_write(struct columns *columns, size_t *size);

/* Returns false if the payload is broken, or would need more than `most` bytes. */
bool columns_read(struct columns *columns, const void *payload, size_t size, uint64_t most);

void columns_free(struct columns *columns);

#endif
