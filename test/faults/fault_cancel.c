/*
 * `fault_cancel THREADS SEED`: starts so many threads and cancels each at a random moment. malloc
 * and free are no cancellation points, and asynchronous cancellation must not interrupt them. So a
 * thread allows cancellation at the points around those calls, or asynchronously while it only
 * reads its chunks. A handler frees what the thread was holding.
 */
#include "faults/slots.h"
#include "support/require.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { AT_A_TIME = 8, OWN = 30 };

struct own {
    size_t *chunks[OWN];
};

static pthread_key_t key;
static atomic_ulong handled;
static uint64_t seed;

static void discard_own(void *argument)
{
    struct own *own = argument;
    for (size_t n = 0; n < OWN; n++) {
        if (own->chunks[n] != NULL)
            slots_discard(own->chunks[n]);
        own->chunks[n] = NULL;
    }
    atomic_fetch_add(&handled, 1);
}

/*
 * This destructor runs later than the handler, and maybe later than the library's own destructor.
 */
static void discard_value(void *value)
{
    struct rng rng = rng_stream(seed, (uint64_t)(uintptr_t)value);
    slots_discard(value);
    for (unsigned n = 0; n < 5; n++)
        slots_change(&rng);
}

/* Nothing in this function allocates or frees. */
static void look(const struct own *own)
{
    int type = 0;
    volatile size_t sum = 0;
    pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, &type);
    for (size_t n = 0; n < OWN; n++)
        for (size_t word = 0; own->chunks[n] != NULL && word < *own->chunks[n] / sizeof(size_t);
             word++)
            sum += own->chunks[n][word];
    pthread_setcanceltype(type, NULL);
    (void)sum;
}

static void step(struct own *own, struct rng *rng)
{
    size_t **place = &own->chunks[rng_below(rng, OWN)];
    size_t *chunk = *place;
    *place = NULL;
    if (chunk != NULL)
        slots_discard(chunk);
    *place = slots_make(rng);
    slots_change(rng);
    switch (rng_below(rng, 8)) {
    case 0:
        look(own);
        break;
    case 1:
        usleep(0);
        break;
    default:
        pthread_testcancel();
    }
}

static void *work(void *argument)
{
    struct own own = {0};
    struct rng rng = rng_stream(seed, (uint64_t)(uintptr_t)argument);
    pthread_setspecific(key, slots_make(&rng));
    pthread_cleanup_push(discard_own, &own);
    for (;;)
        step(&own, &rng);
    pthread_cleanup_pop(1);
    return NULL;
}

static void start(pthread_t *thread, size_t number)
{
    REQUIRE(pthread_create(thread, NULL, work, (void *)number) == 0, "no thread");
}

static void cancel(pthread_t thread)
{
    void *result = NULL;
    REQUIRE(pthread_cancel(thread) == 0, "cannot cancel");
    REQUIRE(pthread_join(thread, &result) == 0, "cannot join");
    REQUIRE(result == PTHREAD_CANCELED, "a thread ended otherwise");
}

int main(int argc, char **argv)
{
    pthread_t threads[AT_A_TIME];
    REQUIRE(argc == 3, "usage: fault_cancel THREADS SEED");
    size_t count = strtoul(argv[1], NULL, 10);
    seed = strtoull(argv[2], NULL, 10);
    struct rng rng = rng_stream(seed, 0);
    REQUIRE(pthread_key_create(&key, discard_value) == 0, "pthread_key_create failed");
    for (size_t t = 0; t < AT_A_TIME; t++)
        start(&threads[t], t + 1);
    for (size_t n = AT_A_TIME; n < count; n++) {
        size_t victim = rng_below(&rng, AT_A_TIME);
        usleep((useconds_t)rng_below(&rng, 400));
        cancel(threads[victim]);
        start(&threads[victim], n + 1);
        slots_change(&rng);
    }
    for (size_t t = 0; t < AT_A_TIME; t++)
        cancel(threads[t]);
    REQUIRE(atomic_load(&handled) == count, "%lu handlers ran", atomic_load(&handled));
    size_t left = slots_discard_all();
    printf("%zu threads cancelled, %zu chunks left by them\n", count, left);
    return 0;
}
