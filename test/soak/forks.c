/*
 * The fork storm: one thread forks while all others are somewhere in the allocator. Children
 * continue with the exchange, with a model of their own, with threads, with children of theirs, or
 * exec. Each must end with status 0.
 */
#include "soak/soak.h"

#include "support/require.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CHILDREN = 3, CHILD_STEPS = 400, GENERATIONS = 3 };

static pthread_t forker;

static void await(pid_t pid)
{
    int status = 0;
    pid_t ended = 0;
    do
        ended = waitpid(pid, &status, 0);
    while (ended == -1 && errno == EINTR);
    REQUIRE(ended > 0, "waitpid failed");
    REQUIRE(status == 0, "a child ended with status 0x%x", (unsigned)status);
}

static void *empty_exchange(void *unused)
{
    exchange_empty();
    return unused;
}

static void drive_model(struct rng *rng)
{
    struct model *model = soak_model();
    for (size_t step = rng_below(rng, CHILD_STEPS); step > 0; step--) {
        if (rng_below(rng, 4) == 0)
            exchange_step(model);
        else
            model_step(model);
    }
    model_free_all(model);
    model_destroy(model);
}

static void run_thread(void)
{
    pthread_t thread;
    REQUIRE(pthread_create(&thread, NULL, empty_exchange, NULL) == 0, "pthread_create failed");
    pthread_join(thread, NULL);
}

static void run_program(void)
{
    execl("/bin/true", "true", (char *)NULL);
    _exit(1);
}

/*
 * A child, its child and so on. Each goes on allocating while its descendants live, and waits for
 * the next one.
 */
static void fork_on(struct rng *rng)
{
    for (unsigned generation = 0; generation < GENERATIONS; generation++) {
        pid_t pid = fork();
        REQUIRE(pid >= 0, "fork failed");
        drive_model(rng);
        if (pid > 0) {
            await(pid);
            return;
        }
    }
}

static void live_as_child(struct rng *rng)
{
    size_t kind = rng_below(rng, 8);
    if (kind == 0)
        run_program();
    if (kind == 1)
        run_thread();
    if (kind == 2)
        fork_on(rng);
    drive_model(rng);
    if (kind == 3)
        exchange_empty();
    _exit(0);
}

static void *storm(void *unused)
{
    struct rng rng = soak_rng();
    struct model *model = soak_model();
    size_t running = 0;
    while (!atomic_load(&soak_over)) {
        pid_t pid = fork();
        REQUIRE(pid >= 0, "fork failed");
        if (pid == 0)
            live_as_child(&rng);
        atomic_fetch_add(&counts.forks, 1);
        /*
         * The children's random numbers start from the parent's generator, so the parent must
         * advance it.
         */
        rng_next(&rng);
        if (++running == CHILDREN) {
            await(-1);
            running--;
        }
        for (size_t step = rng_below(&rng, 60); step > 0; step--)
            model_step(model);
    }
    for (; running > 0; running--)
        await(-1);
    model_free_all(model);
    model_destroy(model);
    return unused;
}

void forks_start(void)
{
    REQUIRE(pthread_create(&forker, NULL, storm, NULL) == 0, "pthread_create failed");
}

void forks_join(void)
{
    pthread_join(forker, NULL);
}
