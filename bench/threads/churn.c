/*
 * churn: short threads. Each allocates a few hundred chunks, frees two of three and ends; the
 * parent frees the rest, and creates the next thread. An operation is a thread's life.
 *
 * Stresses what an allocator does when a thread begins and ends: caches that are made and flushed,
 * arenas that are given back while chunks of them live, and frees of chunks whose thread is gone.
 * With --threads N, N of them are alive at a time; the parent joins the oldest first. That they are
 * created is part of the figure, most of it under any allocator. The pattern is that of Gloger's
 * t-test1 for ptmalloc, whose threads end and are replaced; what they leave behind comes on top.
 */
#include "threads.h"

enum { SMALLEST = 16, LARGEST = 527, LEFT_TO_PARENT = 3 /* the parent frees one of 3 */ };

/* Belongs to the thread while it runs, and to the parent before and after that. */
struct child {
    alignas(LINE_PAIR) pthread_t thread;
    void **chunks;
    size_t count;
    uint64_t seed;
};

struct churn {
    size_t threads;
    size_t chunks_per_thread;
    struct child *children;
};

static void *child_live(void *argument)
{
    struct child *child = argument;
    for (size_t i = 0; i < child->count; i++) {
        child->chunks[i] = even_chunk(SMALLEST, LARGEST, (uint32_t)bench_random(&child->seed));
    }
    for (size_t i = 0; i < child->count; i++) {
        if (i % LEFT_TO_PARENT != 0) {
            free(child->chunks[i]);
        }
    }
    return NULL;
}

static void child_start(struct child *child)
{
    child->thread = thread_start(child_live, child, PTHREAD_CREATE_JOINABLE);
}

static void child_end(struct child *child)
{
    pthread_join(child->thread, NULL);
    for (size_t i = 0; i < child->count; i += LEFT_TO_PARENT) {
        free(child->chunks[i]);
    }
}

/* A round runs one thread in each place. */
static void churn_run(void *context, size_t rounds)
{
    const struct churn *churn = context;
    for (size_t i = 0; i < churn->threads; i++) {
        child_start(&churn->children[i]);
    }
    for (size_t round = 1; round < rounds; round++) {
        for (size_t i = 0; i < churn->threads; i++) {
            child_end(&churn->children[i]);
            child_start(&churn->children[i]);
        }
    }
    for (size_t i = 0; i < churn->threads; i++) {
        child_end(&churn->children[i]);
    }
}

int main(int argc, char **argv)
{
    struct churn churn = {.threads = 2, .chunks_per_thread = 300};
    const struct bench_option options[] = {
        {"--threads", "threads that are alive at a time, beside the parent", NULL, &churn.threads},
        {"--chunks", "chunks that each allocates", NULL, &churn.chunks_per_thread},
    };
    const struct bench bench = bench_parse(argc, argv, options, sizeof options / sizeof *options);
    threads_check(churn.threads);
    if (churn.chunks_per_thread == 0) {
        bench_fail("--chunks must not be 0", "");
    }
    churn.children = bench_map(churn.threads * sizeof *churn.children);
    for (size_t i = 0; i < churn.threads; i++) {
        struct child *child = &churn.children[i];
        child->count = churn.chunks_per_thread;
        child->chunks = bench_map(child->count * sizeof *child->chunks);
        child->seed = i + 1;
    }
    bench_measure(&bench, churn_run, &churn, churn.threads);
    return 0;
}
