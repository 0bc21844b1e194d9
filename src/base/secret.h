/*
 * A number that others cannot guess, constant for the life of the process. It seeds random choices,
 * and encodes the address of the kernel's clock. It is computed from the kernel's random bytes
 * (AT_RANDOM). If the auxiliary vector is out of reach, it is computed from the places where the
 * kernel put the stack and the library.
 */
#ifndef FT_BASE_SECRET_H
#define FT_BASE_SECRET_H

#include <stdint.h>

/*
 * Written once by secret_init(), before there is an arena; constant afterwards. Canaries have keys
 * of their own, so that a leaked canary does not reveal it.
 */
extern uint64_t secret_word;
extern uint64_t secret_canary_keys[2];

/*
 * `environment` is the environment as the kernel laid it on the stack, or NULL. Only the first call
 * has an effect.
 */
void secret_init(char **environment);

/*
 * Spreads each bit of the value over all bits of the result. It is one-to-one: two values never
 * give the same result.
 */
static inline uint64_t secret_scramble(uint64_t value)
{
    value = (value ^ value >> 32) * UINT64_C(0xd6e8feb86659fd93);
    value = (value ^ value >> 32) * UINT64_C(0xd6e8feb86659fd93);
    return value ^ value >> 32;
}

/* Returns the next number of the random sequence whose state is `state`. */
static inline uint64_t secret_random(uint64_t *state)
{
    *state += UINT64_C(0x9e3779b97f4a7c15);
    return secret_scramble(*state);
}

#endif
