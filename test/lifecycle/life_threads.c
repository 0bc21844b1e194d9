/*
 * `life_threads WAVES THREADS`: waves of threads that are all alive at once, allocate, exchange
 * chunks with the previous wave, and end with chunks still live. Prints memory after the warm-up
 * and at the end, in KiB.
 */
#include "support/pattern.h"
#include "support/require.h"
#include "support/rng.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAXIMUM_THREADS = 64, KEPT = 20, STEPS = 150, LOCAL = 30 };

struct kept {
    void *chunk;
    size_t size;
};

static struct kept kept[MAXIMUM_THREADS][KEPT];
static pthread_barrier_t all_alive;
static size_t threads;

static struct kept make(struct rng *rng)
{
    size_t size = rng_below(rng, rng_below(rng, 30) == 0 ? 300000 : 2000);
    void *chunk = malloc(size);
    REQUIRE(chunk != NULL, "no memory for %zu bytes", size);
    pattern_write(chunk, 0, size, size);
    return (struct kept){chunk, size};
}

static void discard(struct kept *one)
{
    if (one->chunk == NULL)
        return;
    REQUIRE(pattern_mismatch(one->chunk, one->size, one->size) == one->size, "a chunk was changed");
    free(one->chunk);
    one->chunk = NULL;
}

/* Frees what its neighbour of the previous wave left, and leaves the same number of chunks. */
static void *work(void *argument)
{
    size_t index = (size_t)argument % threads;
    struct rng rng = rng_stream(11, (uint64_t)(uintptr_t)argument);
    struct kept local[LOCAL] = {0};
    for (size_t n = 0; n < STEPS; n++) {
        struct kept *one = &local[rng_below(&rng, LOCAL)];
        discard(one);
        *one = make(&rng);
    }
    for (size_t n = 0; n < LOCAL; n++)
        discard(&local[n]);
    pthread_barrier_wait(&all_alive);
    struct kept *neighbours = kept[(index + 1) % threads];
    for (size_t n = 0; n < KEPT; n++)
        discard(&neighbours[n]);
    pthread_barrier_wait(&all_alive);
    for (size_t n = 0; n < KEPT; n++)
        kept[index][n] = make(&rng);
    return NULL;
}

static void run_wave(size_t wave)
{
    pthread_t all[MAXIMUM_THREADS];
    for (size_t t = 0; t < threads; t++)
        REQUIRE(pthread_create(&all[t], NULL, work, (void *)(wave * threads + t)) == 0,
                "pthread_create failed");
    for (size_t t = 0; t < threads; t++)
        pthread_join(all[t], NULL);
}

static size_t status_value(const char *name)
{
    char line[200];
    size_t value = 0;
    FILE *file = fopen("/proc/self/status", "re");
    REQUIRE(file != NULL, "no /proc/self/status");
    while (fgets(line, sizeof line, file) != NULL)
        if (strncmp(line, name, strlen(name)) == 0)
            value = strtoul(line + strlen(name), NULL, 10);
    (void)fclose(file);
    return value;
}

int main(int argc, char **argv)
{
    REQUIRE(argc == 3, "usage: life_threads WAVES THREADS");
    size_t waves = strtoul(argv[1], NULL, 10);
    threads = strtoul(argv[2], NULL, 10);
    REQUIRE(threads > 0 && threads <= MAXIMUM_THREADS, "too many threads");
    pthread_barrier_init(&all_alive, NULL, (unsigned)threads);
    for (size_t wave = 0; wave < waves / 4; wave++)
        run_wave(wave);
    size_t early_size = status_value("VmSize:");
    size_t early_resident = status_value("VmRSS:");
    for (size_t wave = waves / 4; wave < waves; wave++)
        run_wave(wave);
    printf("%zu threads, size %zu to %zu, resident %zu to %zu\n", waves * threads, early_size,
           status_value("VmSize:"), early_resident, status_value("VmRSS:"));
    for (size_t n = 0; n < threads * KEPT; n++)
        discard(&kept[n / KEPT][n % KEPT]);
    return 0;
}
