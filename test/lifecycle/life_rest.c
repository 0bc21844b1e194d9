/*
 * life_rest: threads touch 16 MiB each, free it and end. Then the main thread works on with few
 * live chunks, until the process has given unused memory back. Prints the highest and the last
 * resident memory, in KiB.
 */
#include "support/require.h"
#include "support/resident.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { THREADS = 4, COUNT = 2048, SIZE = 8000, KEPT = 1000, ENOUGH_KIB = 8192, SECONDS = 60 };

static pthread_barrier_t all_alive;

static void *work(void *argument)
{
    static _Thread_local void *chunks[COUNT];

    for (size_t n = 0; n < COUNT; n++) {
        chunks[n] = malloc(SIZE);
        REQUIRE(chunks[n] != NULL, "no memory");
        memset(chunks[n], 1, SIZE);
    }
    /* The main thread reads the memory in between. */
    pthread_barrier_wait(&all_alive);
    pthread_barrier_wait(&all_alive);
    for (size_t n = 0; n < COUNT; n++)
        free(chunks[n]);
    return argument;
}

/* More chunks than a stack of free chunks holds, so some of these calls are slow. */
static void go_on(void)
{
    void *chunks[KEPT];

    for (size_t n = 0; n < KEPT; n++)
        chunks[n] = malloc(100);
    for (size_t n = 0; n < KEPT; n++)
        free(chunks[n]);
}

int main(void)
{
    pthread_t threads[THREADS];
    struct timespec pause = {.tv_nsec = 1000000};
    time_t end = time(NULL) + SECONDS;
    long highest;

    REQUIRE(pthread_barrier_init(&all_alive, NULL, THREADS + 1) == 0, "no barrier");
    for (size_t n = 0; n < THREADS; n++)
        REQUIRE(pthread_create(&threads[n], NULL, work, NULL) == 0, "no thread");
    pthread_barrier_wait(&all_alive);
    highest = resident_kib();
    pthread_barrier_wait(&all_alive);
    for (size_t n = 0; n < THREADS; n++)
        REQUIRE(pthread_join(threads[n], NULL) == 0, "cannot join");
    do {
        go_on();
        nanosleep(&pause, NULL);
    } while (resident_kib() > ENOUGH_KIB && time(NULL) < end);
    printf("resident %ld to %ld\n", highest, resident_kib());
    return resident_kib() > ENOUGH_KIB;
}
