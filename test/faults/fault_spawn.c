/*
 * `fault_spawn ROUNDS SEED`: several threads create processes at once, by fork, vfork and
 * posix_spawn, while others allocate. A forked child allocates, frees chunks of any thread, and
 * forks again. The grandchild does the same and executes `fault_spawn child`, which allocates, too.
 */
#include "faults/slots.h"
#include "support/require.h"

#include <pthread.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SPAWNERS = 4, WORKERS = 2, STEPS = 60, OF_PROGRAM = 42, LONGEST_LIFE = 120 };

static char program[] = "/proc/self/exe";
static char *const child_arguments[] = {program, (char[]){"child"}, NULL};
static atomic_bool stop;
static atomic_ulong made;
static size_t rounds;
static uint64_t seed;

static void change_some(struct rng *rng)
{
    for (unsigned n = 0; n < STEPS; n++)
        slots_change(rng);
}

static void await(pid_t pid, int expected)
{
    int status = 0;
    REQUIRE(waitpid(pid, &status, 0) == pid, "waitpid failed");
    REQUIRE(WIFEXITED(status) && WEXITSTATUS(status) == expected, "a child ended with status 0x%x",
            (unsigned)status);
    atomic_fetch_add(&made, 1);
}

static void *change_elsewhere(void *argument)
{
    change_some(argument);
    return NULL;
}

/* Some of the children have threads. A child that hangs is killed soon after the test. */
static void live(struct rng *rng, size_t round)
{
    alarm(LONGEST_LIFE);
    change_some(rng);
    if (round % 4 == 1) {
        pthread_t thread;
        struct rng other = rng_stream(seed, round);
        REQUIRE(pthread_create(&thread, NULL, change_elsewhere, &other) == 0, "no thread");
        change_some(rng);
        REQUIRE(pthread_join(thread, NULL) == 0, "cannot join");
    }
    slots_discard_all();
}

static void live_as_grandchild(struct rng *rng, size_t round)
{
    live(rng, round + 1);
    execv(program, child_arguments);
    _exit(127);
}

static void live_as_child(struct rng *rng, size_t round)
{
    live(rng, round);
    pid_t pid = fork();
    REQUIRE(pid >= 0, "fork failed");
    if (pid == 0)
        live_as_grandchild(rng, round);
    change_some(rng);
    await(pid, OF_PROGRAM);
    _exit(0);
}

static void make_by_fork(struct rng *rng, size_t round)
{
    pid_t pid = fork();
    REQUIRE(pid >= 0, "fork failed");
    if (pid == 0)
        live_as_child(rng, round);
    change_some(rng);
    await(pid, 0);
}

/* A child of vfork may only call exec or exit. */
static void make_by_vfork(struct rng *rng, size_t round)
{
    pid_t pid = vfork(); // NOLINT: that it is vfork is the test
    if (pid == 0 && round % 2 == 0)
        _exit(OF_PROGRAM); // NOLINT: analyzers allow exec only
    if (pid == 0) {
        execv(program, child_arguments);
        _exit(127);
    }
    REQUIRE(pid > 0, "vfork failed");
    change_some(rng);
    await(pid, OF_PROGRAM);
}

static void make_by_posix_spawn(struct rng *rng)
{
    pid_t pid = 0;
    REQUIRE(posix_spawn(&pid, program, NULL, NULL, child_arguments, environ) == 0,
            "posix_spawn failed");
    change_some(rng);
    await(pid, OF_PROGRAM);
}

static void *make_processes(void *argument)
{
    struct rng rng = rng_stream(seed, (uint64_t)(uintptr_t)argument);
    for (size_t round = 0; round < rounds; round++) {
        change_some(&rng);
        make_by_fork(&rng, round);
        make_by_vfork(&rng, round);
        make_by_posix_spawn(&rng);
    }
    return NULL;
}

static void *work(void *argument)
{
    struct rng rng = rng_stream(seed, (uint64_t)(uintptr_t)argument);
    slots_change_until(&stop, &rng);
    return NULL;
}

static int be_a_child(void)
{
    struct rng rng = rng_stream(3, 0);
    change_some(&rng);
    slots_discard_all();
    return OF_PROGRAM;
}

int main(int argc, char **argv)
{
    pthread_t threads[SPAWNERS + WORKERS];
    if (argc == 2 && strcmp(argv[1], "child") == 0)
        return be_a_child();
    REQUIRE(argc == 3, "usage: fault_spawn ROUNDS SEED");
    rounds = strtoul(argv[1], NULL, 10);
    seed = strtoull(argv[2], NULL, 10);
    for (size_t t = 0; t < SPAWNERS + WORKERS; t++)
        REQUIRE(pthread_create(&threads[t], NULL, t < SPAWNERS ? make_processes : work,
                               (void *)(t + 1)) == 0,
                "no thread");
    for (size_t t = 0; t < SPAWNERS + WORKERS; t++) {
        if (t == SPAWNERS)
            atomic_store(&stop, true);
        pthread_join(threads[t], NULL);
    }
    printf("%lu processes made by %d threads, and as many grandchildren as forks\n",
           atomic_load(&made), (int)SPAWNERS);
    slots_discard_all();
    return 0;
}
