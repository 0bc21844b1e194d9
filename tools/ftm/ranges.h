/*
 * Sets of address ranges: collected in any order, then sorted and joined.
 */
#ifndef FTM_RANGES_H
#define FTM_RANGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct range {
    uint64_t start, end;
};

struct ranges {
    struct range *list;
    size_t count, room;
};

/* Adds a range; one that is empty or runs over the end of address space is left out. */
void ranges_add(struct ranges *ranges, uint64_t start, uint64_t size);

/* Sorts the ranges and joins those that overlap or touch. */
void ranges_join(struct ranges *ranges);

/* Calls `visit` for each part of [start, end) that is in none of the joined ranges. */
void ranges_outside(const struct ranges *ranges, uint64_t start, uint64_t end,
                    void (*visit)(void *context, uint64_t start, uint64_t end), void *context);

/* Returns whether the address is in one of the joined ranges. */
bool ranges_have(const struct ranges *ranges, uint64_t address);

/* Returns how many bytes of [start, end) are in the joined ranges. */
uint64_t ranges_overlap(const struct ranges *ranges, uint64_t start, uint64_t end);

void ranges_free(struct ranges *ranges);

#endif
