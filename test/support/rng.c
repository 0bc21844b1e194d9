/*
 * Chooses and prints the seed of a test run.
 */
#include "support/rng.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

uint64_t rng_seed_of_run(int argc, char **argv)
{
    const char *given = argc > 1 ? argv[1] : getenv("FT_TEST_SEED");
    uint64_t seed = 0;
    if (given != NULL && *given != '\0') {
        seed = strtoull(given, NULL, 0);
    } else {
        struct timespec now;
        clock_gettime(CLOCK_REALTIME, &now);
        struct rng mixer = {(uint64_t)now.tv_sec ^ ((uint64_t)now.tv_nsec << 20) ^
                            (uint64_t)getpid()};
        seed = rng_next(&mixer) >> 32;
    }
    printf("seed: %" PRIu64 " (repeat with FT_TEST_SEED=%" PRIu64 ")\n", seed, seed);
    (void)fflush(stdout);
    return seed;
}
