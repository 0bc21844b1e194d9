/*
 * Rows of doubles, because they hold sizes, shares and rates alike, exactly up to 2^53.
 */
#include "panel.h"

#include "memory.h"
#include "table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct row *panel_add(struct panel *panel, const char *name)
{
    panel->rows = memory_grow(panel->rows, &panel->room, panel->count, sizeof(*panel->rows));
    panel->rows[panel->count] = (struct row){.name = memory_text(name, strlen(name))};
    return &panel->rows[panel->count++];
}

void panel_clear(struct panel *panel)
{
    for (size_t i = 0; i < panel->count; i++)
        free(panel->rows[i].name);
    free(panel->rows);
    panel->rows = NULL;
    panel->count = panel->room = 0;
}

static const struct panel *sorted;

static int compare_rows(const void *one, const void *other)
{
    const struct row *a = one, *b = other;
    bool by_name = sorted->columns[sorted->sort].kind == COLUMN_NAME;
    double ours = by_name ? 0 : a->numbers[sorted->sort];
    double theirs = by_name ? 0 : b->numbers[sorted->sort];
    int order = ours < theirs ? 1 : ours > theirs ? -1 : strcmp(a->name, b->name);

    return sorted->ascending ? -order : order;
}

void panel_sort(struct panel *panel)
{
    sorted = panel;
    if (panel->count > 0)
        qsort(panel->rows, panel->count, sizeof(*panel->rows), compare_rows);
}

static uint64_t whole(double number)
{
    return number > 0 ? (uint64_t)(number + 0.5) : 0;
}

const char *panel_text(const struct panel *panel, const struct row *row, unsigned column,
                       char buffer[PANEL_TEXT])
{
    double number = row->numbers[column];
    char text[NUMBER_TEXT];

    switch (panel->columns[column].kind) {
    case COLUMN_NAME:
        return row->name;
    case COLUMN_PLAIN:
        snprintf(buffer, PANEL_TEXT, "%.0f", number);
        break;
    case COLUMN_SIZE:
        snprintf(buffer, PANEL_TEXT, "%s", size_text(whole(number), text));
        break;
    case COLUMN_PERCENT:
        snprintf(buffer, PANEL_TEXT, "%.1f %%", number);
        break;
    case COLUMN_RATE:
        snprintf(buffer, PANEL_TEXT, "%s/s", number_text(whole(number), text));
        break;
    case COLUMN_SIZE_CHANGE:
        snprintf(buffer, PANEL_TEXT, "%s/s", signed_size_text((int64_t)number, text));
        break;
    case COLUMN_NUMBER:
        snprintf(buffer, PANEL_TEXT, "%s", number_text(whole(number), text));
        break;
    }
    return buffer;
}

bool panel_matches(const struct panel *panel, const struct row *row, const char *filter)
{
    char buffer[PANEL_TEXT];

    if (filter[0] == '\0')
        return true;
    for (unsigned i = 0; i < panel->column_count; i++)
        if (strcasestr(panel_text(panel, row, i, buffer), filter) != NULL)
            return true;
    return false;
}

void panel_print(const struct panel *panel, struct out *out, size_t rows)
{
    char buffer[PANEL_TEXT];

    out_format(out, "%s\n", panel->title);
    if (panel->count == 0) {
        out_format(out, "  %s\n", panel->empty);
        return;
    }
    for (unsigned i = 0; i < panel->column_count; i++)
        out_format(out, i + 1 < panel->column_count ? "%*s" : "  %-*s", panel->columns[i].width,
                   panel->columns[i].title);
    out_text(out, "\n");
    for (size_t r = 0; r < panel->count && (rows == 0 || r < rows); r++) {
        for (unsigned i = 0; i + 1 < panel->column_count; i++)
            out_format(out, "%*s", panel->columns[i].width,
                       panel_text(panel, &panel->rows[r], i, buffer));
        out_text(out, "  ");
        print_name(out, panel->rows[r].name, strlen(panel->rows[r].name));
        out_text(out, "\n");
    }
}

static void put_json(struct json *json, const struct column *column, const struct row *row,
                     double number)
{
    if (column->kind == COLUMN_NAME)
        json_string(json, column->key, row->name);
    else if (column->kind == COLUMN_SIZE_CHANGE)
        json_signed(json, column->key, (int64_t)number);
    else if (column->kind == COLUMN_PERCENT || column->kind == COLUMN_RATE)
        json_real(json, column->key, number);
    else
        json_number(json, column->key, whole(number));
}

void panel_json(const struct panel *panel, struct json *json, size_t rows)
{
    json_array(json, panel->key);
    for (size_t r = 0; r < panel->count && (rows == 0 || r < rows); r++) {
        json_object(json, NULL);
        for (unsigned i = 0; i < panel->column_count; i++) {
            put_json(json, &panel->columns[i], &panel->rows[r], panel->rows[r].numbers[i]);
        }
        json_close(json);
    }
    json_close(json);
}
