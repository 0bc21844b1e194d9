/*
 * server: each thread replaces random chunks of its table, then creates a successor, hands the
 * table over and ends; an operation is one free and one malloc.
 *
 * Stresses chunks that outlive the thread that allocated them: a thread's first frees are those of
 * its predecessor's chunks, and what an ended thread held has to be found again. The pattern is
 * that of Larson and Krishnan's server simulation ("Memory Allocation for Long-Running Server
 * Applications", ISMM 1998). That threads are created is part of it, and of the figure: one for
 * 10,000 operations, of which about 1,000 free a predecessor's chunk. The tables outlast the
 * repetitions.
 */
#include "threads.h"

enum { SMALLEST = 16, LARGEST = 527 };

/* Counts the tables whose threads still work. */
struct latch {
    pthread_mutex_t lock;
    pthread_cond_t all_done;
    size_t count; /* `lock` guards it */
};

struct server {
    size_t threads;
    size_t live;
    size_t replacements; /* that a thread makes before it hands over */
    struct lineage *lineages;
    struct latch latch;
};

/* A table and the threads that own it, one after the other: pthread_create() passes it on. */
struct lineage {
    alignas(LINE_PAIR) struct server *server;
    void **chunks;
    uint64_t seed;
    size_t generations; /* the number of threads that are still to come */
};

static void latch_count_down(struct latch *latch)
{
    pthread_mutex_lock(&latch->lock);
    if (--latch->count == 0) {
        pthread_cond_signal(&latch->all_done);
    }
    pthread_mutex_unlock(&latch->lock);
}

static void latch_wait(struct latch *latch)
{
    pthread_mutex_lock(&latch->lock);
    while (latch->count != 0) {
        pthread_cond_wait(&latch->all_done, &latch->lock);
    }
    pthread_mutex_unlock(&latch->lock);
}

static void lineage_replace(struct lineage *lineage, size_t count)
{
    uint64_t seed = lineage->seed;
    for (size_t i = 0; i < count; i++) {
        const uint64_t draw = bench_random(&seed);
        void **slot = &lineage->chunks[bench_scale((uint32_t)(draw >> 32), lineage->server->live)];
        free(*slot);
        *slot = even_chunk(SMALLEST, LARGEST, (uint32_t)draw);
    }
    lineage->seed = seed;
}

static void *lineage_live(void *argument)
{
    struct lineage *lineage = argument;
    lineage_replace(lineage, lineage->server->replacements);
    if (--lineage->generations == 0) {
        latch_count_down(&lineage->server->latch);
    } else {
        thread_start(lineage_live, lineage, PTHREAD_CREATE_DETACHED);
    }
    return NULL;
}

/* A round is a generation. */
static void server_run(void *context, size_t rounds)
{
    struct server *server = context;
    server->latch.count = server->threads;
    for (size_t i = 0; i < server->threads; i++) {
        server->lineages[i].generations = rounds;
        thread_start(lineage_live, &server->lineages[i], PTHREAD_CREATE_DETACHED);
    }
    latch_wait(&server->latch);
}

static void server_fill(struct server *server)
{
    server->lineages = bench_map(server->threads * sizeof *server->lineages);
    for (size_t i = 0; i < server->threads; i++) {
        struct lineage *lineage = &server->lineages[i];
        lineage->server = server;
        lineage->chunks = bench_map(server->live * sizeof *lineage->chunks);
        lineage->seed = i + 1;
        for (size_t k = 0; k < server->live; k++) {
            lineage->chunks[k] =
                even_chunk(SMALLEST, LARGEST, (uint32_t)bench_random(&lineage->seed));
        }
    }
}

int main(int argc, char **argv)
{
    struct server server = {
        .threads = 2,
        .live = 1000,
        .replacements = 10000,
        .latch = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0},
    };
    const struct bench_option options[] = {
        {"--threads", "threads at a time", NULL, &server.threads},
        {"--live", "live chunks of each thread", NULL, &server.live},
        {"--replace", "replacements before a thread hands over", NULL, &server.replacements},
    };
    const struct bench bench = bench_parse(argc, argv, options, sizeof options / sizeof *options);
    threads_check(server.threads);
    if (server.live == 0 || server.replacements == 0) {
        bench_fail("--live and --replace must not be 0", "");
    }
    server_fill(&server);
    bench_measure(&bench, server_run, &server, server.threads * server.replacements);
    for (size_t i = 0; i < server.threads; i++) {
        free_all(server.lineages[i].chunks, server.live);
    }
    return 0;
}
