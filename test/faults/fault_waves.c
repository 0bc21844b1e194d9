/*
 * `fault_waves THREADS SEED`: so many threads in waves of 1 to 32, which end in every possible way:
 * they return, exit, or are cancelled; some are detached, and nobody joins them. Prints the memory
 * of the process early and in the end, in KiB.
 */
#include "faults/slots.h"
#include "faults/status.h"
#include "support/require.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>

enum { WAVE_MOST = 32, STEPS = 20 };

static sem_t ended;
static uint64_t seed;

static void *work(void *argument)
{
    struct rng rng = rng_stream(seed, (uint64_t)(uintptr_t)argument);
    for (unsigned n = 0; n < STEPS; n++)
        slots_change(&rng);
    sem_post(&ended);
    switch (rng_below(&rng, 3)) {
    case 0:
        pthread_exit(NULL);
    case 1:
        pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, NULL);
        pthread_cancel(pthread_self());
        pthread_testcancel();
        return NULL;
    default:
        return NULL;
    }
}

/* Returns the number of threads. */
static size_t run_wave(size_t first, size_t most, struct rng *rng)
{
    pthread_t threads[WAVE_MOST];
    size_t count = rng_between(rng, 1, WAVE_MOST);
    size_t detached = rng_below(rng, count);
    count = count < most ? count : most;
    for (size_t t = 0; t < count; t++)
        REQUIRE(pthread_create(&threads[t], NULL, work, (void *)(first + t)) == 0, "no thread");
    for (size_t t = 0; t < count; t++)
        REQUIRE((t < detached ? pthread_detach(threads[t]) : pthread_join(threads[t], NULL)) == 0,
                "cannot join");
    for (size_t t = 0; t < count; t++)
        sem_wait(&ended);
    return count;
}

int main(int argc, char **argv)
{
    REQUIRE(argc == 3, "usage: fault_waves THREADS SEED");
    size_t most = strtoul(argv[1], NULL, 10), count = 0;
    seed = strtoull(argv[2], NULL, 10);
    struct rng rng = rng_stream(seed, 0);
    sem_init(&ended, 0, 0);
    while (count < most / 4)
        count += run_wave(count + 1, most - count, &rng);
    size_t early = status_kib("VmRSS:");
    while (count < most)
        count += run_wave(count + 1, most - count, &rng);
    printf("%zu threads, resident %zu to %zu KiB\n", count, early, status_kib("VmRSS:"));
    slots_discard_all();
    return 0;
}
