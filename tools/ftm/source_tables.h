/*
 * The items of a snapshot's TABLE sections: where in memory they are, and their bytes.
 */
#ifndef FTM_SOURCE_TABLES_H
#define FTM_SOURCE_TABLES_H

#include "pieces.h"

/* Pieces that have items say at which offset in `bytes` these are. source_tables_free() ends it. */
struct source_tables {
    char *bytes;
    uint64_t size;
    struct piece *pieces;
    size_t count, room;
};

/* Returns false if the section is broken, or there is no memory. */
bool source_tables_add(struct source_tables *tables, const void *payload, size_t size);

/* Copies the pieces, with `behind` added to their offsets. Returns how many there are. */
size_t source_tables_copy(const struct source_tables *tables, struct piece *pieces,
                          uint64_t behind);

void source_tables_free(struct source_tables *tables);

#endif
