/*
 * What the programs with threads share: a team of threads that does its work in step, and random
 * chunks.
 *
 * The threads of a team are created before anything is measured. team_run() is a body for
 * bench_run(): it lets all threads begin at once, each with the same number of rounds, and returns
 * when the last is done. So the work is fixed and the time of an operation is the team's: wall time
 * / operations of all threads. While a team runs, its main thread sleeps. What a thread needs lies
 * in memory that is not the allocator's, and no two threads write to one cache line unless that is
 * the point.
 */
#ifndef FT_MALLOC_BENCH_THREADS_H
#define FT_MALLOC_BENCH_THREADS_H

#include "common.h"

#include <pthread.h>
#include <stdalign.h>
#include <stdbool.h>

/* Processors fetch cache lines in pairs. */
enum { LINE_PAIR = 128, MOST_THREADS = 4096, STACK_BYTES = 256 * 1024 };

typedef void team_work(void *context, size_t member, size_t rounds);
typedef void team_step(void *context, size_t member);

struct team_member {
    struct team *team;
    size_t index;
    pthread_t thread;
};

struct team {
    size_t threads;
    team_work *work;
    team_step *prepare; /* NULL, or what each thread does once before the first work */
    team_step *finish;  /* NULL, or what each thread does once after the last work */
    void *context;
    /* Written by the main thread, read by the others after the barrier `begin`, which orders it. */
    size_t rounds;
    bool over;
    pthread_barrier_t begin;
    pthread_barrier_t done;
    struct team_member *members;
};

/* The stacks are small, so that 1,000 fit into any address space limit. */
static inline pthread_t thread_start(void *(*live)(void *), void *argument, int detach_state)
{
    pthread_t thread;
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, STACK_BYTES);
    pthread_attr_setdetachstate(&attributes, detach_state);
    int error = pthread_create(&thread, &attributes, live, argument);
    if (error != 0) {
        bench_fail("cannot create a thread: ", strerror(error));
    }
    pthread_attr_destroy(&attributes);
    return thread;
}

static inline void *team_member_live(void *argument)
{
    const struct team_member *member = (const struct team_member *)argument;
    struct team *team = member->team;
    if (team->prepare) {
        team->prepare(team->context, member->index);
    }
    pthread_barrier_wait(&team->done);
    for (;;) {
        pthread_barrier_wait(&team->begin);
        if (team->over) {
            break;
        }
        team->work(team->context, member->index, team->rounds);
        pthread_barrier_wait(&team->done);
    }
    if (team->finish) {
        team->finish(team->context, member->index);
    }
    return NULL;
}

static inline void team_start(struct team *team)
{
    team->members = (struct team_member *)bench_map(team->threads * sizeof *team->members);
    pthread_barrier_init(&team->begin, NULL, (unsigned)team->threads + 1);
    pthread_barrier_init(&team->done, NULL, (unsigned)team->threads + 1);
    for (size_t i = 0; i < team->threads; i++) {
        struct team_member *member = &team->members[i];
        member->team = team;
        member->index = i;
        member->thread = thread_start(team_member_live, member, PTHREAD_CREATE_JOINABLE);
    }
    pthread_barrier_wait(&team->done);
}

static inline void team_run(void *context, size_t rounds)
{
    struct team *team = (struct team *)context;
    team->rounds = rounds;
    pthread_barrier_wait(&team->begin);
    pthread_barrier_wait(&team->done);
}

static inline void team_stop(struct team *team)
{
    team->over = true;
    pthread_barrier_wait(&team->begin);
    for (size_t i = 0; i < team->threads; i++) {
        pthread_join(team->members[i].thread, NULL);
    }
    pthread_barrier_destroy(&team->begin);
    pthread_barrier_destroy(&team->done);
}

/* Runs a program whose only work is that of a team. */
static inline void team_measure(struct team *team, const struct bench *bench, size_t ops_per_round)
{
    team_start(team);
    bench_measure(bench, team_run, team, ops_per_round);
    team_stop(team);
}

static inline void threads_check(size_t threads)
{
    if (threads == 0 || threads > MOST_THREADS) {
        bench_fail("--threads out of range", "");
    }
}

/* Allocates a chunk of evenly distributed size. */
static inline void *even_chunk(size_t smallest, size_t largest, uint32_t random_bits)
{
    const size_t size = smallest + bench_scale(random_bits, largest - smallest + 1);
    void *chunk = bench_alloc(size);
    bench_touch(chunk, size);
    return chunk;
}

/*
 * Returns a size that follows a power law. Sizes from smallest << n up to twice that are half as
 * frequent as those with n - 1. n is below `doublings`, which is at most 32.
 */
static inline size_t power_size(size_t smallest, unsigned doublings, uint64_t random_bits)
{
    const uint32_t last = (uint32_t)1 << (doublings - 1);
    const size_t base = smallest << __builtin_ctz((uint32_t)random_bits | last);
    return base + bench_scale((uint32_t)(random_bits >> 32), base);
}

static inline void free_all(void *const *chunks, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        free(chunks[i]);
    }
}

#endif
