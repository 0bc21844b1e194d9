/*
 * replace: a table of live chunks; each operation frees a random one and puts a new one in its
 * place.
 *
 * Stresses the mix of size classes and of slabs: neighbours in memory die at unrelated times, so
 * partial slabs, cache misses and fragmentation show. The pattern is the one-thread core of Larson
 * and Krishnan's server simulation ("Memory Allocation for Long-Running Server Applications", ISMM
 * 1998). First and last byte of each chunk are written; with --touch pages a byte of each page, so
 * that what large chunks cost in page faults is part of the figure.
 */
#include "common.h"

enum touch { TOUCH_ENDS, TOUCH_PAGES };

static const char *const touch_names[] = {"ends", "pages", NULL};

struct replace {
    size_t live;
    size_t min_size;
    size_t max_size;
    size_t touch;
    void **chunks;
    uint64_t seed;
};

static void *replace_new_chunk(const struct replace *table, uint32_t random_bits)
{
    size_t size = table->min_size + bench_scale(random_bits, table->max_size - table->min_size + 1);
    void *chunk = bench_alloc(size);
    if (table->touch == TOUCH_PAGES) {
        bench_touch_pages(chunk, 0, size);
    } else {
        bench_touch(chunk, size);
    }
    return chunk;
}

static void replace_run(void *context, size_t rounds)
{
    struct replace *table = context;
    uint64_t seed = table->seed;
    for (size_t i = 0; i < rounds; i++) {
        uint64_t draw = bench_random(&seed);
        void **slot = &table->chunks[bench_scale((uint32_t)(draw >> 32), table->live)];
        free(*slot);
        *slot = replace_new_chunk(table, (uint32_t)draw);
    }
    table->seed = seed;
}

int main(int argc, char **argv)
{
    struct replace table = {.live = 1000, .min_size = 16, .max_size = 527, .seed = 42};
    const struct bench_option options[] = {
        {"--live", "live chunks", NULL, &table.live},
        {"--min", "smallest size", NULL, &table.min_size},
        {"--max", "largest size", NULL, &table.max_size},
        {"--touch", "what is written: ends or pages", touch_names, &table.touch},
    };
    const struct bench bench = bench_parse(argc, argv, options, sizeof options / sizeof *options);
    if (table.live == 0 || table.min_size == 0 || table.max_size < table.min_size) {
        bench_fail("--live, --min or --max out of range", "");
    }
    table.chunks = bench_alloc(table.live * sizeof *table.chunks);
    for (size_t i = 0; i < table.live; i++) {
        table.chunks[i] = replace_new_chunk(&table, (uint32_t)bench_random(&table.seed));
    }
    bench_measure(&bench, replace_run, &table, 1);
    for (size_t i = 0; i < table.live; i++) {
        free(table.chunks[i]);
    }
    free(table.chunks);
    return 0;
}
