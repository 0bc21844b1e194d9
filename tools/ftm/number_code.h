/*
 * Numbers of a column by a range coder: how many bits a number has, then these bits, each as likely
 * as it was before. Numbers that follow from others in some way are guessed first.
 */
#ifndef FTM_NUMBER_CODE_H
#define FTM_NUMBER_CODE_H

#include "range_code.h"

enum { NUMBER_GUESSES = 3 };

struct numbers;

struct numbers *numbers_new(void);
void numbers_free(struct numbers *numbers);

/* Forgets all that was learnt: another column begins. */
void numbers_reset(struct numbers *numbers);

/* What is known before a number: a number below 65 that its length may depend on. */
struct number_before {
    unsigned context;
    /* If it is guessed: the number was the same when one of these was, perhaps. */
    bool guessed;
    uint64_t keys[NUMBER_GUESSES];
};

/* Writes the number, or reads it. Returns it. */
uint64_t number_code(struct range_coder *coder, struct numbers *numbers,
                     const struct number_before *before, uint64_t number);

/* Returns how many bits it has, which is below 65. */
unsigned number_length(uint64_t number);

#endif
