/*
 * Distinct numbers, most of which come many times.
 */
#ifndef FTM_NUMBER_SET_H
#define FTM_NUMBER_SET_H

#include <stddef.h>
#include <stdint.h>

/* Begins as zeros. */
struct number_set {
    uint64_t *slots; /* empty: 0 */
    size_t room, count;
    size_t zeros; /* 1 if the number 0 is in it */
};

void number_set_add(struct number_set *set, uint64_t number);

/* Returns how many numbers there are. */
size_t number_set_count(const struct number_set *set);

/* Returns the numbers, sorted; the caller frees them. */
uint64_t *number_set_sorted(const struct number_set *set);

void number_set_free(struct number_set *set);

#endif
