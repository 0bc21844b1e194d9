/*
 * life_idle MODE SIZE: 32 threads allocate a burst in chunks of SIZE bytes and sleep while the main
 * thread measures. MODE says who frees the burst, and what happens then:
 *   trim     each thread frees its own and sleeps; the main thread calls malloc_trim()
 *   remote   the main thread frees everything, and then calls malloc_trim()
 *   hits     the main thread does what it does in `remote`, while the owners' caches serve pairs of
 *            malloc and free
 *   work     each thread frees its own and sleeps; the main thread works on for two seconds
 *   wait     each thread frees its own, and all threads sleep for two seconds
 * Prints resident memory in KiB: with the burst live, after it was freed (in `work` and `wait` two
 * seconds later), and at the end.
 */
#include "support/require.h"
#include "support/resident.h"

#include <malloc.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { THREADS = 32, BURST_BYTES = 8 << 20, KEPT = 1000, SETTLE_MS = 300, IDLE_MS = 2000 };

struct burst {
    void **chunks;
    size_t count;
};

static struct burst bursts[THREADS];
static size_t size;
static bool owners_free, owners_hit;
/* Written by the main thread, and read by the others; nothing else depends on it. */
static atomic_bool over;
static pthread_barrier_t step;

static void pause_ms(long milliseconds)
{
    struct timespec pause = {milliseconds / 1000, milliseconds % 1000 * 1000000};

    nanosleep(&pause, NULL);
}

static void burst_free(struct burst *burst)
{
    for (size_t n = 0; n < burst->count; n++)
        free(burst->chunks[n]);
    free(burst->chunks);
}

static void *work(void *argument)
{
    struct burst *burst = argument;

    burst->count = BURST_BYTES / size;
    burst->chunks = malloc(burst->count * sizeof *burst->chunks);
    REQUIRE(burst->chunks != NULL, "no memory");
    for (size_t n = 0; n < burst->count; n++) {
        burst->chunks[n] = malloc(size);
        REQUIRE(burst->chunks[n] != NULL, "no memory");
        memset(burst->chunks[n], 1, size);
    }
    /* The main thread reads the memory in between. */
    pthread_barrier_wait(&step);
    pthread_barrier_wait(&step);
    if (owners_free)
        burst_free(burst);
    pthread_barrier_wait(&step);
    while (owners_hit && !atomic_load_explicit(&over, memory_order_relaxed)) {
        free(malloc(64));
        pause_ms(1);
    }
    pthread_barrier_wait(&step);
    return NULL;
}

/* More chunks than a stack of free chunks holds, so some of these calls are slow. */
static void go_on(long milliseconds)
{
    for (long passed = 0; passed < milliseconds; passed++) {
        void *chunks[KEPT];

        for (size_t n = 0; n < KEPT; n++)
            chunks[n] = malloc(100);
        for (size_t n = 0; n < KEPT; n++)
            free(chunks[n]);
        pause_ms(1);
    }
}

/* Returns what is resident before the last step of the mode, and does that step. */
static long settle(const char *mode)
{
    long resident;

    if (strcmp(mode, "work") == 0)
        go_on(IDLE_MS);
    else
        pause_ms(strcmp(mode, "wait") == 0 ? IDLE_MS : SETTLE_MS);
    resident = resident_kib();
    if (strcmp(mode, "work") != 0 && strcmp(mode, "wait") != 0)
        malloc_trim(0);
    return resident;
}

int main(int argc, char **argv)
{
    const char *mode = argc > 1 ? argv[1] : "trim";
    pthread_t threads[THREADS];
    long full, freed;

    size = argc > 2 ? strtoul(argv[2], NULL, 10) : 8000;
    owners_hit = strcmp(mode, "hits") == 0;
    owners_free = !owners_hit && strcmp(mode, "remote") != 0;
    REQUIRE(pthread_barrier_init(&step, NULL, THREADS + 1) == 0, "no barrier");
    for (size_t n = 0; n < THREADS; n++)
        REQUIRE(pthread_create(&threads[n], NULL, work, &bursts[n]) == 0, "no thread");
    pthread_barrier_wait(&step);
    full = resident_kib();
    pthread_barrier_wait(&step);
    pthread_barrier_wait(&step);
    for (size_t n = 0; !owners_free && n < THREADS; n++)
        burst_free(&bursts[n]);
    freed = settle(mode);
    printf("resident %ld, %ld, %ld\n", full, freed, resident_kib());
    atomic_store_explicit(&over, true, memory_order_relaxed);
    pthread_barrier_wait(&step);
    for (size_t n = 0; n < THREADS; n++)
        REQUIRE(pthread_join(threads[n], NULL) == 0, "cannot join");
    return 0;
}
