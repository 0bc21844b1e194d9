/*
 * The arithmetic of sampling. Each byte that a program allocates is sampled with the same small
 * probability, and a chunk is if one of its bytes is. So the distances between samples are
 * exponentially distributed, and a chunk of S bytes is sampled with probability 1 - exp(-S / R),
 * where R is the mean distance. Each sample then stands for one over that probability.
 *
 * No function needs the mathematics library. Any thread may call them.
 */
#ifndef FT_DEBUG_POISSON_H
#define FT_DEBUG_POISSON_H

#include <stddef.h>
#include <stdint.h>

/* The mean distances that can be used. */
enum { POISSON_MIN = 1, POISSON_MAX = 1 << 30 };

/*
 * Returns the number of bytes up to and including the next one that is sampled, at least 1.
 * `random` is the state of a sequence of secret_random().
 */
uint64_t poisson_gap(uint64_t *random, uint64_t mean);

/* What a sampled chunk stands for. */
struct poisson_weight {
    uint32_t count; /* chunks: rounded up or down at random, so that the mean is exact */
    uint64_t bytes;
};

/*
 * Returns what a sampled chunk of `size` bytes stands for. Each chunk counts as one byte longer
 * than it is, so that chunks of 0 bytes are sampled, too.
 */
struct poisson_weight poisson_weigh(uint64_t *random, size_t size, uint64_t mean);

/* Return -ln(value), for 0 < value <= 1; and 1 - exp(-value), for value >= 0. */
double poisson_minus_ln(double value);
double poisson_probability(double value);

#endif
