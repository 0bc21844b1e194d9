/*
 * The distinct addresses are listed first, sorted. An item has the rank of its address among the
 * RECENT ones that were last called from its caller's address, counted from 1; or 0, and how far
 * from the first of these, or from the item before, its address is in the sorted list.
 */
#include "callees.h"

#include "column_values.h"
#include "memory.h"
#include "number_set.h"
#include "search.h"

#include <stdlib.h>
#include <string.h>

enum { RECENT = 16, MOST = 1 << 20, FEW = 3 };

struct callees {
    uint64_t *values; /* sorted */
    size_t count;
    uint32_t *of;               /* for each item, where its value is in the list */
    uint32_t (*recent)[RECENT]; /* for each value, and for none: values, counted from 1 */
    struct numbers *ranks, *others;
    bool missed; /* whether the item before had no rank */
    bool broken;
};

static void list_values(const struct columns *columns, const struct snapshot_field *field,
                        struct callees *callees)
{
    struct number_set set = {.slots = NULL};

    for (size_t i = 0; i < columns->count; i++)
        number_set_add(&set, column_value(columns->items + i * columns->item_bytes, field));
    callees->values = number_set_sorted(&set);
    callees->count = number_set_count(&set);
    number_set_free(&set);
}

bool callees_suit(const struct columns *columns, const struct snapshot_field *field)
{
    struct callees callees = {.count = 0};

    list_values(columns, field, &callees);
    free(callees.values);
    return callees.count <= MOST;
}

static void code_list(const struct columns *columns, struct callees *callees,
                      struct range_coder *coder, struct numbers *numbers)
{
    struct number_before before = {.guessed = false};
    uint64_t last = 0;

    callees->count = number_code(coder, numbers, &before, callees->count);
    if (callees->count > MOST || callees->count > columns->count)
        callees->broken = true;
    if (callees->broken)
        return;
    if (callees->values == NULL)
        callees->values = memory_new(callees->count + 1, sizeof *callees->values);
    for (size_t i = 0; i < callees->count && !range_is_over(coder); i++) {
        uint64_t more = number_code(coder, numbers, &before, callees->values[i] - last);

        callees->values[i] = last += more;
        before.context = number_length(more);
    }
}

static uint32_t place_of(const struct callees *callees, uint64_t value)
{
    return value == 0 ? 0
                      : (uint32_t)search_above(callees->values, callees->count,
                                               sizeof *callees->values, 0, value - 1);
}

/* Where the value is among those of its caller, or RECENT. */
static unsigned rank_of(const uint32_t *recent, uint32_t value)
{
    unsigned rank = 0;

    while (rank < RECENT && recent[rank] != value + 1)
        rank++;
    return rank;
}

static void move_to_front(uint32_t *recent, unsigned rank, uint32_t value)
{
    rank = rank < RECENT ? rank : RECENT - 1;
    memmove(recent + 1, recent, rank * sizeof *recent);
    recent[0] = value + 1;
}

static uint32_t code_other(struct range_coder *coder, struct callees *callees, uint32_t from,
                           bool of_caller, uint32_t value)
{
    struct number_before before = {.context = of_caller};
    int64_t distance = (int64_t)value - from;
    uint64_t told = distance < 0 ? ~((uint64_t)distance << 1) : (uint64_t)distance << 1;

    told = number_code(coder, callees->others, &before, told);
    return from + (uint32_t)(told & 1 ? ~(told >> 1) : told >> 1);
}

static uint32_t code_item(struct range_coder *coder, struct callees *callees, uint32_t *recent,
                          const struct number_before *before, uint32_t last, uint32_t value)
{
    unsigned rank = coder->out == NULL ? 0 : rank_of(recent, value);
    uint64_t told = number_code(coder, callees->ranks, before, rank < RECENT ? rank + 1 : 0);

    callees->missed = told == 0;
    if (told == 0) {
        value = code_other(coder, callees, recent[0] != 0 ? recent[0] - 1 : last, recent[0] != 0,
                           value);
        rank = RECENT;
    } else {
        rank = told <= RECENT ? (unsigned)told - 1 : 0;
        value = recent[rank] - 1;
    }
    if (value >= callees->count) {
        callees->broken = true;
        return 0;
    }
    move_to_front(recent, rank, value);
    return value;
}

static void code_items(struct columns *columns, const struct snapshot_field *field,
                       struct range_coder *coder, struct callees *callees)
{
    uint32_t last = 0;

    for (size_t i = 0; i < columns->count && !callees->broken && !range_is_over(coder); i++) {
        char *item = columns->items + i * columns->item_bytes;
        uint64_t caller = column_value(item, &columns->fields[field->base]);
        uint32_t *recent = callees->recent[caller < i ? callees->of[caller] : callees->count];
        struct number_before before = {.context = 0};
        uint64_t value;

        while (before.context < FEW && recent[before.context] != 0)
            before.context++;
        before.context = before.context << 2 | (caller + 1 != i) << 1 | callees->missed;
        value = column_value(item, field);
        if (coder->out != NULL)
            last = code_item(coder, callees, recent, &before, last, place_of(callees, value));
        else
            last = code_item(coder, callees, recent, &before, last, 0);
        callees->of[i] = last;
        memcpy(item + field->offset, &callees->values[last], field->size);
    }
}

bool callees_code(struct columns *columns, const struct snapshot_field *field,
                  struct range_coder *coder, struct numbers *numbers)
{
    struct callees callees = {.ranks = numbers_new(), .others = numbers_new()};

    numbers_reset(callees.ranks);
    numbers_reset(callees.others);
    if (coder->out != NULL)
        list_values(columns, field, &callees);
    code_list(columns, &callees, coder, numbers);
    if (!callees.broken) {
        callees.of = memory_new(columns->count + 1, sizeof *callees.of);
        callees.recent = memory_new(callees.count + 1, sizeof *callees.recent);
        code_items(columns, field, coder, &callees);
    }
    free(callees.values);
    free(callees.of);
    free(callees.recent);
    numbers_free(callees.ranks);
    numbers_free(callees.others);
    return !callees.broken;
}
