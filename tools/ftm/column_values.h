/*
 * What a column of a TABLE section has for an item instead of the field's value: enum snapshot_how.
 */
#ifndef FTM_COLUMN_VALUES_H
#define FTM_COLUMN_VALUES_H

#include "snapshot_columns.h"

/* The value of a field. */
uint64_t column_value(const char *item, const struct snapshot_field *field);

/* What the column has for item `number`; `last` is column_last() of the item before, or 0. */
uint64_t column_told(const struct columns *columns, const struct snapshot_field *field,
                     uint64_t number, uint64_t last);

/* Undoes that, and stores the value in the item, of which earlier fields have theirs. */
void column_store(struct columns *columns, const struct snapshot_field *field, uint64_t number,
                  uint64_t told, uint64_t last);

/* What the difference of the next item is from, with FROM_LAST. */
uint64_t column_last(const struct columns *columns, const struct snapshot_field *field,
                     uint64_t number);

#endif
