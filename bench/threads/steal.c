/*
 * steal: each thread replaces random chunks of a table of its own, and now and then swaps one for a
 * chunk in a table that all share; an operation is one free and one malloc, or one swap.
 *
 * Stresses frees of chunks from any thread, mixed with those of the own and spread over all sizes:
 * an eighth of the operations are swaps, so that one free of eight is of a chunk that came by a
 * swap. Sizes from 16 bytes to 64 KiB, by a power law. The pattern is that of the stress tests of
 * mimalloc (mstress) and rpmalloc (rptest).
 */
#include "threads.h"

#include <stdatomic.h>

/*
 * A turn replaces the whole table, because with many threads a repetition is too short for each
 * thread to warm up.
 */
enum { SMALLEST = 16, DOUBLINGS = 12, OPS_PER_SWAP = 8, WARM_UP_TURNS = 10 };

struct table {
    alignas(LINE_PAIR) void **chunks;
    uint64_t seed;
};

struct steal {
    size_t live;
    size_t shared_count;
    struct table *tables;  /* one for each thread */
    void *_Atomic *shared; /* chunks or NULL; the thread that swaps a chunk out owns it */
};

static void *steal_new_chunk(uint64_t *seed)
{
    const size_t size = power_size(SMALLEST, DOUBLINGS, bench_random(seed));
    void *chunk = bench_alloc(size);
    bench_touch(chunk, size);
    return chunk;
}

static void steal_swap_or_replace(void *context, size_t member, size_t rounds)
{
    const struct steal *steal = context;
    struct table *table = &steal->tables[member];
    for (size_t i = 0; i < rounds; i++) {
        const uint64_t draw = bench_random(&table->seed);
        void **slot = &table->chunks[bench_scale((uint32_t)(draw >> 32), steal->live)];
        if (draw % OPS_PER_SWAP == 0) {
            void *_Atomic *shared =
                &steal->shared[bench_scale((uint32_t)draw, steal->shared_count)];
            /*
             * Release orders what this thread wrote into its chunk before the exchange. Acquire
             * lets it see what the other thread wrote into the chunk that it receives.
             */
            *slot = atomic_exchange_explicit(shared, *slot, memory_order_acq_rel);
        } else {
            free(*slot);
            *slot = steal_new_chunk(&table->seed);
        }
    }
}

static void steal_prepare(void *context, size_t member)
{
    const struct steal *steal = context;
    struct table *table = &steal->tables[member];
    table->chunks = bench_map(steal->live * sizeof *table->chunks);
    table->seed = member + 1;
    for (size_t i = 0; i < steal->live; i++) {
        table->chunks[i] = steal_new_chunk(&table->seed);
    }
    steal_swap_or_replace(context, member, WARM_UP_TURNS * steal->live);
}

static void steal_free(void *context, size_t member)
{
    const struct steal *steal = context;
    free_all(steal->tables[member].chunks, steal->live);
}

int main(int argc, char **argv)
{
    struct steal steal = {.live = 1000, .shared_count = 1000};
    struct team team = {
        .threads = 2,
        .prepare = steal_prepare,
        .work = steal_swap_or_replace,
        .finish = steal_free,
        .context = &steal,
    };
    const struct bench_option options[] = {
        {"--threads", "threads", NULL, &team.threads},
        {"--live", "live chunks of each thread", NULL, &steal.live},
        {"--shared", "slots of the shared table", NULL, &steal.shared_count},
    };
    const struct bench bench = bench_parse(argc, argv, options, sizeof options / sizeof *options);
    threads_check(team.threads);
    if (steal.live == 0 || steal.shared_count == 0) {
        bench_fail("--live and --shared must not be 0", "");
    }
    steal.tables = bench_map(team.threads * sizeof *steal.tables);
    steal.shared = bench_map(steal.shared_count * sizeof *steal.shared);
    team_measure(&team, &bench, team.threads);
    for (size_t i = 0; i < steal.shared_count; i++) {
        /* relaxed, because the threads were joined */
        free(atomic_load_explicit(&steal.shared[i], memory_order_relaxed));
    }
    return 0;
}
