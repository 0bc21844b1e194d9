/*
 * A field with SNAPSHOT_CALLEE: the return addresses of a tree of callers. An address is told by
 * its rank among those that were last called from the same place.
 */
#ifndef FTM_CALLEES_H
#define FTM_CALLEES_H

#include "number_code.h"
#include "snapshot_columns.h"

/* Whether the values of the field are few enough to be told so. */
bool callees_suit(const struct columns *columns, const struct snapshot_field *field);

/* Writes or reads the field of all items. Returns false if what it reads cannot be right. */
bool callees_code(struct columns *columns, const struct snapshot_field *field,
                  struct range_coder *coder, struct numbers *numbers);

#endif
