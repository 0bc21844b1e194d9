/*
 * `fault_last_round THREADS SEED`: threads that allocate for the first time in the last round of
 * destructors that libc grants them, when no destructor of the library's own runs any more. The
 * main thread frees what they leave.
 */
#include "faults/status.h"
#include "support/pattern.h"
#include "support/require.h"

#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

enum { AT_A_TIME = 8, CHUNKS = 4 };

static const size_t sizes[CHUNKS] = {24, 500, 6000, 400000};
static pthread_key_t key;
static _Thread_local unsigned round_number;
static _Thread_local size_t index_here;
static void *left[AT_A_TIME][CHUNKS];
static atomic_ulong last_rounds;

static void allocate_all(void)
{
    for (size_t n = 0; n < CHUNKS; n++) {
        void *chunk = malloc(sizes[n]);
        REQUIRE(chunk != NULL, "no memory in a destructor");
        free(chunk);
        left[index_here][n] = malloc(sizes[n]);
        REQUIRE(left[index_here][n] != NULL, "no memory in a destructor");
        pattern_write(left[index_here][n], 0, sizes[n], n);
    }
}

static void at_end(void *value)
{
    if (++round_number < PTHREAD_DESTRUCTOR_ITERATIONS) {
        pthread_setspecific(key, value);
        return;
    }
    allocate_all();
    atomic_fetch_add(&last_rounds, 1);
}

static void *end_at_once(void *argument)
{
    index_here = (size_t)argument;
    pthread_setspecific(key, &key);
    return NULL;
}

static void free_what_is_left(void)
{
    for (size_t n = 0; n < (size_t)AT_A_TIME * CHUNKS; n++) {
        void *chunk = left[n / CHUNKS][n % CHUNKS];
        size_t size = sizes[n % CHUNKS];
        REQUIRE(pattern_mismatch(chunk, size, n % CHUNKS) == size, "a chunk was changed");
        free(chunk);
    }
}

int main(int argc, char **argv)
{
    REQUIRE(argc == 3, "usage: fault_last_round THREADS SEED");
    size_t waves = strtoul(argv[1], NULL, 10) / AT_A_TIME, early = 0;
    REQUIRE(pthread_key_create(&key, at_end) == 0, "pthread_key_create failed");
    for (size_t wave = 0; wave < waves; wave++) {
        pthread_t threads[AT_A_TIME];
        for (size_t t = 0; t < AT_A_TIME; t++)
            REQUIRE(pthread_create(&threads[t], NULL, end_at_once, (void *)t) == 0, "no thread");
        for (size_t t = 0; t < AT_A_TIME; t++)
            pthread_join(threads[t], NULL);
        free_what_is_left();
        if (wave == waves / 4)
            early = status_kib("VmRSS:");
    }
    REQUIRE(atomic_load(&last_rounds) == waves * AT_A_TIME, "%lu last rounds",
            atomic_load(&last_rounds));
    printf("%zu threads, resident %zu to %zu KiB\n", waves * AT_A_TIME, early,
           status_kib("VmRSS:"));
    return 0;
}
