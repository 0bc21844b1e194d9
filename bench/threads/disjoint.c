/*
 * disjoint: each thread replaces random chunks of a table of its own, and no chunk ever changes
 * hands; an operation is one free and one malloc.
 *
 * Stresses nothing but what threads share inside the allocator: locks, counters, cache lines. The
 * time of an operation is wall time / operations of all threads. With perfect scaling, N cores
 * divide it by N, and more threads than cores do not change it. The pattern is that of Hoard's
 * threadtest (Berger et al., "Hoard: A Scalable Memory Allocator for Multithreaded Applications",
 * ASPLOS 2000), with the random replacement of `replace` instead of batches.
 */
#include "threads.h"

/*
 * A turn replaces the whole table, because with many threads a repetition is too short for each
 * thread to warm up.
 */
enum { SMALLEST = 16, LARGEST = 527, WARM_UP_TURNS = 10 };

struct table {
    alignas(LINE_PAIR) void **chunks;
    uint64_t seed;
};

struct disjoint {
    size_t live;
    size_t replacements;  /* of each thread in a round */
    struct table *tables; /* one for each thread */
};

static void table_replace(struct table *table, size_t live, size_t count)
{
    uint64_t seed = table->seed;
    for (size_t i = 0; i < count; i++) {
        const uint64_t draw = bench_random(&seed);
        void **slot = &table->chunks[bench_scale((uint32_t)(draw >> 32), live)];
        free(*slot);
        *slot = even_chunk(SMALLEST, LARGEST, (uint32_t)draw);
    }
    table->seed = seed;
}

static void disjoint_work(void *context, size_t member, size_t rounds)
{
    const struct disjoint *disjoint = context;
    table_replace(&disjoint->tables[member], disjoint->live, rounds * disjoint->replacements);
}

static void disjoint_prepare(void *context, size_t member)
{
    const struct disjoint *disjoint = context;
    struct table *table = &disjoint->tables[member];
    table->chunks = bench_map(disjoint->live * sizeof *table->chunks);
    table->seed = member + 1;
    for (size_t i = 0; i < disjoint->live; i++) {
        table->chunks[i] = even_chunk(SMALLEST, LARGEST, (uint32_t)bench_random(&table->seed));
    }
    table_replace(table, disjoint->live, WARM_UP_TURNS * disjoint->live);
}

static void disjoint_free(void *context, size_t member)
{
    const struct disjoint *disjoint = context;
    free_all(disjoint->tables[member].chunks, disjoint->live);
}

int main(int argc, char **argv)
{
    struct disjoint disjoint = {.live = 1000, .replacements = 1};
    struct team team = {
        .threads = 2,
        .prepare = disjoint_prepare,
        .work = disjoint_work,
        .finish = disjoint_free,
        .context = &disjoint,
    };
    const struct bench_option options[] = {
        {"--threads", "threads", NULL, &team.threads},
        {"--live", "live chunks of each thread", NULL, &disjoint.live},
        {"--replace", "replacements of each thread in a round", NULL, &disjoint.replacements},
    };
    const struct bench bench = bench_parse(argc, argv, options, sizeof options / sizeof *options);
    threads_check(team.threads);
    if (disjoint.live == 0 || disjoint.replacements == 0) {
        bench_fail("--live and --replace must not be 0", "");
    }
    disjoint.tables = bench_map(team.threads * sizeof *disjoint.tables);
    team_measure(&team, &bench, team.threads * disjoint.replacements);
    return 0;
}
