/*
 * Small things that the parts of the view share.
 */
#include "view_private.h"

#include "command.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void *array_add(struct array *array)
{
    if (array->count == array->room && !array->failed) {
        size_t room = array->room == 0 ? 64 : 2 * array->room;
        char *larger = reallocarray(array->items, room, array->item_size);

        if (larger == NULL) {
            array->failed = true;
        } else {
            array->items = larger;
            array->room = room;
        }
    }
    return array->failed ? NULL : array->items + array->count++ * array->item_size;
}

void array_end(struct array *array)
{
    free(array->items);
    array->items = NULL;
    array->count = array->room = 0;
}

int view_no_memory(void)
{
    say_error(ENOMEM, "cannot read the heap");
    return VIEW_ERROR;
}

uint16_t get16(const void *record, uint32_t offset)
{
    uint16_t value;

    memcpy(&value, (const char *)record + offset, sizeof value);
    return value;
}

uint32_t get32(const void *record, uint32_t offset)
{
    uint32_t value;

    memcpy(&value, (const char *)record + offset, sizeof value);
    return value;
}

uint64_t get64(const void *record, uint32_t offset)
{
    uint64_t value;

    memcpy(&value, (const char *)record + offset, sizeof value);
    return value;
}

/* Brent's: the mark moves to the present item whenever the number of steps has doubled. */
bool list_goes_on(struct list_walk *walk, uint64_t item)
{
    if (walk->steps > 0 && item == walk->mark)
        return false;
    if (walk->steps++ >= walk->limit) {
        walk->mark = item;
        walk->limit = 2 * walk->limit + 1;
    }
    return true;
}
