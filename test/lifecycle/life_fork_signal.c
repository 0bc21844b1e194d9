/*
 * `life_fork_signal N S`: a timer's handler forks N times, or as often as it can in S seconds (100
 * times or more), wherever it interrupts the main thread, which is mostly inside malloc or free.
 * The child returns from the handler, so it continues in the middle of that call, and then
 * allocates, verifies and frees for a while. Other threads allocate too.
 */
#include "support/deadline.h"
#include "support/pattern.h"
#include "support/require.h"
#include "support/rng.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SLOTS = 200, THREADS = 2 };

static atomic_bool stop;
static volatile sig_atomic_t is_child;
static volatile sig_atomic_t child_running;
static volatile sig_atomic_t forks;
/*
 * Main sets it before it leaves its loop. A child that the handler forked later would run to the
 * end of main.
 */
static volatile sig_atomic_t enough;

static void fork_in_handler(int signal)
{
    (void)signal;
    if (is_child || child_running || enough)
        return;
    pid_t pid = fork();
    if (pid == 0) {
        is_child = 1;
    } else if (pid > 0) {
        forks = forks + 1;
        child_running = 1;
    }
}

struct slot {
    void *chunk;
    size_t size;
};

static void step(struct slot *slots, struct rng *rng)
{
    struct slot *slot = &slots[rng_below(rng, SLOTS)];
    if (slot->chunk != NULL) {
        REQUIRE(pattern_mismatch(slot->chunk, slot->size, slot->size) == slot->size,
                "a chunk was changed");
        free(slot->chunk);
        slot->chunk = NULL;
        return;
    }
    size_t limit = rng_below(rng, 50) == 0 ? 400000 : 3000;
    slot->size = rng_below(rng, limit);
    slot->chunk = malloc(slot->size);
    REQUIRE(slot->chunk != NULL, "no memory for %zu bytes", slot->size);
    pattern_write(slot->chunk, 0, slot->size, slot->size);
}

static void *work(void *argument)
{
    static struct slot slots[THREADS][SLOTS];
    struct rng rng = rng_stream(5, (uint64_t)(uintptr_t)argument);
    while (!atomic_load_explicit(&stop, memory_order_relaxed))
        step(slots[(size_t)argument], &rng);
    return NULL;
}

static void start_threads(pthread_t *threads)
{
    sigset_t alarm;
    sigemptyset(&alarm);
    sigaddset(&alarm, SIGALRM);
    pthread_sigmask(SIG_BLOCK, &alarm, NULL);
    for (size_t t = 0; t < THREADS; t++)
        REQUIRE(pthread_create(&threads[t], NULL, work, (void *)t) == 0, "pthread_create failed");
    pthread_sigmask(SIG_UNBLOCK, &alarm, NULL);
}

static void reap(void)
{
    int status = 0;
    pid_t pid = waitpid(-1, &status, WNOHANG);
    if (pid <= 0)
        return;
    REQUIRE(status == 0, "a child ended with status 0x%x", (unsigned)status);
    child_running = 0;
}

int main(int argc, char **argv)
{
    static struct slot slots[SLOTS];
    pthread_t threads[THREADS];
    REQUIRE(argc == 3, "usage: life_fork_signal N S");
    size_t count = strtoul(argv[1], NULL, 10);
    time_t deadline = deadline_in(strtol(argv[2], NULL, 10));
    struct sigaction action = {.sa_handler = fork_in_handler, .sa_flags = SA_RESTART};
    struct itimerval often = {{0, 500}, {0, 500}};
    struct rng rng = rng_stream(5, THREADS);
    start_threads(threads);
    REQUIRE(sigaction(SIGALRM, &action, NULL) == 0 && setitimer(ITIMER_REAL, &often, NULL) == 0,
            "no timer");
    unsigned steps_as_child = 0;
    for (unsigned n = 0; is_child || !enough || child_running; n++) {
        step(slots, &rng);
        if (is_child && ++steps_as_child == 300)
            _exit(0);
        if (!is_child && n % 64 == 0) {
            reap();
            enough = deadline_enough((size_t)forks, count, deadline);
        }
    }
    struct itimerval never = {{0, 0}, {0, 0}};
    setitimer(ITIMER_REAL, &never, NULL);
    atomic_store(&stop, true);
    for (size_t t = 0; t < THREADS; t++)
        pthread_join(threads[t], NULL);
    printf("%ld forks in a signal handler\n", (long)forks);
    return 0;
}
