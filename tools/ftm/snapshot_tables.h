/*
 * The tables of the modes as a snapshot has them: in columns, and without free entries and indices.
 * Most of what a recording has is in them, and columns become a few times smaller.
 */
#ifndef FTM_SNAPSHOT_TABLES_H
#define FTM_SNAPSHOT_TABLES_H

#include "ranges.h"

struct view;

enum { SNAPSHOT_TABLE_COUNT = 3 };

/* The payloads of TABLE sections. One without bytes is not to be written. */
struct snapshot_tables {
    struct {
        char *bytes;
        size_t size;
    } of[SNAPSHOT_TABLE_COUNT];
    struct ranges blocks; /* the memory that they are of */
};

void snapshot_tables_read(struct view *view, struct snapshot_tables *tables);
void snapshot_tables_free(struct snapshot_tables *tables);

#endif
