/*
 * `fault_signal_exit THREADS SEED`: threads receive signals all the time, and the handler ends the
 * thread by pthread_exit. That is allowed only where the signal does not interrupt the allocator,
 * which is not async-signal-safe. So the thread publishes where it is, and ends by itself if the
 * signal came at the wrong moment.
 */
#include "faults/slots.h"
#include "support/require.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { AT_A_TIME = 4 };

static _Thread_local volatile sig_atomic_t allocating;
static _Thread_local volatile sig_atomic_t wanted;
static atomic_ulong ended_in_handler;
static atomic_ulong started;
static pthread_key_t key;
static uint64_t seed;

static void end_thread(int signal)
{
    (void)signal;
    wanted = 1;
    if (allocating)
        return;
    allocating = 1;
    atomic_fetch_add(&ended_in_handler, 1);
    pthread_exit(NULL);
}

static void discard_value(void *value)
{
    struct rng rng = rng_stream(seed, 7);
    slots_discard(value);
    slots_change(&rng);
}

static void *work(void *argument)
{
    struct rng rng = rng_stream(seed, (uint64_t)(uintptr_t)argument);
    sigset_t ours;
    sigemptyset(&ours);
    sigaddset(&ours, SIGUSR1);
    allocating = 1;
    pthread_setspecific(key, slots_make(&rng));
    pthread_sigmask(SIG_UNBLOCK, &ours, NULL);
    atomic_fetch_add(&started, 1);
    while (!wanted) {
        volatile size_t sum = 0;
        slots_change(&rng);
        allocating = 0;
        for (size_t n = rng_below(&rng, 2000); n > 0; n--)
            sum += n;
        (void)sum;
        if (rng_below(&rng, 10) == 0)
            usleep(10);
        allocating = 1;
    }
    return NULL;
}

static void start(pthread_t *thread, size_t number)
{
    REQUIRE(pthread_create(thread, NULL, work, (void *)number) == 0, "no thread");
}

static void end(pthread_t thread)
{
    REQUIRE(pthread_kill(thread, SIGUSR1) == 0, "cannot send a signal");
    REQUIRE(pthread_join(thread, NULL) == 0, "cannot join");
}

int main(int argc, char **argv)
{
    pthread_t threads[AT_A_TIME];
    struct sigaction action = {.sa_handler = end_thread};
    sigset_t ours;
    REQUIRE(argc == 3, "usage: fault_signal_exit THREADS SEED");
    size_t count = strtoul(argv[1], NULL, 10);
    seed = strtoull(argv[2], NULL, 10);
    struct rng rng = rng_stream(seed, 0);
    /* The signal is blocked while a thread starts. */
    sigemptyset(&ours);
    sigaddset(&ours, SIGUSR1);
    pthread_sigmask(SIG_BLOCK, &ours, NULL);
    REQUIRE(sigaction(SIGUSR1, &action, NULL) == 0, "sigaction failed");
    REQUIRE(pthread_key_create(&key, discard_value) == 0, "pthread_key_create failed");
    for (size_t t = 0; t < AT_A_TIME; t++)
        start(&threads[t], t + 1);
    for (size_t n = AT_A_TIME; n < count; n++) {
        size_t victim = rng_below(&rng, AT_A_TIME);
        usleep((useconds_t)rng_below(&rng, 300));
        end(threads[victim]);
        start(&threads[victim], n + 1);
        slots_change(&rng);
    }
    for (size_t t = 0; t < AT_A_TIME; t++)
        end(threads[t]);
    printf("%zu threads ended by signals, %lu of them in the handler, %zu chunks left by them\n",
           count, atomic_load(&ended_in_handler), slots_discard_all());
    REQUIRE(atomic_load(&started) == count, "not all threads started");
    REQUIRE(atomic_load(&ended_in_handler) > 0, "no thread ended in the handler");
    return 0;
}
