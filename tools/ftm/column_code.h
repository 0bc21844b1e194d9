/*
 * The columns of a TABLE section by a range coder: SNAPSHOT_CODED in debug/snapshot.h.
 */
#ifndef FTM_COLUMN_CODE_H
#define FTM_COLUMN_CODE_H

#include "range_code.h"
#include "snapshot_columns.h"

/* Writes all fields of all items, or reads them. Returns false if what it reads cannot be right. */
bool columns_code(struct columns *columns, struct range_coder *coder);

#endif
