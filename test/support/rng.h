/*
 * A small seeded random number generator (splitmix64), and the seed of a test run, which is printed
 * so that a failing run can be repeated: FT_TEST_SEED=N in the environment, or N as the program's
 * first argument.
 */
#ifndef FT_TEST_SUPPORT_RNG_H
#define FT_TEST_SUPPORT_RNG_H

#include <stddef.h>
#include <stdint.h>

struct rng {
    uint64_t state;
};

static inline uint64_t rng_next(struct rng *rng)
{
    uint64_t mixed = (rng->state += 0x9E3779B97F4A7C15U);
    mixed = (mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9U;
    mixed = (mixed ^ (mixed >> 27)) * 0x94D049BB133111EBU;
    return mixed ^ (mixed >> 31);
}

/* Returns a number in [0, limit). `limit` must not be 0. */
static inline size_t rng_below(struct rng *rng, size_t limit)
{
    return (size_t)(rng_next(rng) % limit);
}

/* Returns a number in [low, high]. */
static inline size_t rng_between(struct rng *rng, size_t low, size_t high)
{
    return low + rng_below(rng, high - low + 1);
}

/*
 * Returns a generator for one thread or one test, independent of the others drawn from the same
 * seed.
 */
static inline struct rng rng_stream(uint64_t seed, uint64_t stream)
{
    struct rng rng = {seed ^ (stream * 0xD1342543DE82EF95U)};
    rng_next(&rng);
    return rng;
}

uint64_t rng_seed_of_run(int argc, char **argv);

#endif
