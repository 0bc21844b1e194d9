/*
 * A range coder: bits become as many bytes as their probabilities say, and these are learnt from
 * the bits before. One function writes and reads, so that both learn the same.
 */
#ifndef FTM_RANGE_CODE_H
#define FTM_RANGE_CODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/*
 * How likely a bit is 1, in 65536ths: one estimate that keeps to learn quickly, and one that learns
 * less the more bits it has seen.
 */
struct chance {
    uint16_t quick, slow, seen;
};

struct range_coder {
    uint64_t low, high;
    FILE *out; /* NULL: it reads */
    uint64_t code;
    const unsigned char *at, *end;
    unsigned beyond; /* how many bytes behind the end were read: these are 0 */
};

void range_begin_writing(struct range_coder *coder, FILE *out);
void range_begin_reading(struct range_coder *coder, const void *bytes, size_t size);

/* Writes the bit, or reads it, if the coder reads. Returns it. */
bool range_bit(struct range_coder *coder, struct chance *chance, bool bit);

/* Whether it reads behind the end, so that nothing it returns means anything. */
bool range_is_over(const struct range_coder *coder);

/*
 * After the last bit: writes a mark and what is left, or returns whether the mark is there, so that
 * all bits before were those that were written.
 */
bool range_end(struct range_coder *coder);

/* Of a model that has seen nothing. */
void chances_reset(struct chance *chances, size_t count);

#endif
