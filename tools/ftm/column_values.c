/*
 * All arithmetic is modulo 2^64, so that any value comes back as it was.
 */
#include "column_values.h"

#include <string.h>

uint64_t column_value(const char *item, const struct snapshot_field *field)
{
    uint64_t value = 0;

    memcpy(&value, item + field->offset, field->size);
    return value;
}

static const char *item_at(const struct columns *columns, uint64_t number)
{
    return columns->items + number * columns->item_bytes;
}

static uint64_t base_of(const struct columns *columns, const struct snapshot_field *field,
                        const char *item)
{
    return field->how & SNAPSHOT_FROM_BASE ? column_value(item, &columns->fields[field->base]) : 0;
}

static uint64_t folded(uint64_t difference)
{
    return difference >> 63 ? ~(difference << 1) : difference << 1;
}

static uint64_t unfolded(uint64_t number)
{
    return number & 1 ? ~(number >> 1) : number >> 1;
}

/* Goes from item to item by the numbers in a field. Returns 0 if that leads nowhere. */
static uint64_t step(const struct columns *columns, const struct snapshot_field *field,
                     uint64_t from)
{
    uint64_t to = column_value(item_at(columns, from), field);

    return to < from ? to : 0;
}

static uint64_t as_ancestor(const struct columns *columns, const struct snapshot_field *field,
                            uint64_t number, uint64_t value)
{
    uint64_t at = number == 0 ? 0 : number - 1;

    for (unsigned k = 0; k <= SNAPSHOT_STEPS && at >= value; k++) {
        if (at == value)
            return 2 * (uint64_t)k;
        at = step(columns, field, at);
    }
    return 2 * value + 1;
}

static uint64_t from_ancestor(const struct columns *columns, const struct snapshot_field *field,
                              uint64_t number, uint64_t told)
{
    uint64_t at = number == 0 ? 0 : number - 1;

    if (told & 1)
        return told >> 1;
    for (uint64_t k = 0; k < told >> 1 && k < SNAPSHOT_STEPS; k++)
        at = step(columns, field, at);
    return at;
}

uint64_t column_told(const struct columns *columns, const struct snapshot_field *field,
                     uint64_t number, uint64_t last)
{
    const char *item = item_at(columns, number);
    uint64_t value = column_value(item, field), told = value - base_of(columns, field, item);

    if (field->how & SNAPSHOT_ANCESTOR)
        return as_ancestor(columns, field, number, value);
    if ((field->how & (SNAPSHOT_FROM_LAST | SNAPSHOT_FROM_BASE)) == 0)
        return value;
    return folded(field->how & SNAPSHOT_FROM_LAST ? told - last : told);
}

void column_store(struct columns *columns, const struct snapshot_field *field, uint64_t number,
                  uint64_t told, uint64_t last)
{
    char *item = columns->items + number * columns->item_bytes;
    uint64_t value = told;

    if (field->how & SNAPSHOT_ANCESTOR)
        value = from_ancestor(columns, field, number, told);
    else if (field->how & (SNAPSHOT_FROM_LAST | SNAPSHOT_FROM_BASE))
        value = unfolded(told) + (field->how & SNAPSHOT_FROM_LAST ? last : 0) +
                base_of(columns, field, item);
    memcpy(item + field->offset, &value, field->size);
}

uint64_t column_last(const struct columns *columns, const struct snapshot_field *field,
                     uint64_t number)
{
    const char *item = item_at(columns, number);

    return column_value(item, field) - base_of(columns, field, item);
}
