/*
 * life_crowd COUNT: a thousand threads allocate COUNT chunks of 16 to 4,096 bytes, about 900 bytes
 * each on average, free them, and sleep. Prints resident memory in KiB: before there are threads,
 * and when all sleep.
 */
#include "support/require.h"
#include "support/resident.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { THREADS = 1000, MOST = 256, STACK_BYTES = 64 * 1024, SMALLEST = 16, DOUBLINGS = 9 };

static size_t count;
static pthread_barrier_t step;

static void *work(void *argument)
{
    char *chunks[MOST];

    for (size_t n = 0; n < count; n++) {
        const size_t size = (size_t)SMALLEST << n % DOUBLINGS;

        chunks[n] = malloc(size);
        REQUIRE(chunks[n] != NULL, "no memory");
        memset(chunks[n], 1, size);
    }
    for (size_t n = 0; n < count; n++)
        free(chunks[n]);
    pthread_barrier_wait(&step);
    pthread_barrier_wait(&step);
    return argument;
}

int main(int argc, char **argv)
{
    static pthread_t threads[THREADS];
    pthread_attr_t attributes;
    const long before = resident_kib();

    count = argc > 1 ? strtoul(argv[1], NULL, 10) : 0;
    REQUIRE(count <= MOST, "too many chunks");
    REQUIRE(pthread_attr_init(&attributes) == 0, "no attributes");
    REQUIRE(pthread_attr_setstacksize(&attributes, STACK_BYTES) == 0, "no stack");
    REQUIRE(pthread_barrier_init(&step, NULL, THREADS + 1) == 0, "no barrier");
    for (size_t n = 0; n < THREADS; n++)
        REQUIRE(pthread_create(&threads[n], &attributes, work, NULL) == 0, "no thread");
    pthread_barrier_wait(&step);
    printf("resident %ld, %ld\n", before, resident_kib());
    pthread_barrier_wait(&step);
    for (size_t n = 0; n < THREADS; n++)
        REQUIRE(pthread_join(threads[n], NULL) == 0, "cannot join");
    return 0;
}
