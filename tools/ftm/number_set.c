#include "number_set.h"

#include "memory.h"

#include <stdlib.h>

enum { FIRST_ROOM = 1024 };

static uint64_t *slot_of(uint64_t *slots, size_t room, uint64_t number)
{
    size_t slot = (number * UINT64_C(0x9e3779b97f4a7c15) >> 20) & (room - 1);

    while (slots[slot] != 0 && slots[slot] != number)
        slot = (slot + 1) & (room - 1);
    return &slots[slot];
}

static void make_room(struct number_set *set)
{
    size_t room = set->room == 0 ? FIRST_ROOM : 2 * set->room;
    uint64_t *slots = memory_new(room, sizeof *slots);

    for (size_t i = 0; i < set->room; i++)
        if (set->slots[i] != 0)
            *slot_of(slots, room, set->slots[i]) = set->slots[i];
    free(set->slots);
    set->slots = slots;
    set->room = room;
}

void number_set_add(struct number_set *set, uint64_t number)
{
    uint64_t *slot;

    if (number == 0) {
        set->zeros = 1;
        return;
    }
    if (2 * set->count >= set->room)
        make_room(set);
    slot = slot_of(set->slots, set->room, number);
    set->count += *slot == 0;
    *slot = number;
}

size_t number_set_count(const struct number_set *set)
{
    return set->count + set->zeros;
}

static int compare(const void *one, const void *other)
{
    uint64_t a = *(const uint64_t *)one, b = *(const uint64_t *)other;

    return (a > b) - (a < b);
}

uint64_t *number_set_sorted(const struct number_set *set)
{
    uint64_t *numbers = memory_new(number_set_count(set) + 1, sizeof *numbers);
    size_t count = set->zeros;

    for (size_t i = 0; i < set->room; i++)
        if (set->slots[i] != 0)
            numbers[count++] = set->slots[i];
    qsort(numbers, count, sizeof *numbers, compare);
    return numbers;
}

void number_set_free(struct number_set *set)
{
    free(set->slots);
    *set = (struct number_set){.slots = NULL};
}
