/*
 * A number that others cannot guess, the same for the life of the process: what free chunks hold is
 * encoded with it, and random choices begin with it. From the kernel (AT_RANDOM), or where the
 * auxiliary vector is out of reach, from where the kernel put the stack and the library.
 */
#ifndef FT_BASE_SECRET_H
#define FT_BASE_SECRET_H

#include <stdint.h>

/*
 * Written once by secret_init(), before there is an arena; constant afterwards. The keys of
 * canaries are others: who reads a canary must not know what parcels are encoded with.
 */
extern uint64_t secret_word;
extern uint64_t secret_canary_keys[2];

/* `environment`: as the kernel laid it on the stack, or NULL. Only the first call does anything. */
void secret_init(char **environment);

/*
 * Spreads each bit of the value over all bits of the result, and back: no two values give the same.
 */
static inline uint64_t secret_scramble(uint64_t value)
{
    value = (value ^ value >> 32) * UINT64_C(0xd6e8feb86659fd93);
    value = (value ^ value >> 32) * UINT64_C(0xd6e8feb86659fd93);
    return value ^ value >> 32;
}

/* The next of a row of numbers that begins with `state`. */
static inline uint64_t secret_random(uint64_t *state)
{
    *state += UINT64_C(0x9e3779b97f4a7c15);
    return secret_scramble(*state);
}

#endif
