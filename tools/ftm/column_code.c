#include "column_code.h"

#include "callees.h"
#include "column_values.h"
#include "memory.h"
#include "number_code.h"

#include <stdlib.h>

/* What the next number of a column follows from. */
struct before_item {
    uint64_t told, told_before; /* for the last two items */
    uint64_t last;
};

/* Values of the same item in the two columns before. */
static uint64_t beside(const struct columns *columns, unsigned number, const char *item)
{
    uint64_t one = number > 0 ? column_value(item, &columns->fields[number - 1]) : 0;
    uint64_t other = number > 1 ? column_value(item, &columns->fields[number - 2]) : 0;

    return one * UINT64_C(0xd6e8feb86659fd93) + other;
}

/* `lengths` has those of the column before, and gets those of this one. */
static void code_column(struct columns *columns, unsigned number, struct range_coder *coder,
                        struct numbers *numbers, unsigned char *lengths)
{
    const struct snapshot_field *field = &columns->fields[number];
    struct before_item past = {.told = 0};

    for (size_t i = 0; i < columns->count && !range_is_over(coder); i++) {
        const struct number_before before = {
            .context = number > 0 ? lengths[i] : number_length(past.told),
            .guessed = (field->how & SNAPSHOT_GUESSED) != 0,
            .keys = {beside(columns, number, columns->items + i * columns->item_bytes),
                     past.told * UINT64_C(0xd6e8feb86659fd93) + past.told_before, past.told}};
        uint64_t told = coder->out == NULL ? 0 : column_told(columns, field, i, past.last);

        told = number_code(coder, numbers, &before, told);
        if (coder->out == NULL)
            column_store(columns, field, i, told, past.last);
        past = (struct before_item){told, past.told, column_last(columns, field, i)};
        lengths[i] = (unsigned char)number_length(told);
    }
}

bool columns_code(struct columns *columns, struct range_coder *coder)
{
    struct numbers *numbers = numbers_new();
    unsigned char *lengths = memory_new(columns->count + 1, 1);
    bool right = true;

    for (unsigned number = 0; number < columns->field_count && right; number++) {
        numbers_reset(numbers);
        if (columns->fields[number].how & SNAPSHOT_CALLEE)
            right = callees_code(columns, &columns->fields[number], coder, numbers);
        else
            code_column(columns, number, coder, numbers, lengths);
    }
    free(lengths);
    numbers_free(numbers);
    return range_end(coder) && right;
}
