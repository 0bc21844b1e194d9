/*
 * A table on the screen of `ftm top`: rows of numbers and one name, which can be sorted, filtered
 * and searched.
 */
#ifndef FTM_PANEL_H
#define FTM_PANEL_H

#include "out.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { PANEL_COLUMNS_MAX = 10, PANEL_TEXT = 64 };

enum column_kind {
    COLUMN_NUMBER,      /* 12,345 */
    COLUMN_PLAIN,       /* 12345: a number that is a name */
    COLUMN_SIZE,        /* 1.5 MiB */
    COLUMN_PERCENT,     /* 12.5 % */
    COLUMN_RATE,        /* 12,345/s */
    COLUMN_SIZE_CHANGE, /* +1.5 MiB/s */
    COLUMN_NAME         /* the row's name; the last column */
};

struct column {
    const char *title;
    const char *key; /* in JSON */
    enum column_kind kind;
    int width;
};

struct row {
    double numbers[PANEL_COLUMNS_MAX]; /* of the columns but the name */
    char *name;
};

struct panel {
    const char *title;
    const char *key;
    const char *empty; /* what to show if there are no rows */
    const struct column *columns;
    unsigned column_count;
    unsigned sort;  /* the column to sort by */
    bool ascending; /* else the largest first; names are always sorted the other way round */
    struct row *rows;
    size_t count, room;
};

/* Adds a row, whose numbers are to be filled in; valid until the next call. */
struct row *panel_add(struct panel *panel, const char *name);

/* Removes all rows. */
void panel_clear(struct panel *panel);
void panel_sort(struct panel *panel);

/* The text of a row's column. Returns the buffer, or the row's name. */
const char *panel_text(const struct panel *panel, const struct row *row, unsigned column,
                       char buffer[PANEL_TEXT]);

/* Whether some text of the row contains the filter, in capitals or not. All do if it is empty. */
bool panel_matches(const struct panel *panel, const struct row *row, const char *filter);

/* Prints the title, the columns and at most so many rows, 0 for all. */
void panel_print(const struct panel *panel, struct out *out, size_t rows);
void panel_json(const struct panel *panel, struct json *json, size_t rows);

#endif
