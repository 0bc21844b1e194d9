/*
 * aligned: live chunks with alignments of 32 to 4,096 bytes; each operation replaces a random one.
 *
 * Stresses aligned_alloc() and posix_memalign(), which take turns. It shows whether the allocator
 * finds small chunks that are aligned already, or makes each request larger and cuts it. The
 * pattern is that of vector code (32 and 64 bytes), buffers on cache lines of their own (64 and
 * 128) and direct input and output (512 and 4,096), with the replacements of `replace`. Sizes are
 * odd, because mimalloc 2.0 misplaces some chunks whose size is a multiple of the alignment. Peak
 * memory shows what the alignment costs.
 */
#include "common.h"

enum { LEAST_ALIGNMENT = 32, ALIGNMENTS = 8 };

struct aligned {
    size_t live;
    size_t min_size;
    size_t max_size;
    void **chunks;
    uint64_t seed;
};

static void *aligned_new_chunk(struct aligned *table, size_t turn)
{
    const uint64_t draw = bench_random(&table->seed);
    const size_t alignment = (size_t)LEAST_ALIGNMENT
                             << bench_scale((uint32_t)(draw >> 32), ALIGNMENTS);
    const size_t size =
        1 | (table->min_size + bench_scale((uint32_t)draw, table->max_size - table->min_size));
    void *chunk = NULL;
    if (turn % 2 == 0) {
        chunk = aligned_alloc(alignment, size);
    } else if (posix_memalign(&chunk, alignment, size) != 0) {
        chunk = NULL;
    }
    if (!chunk || (uintptr_t)chunk % alignment != 0) {
        bench_fail("no chunk of that alignment", "");
    }
    bench_touch(chunk, size);
    return chunk;
}

static void aligned_run(void *context, size_t rounds)
{
    struct aligned *table = context;
    for (size_t i = 0; i < rounds; i++) {
        void **slot =
            &table->chunks[bench_scale((uint32_t)bench_random(&table->seed), table->live)];
        free(*slot);
        *slot = aligned_new_chunk(table, i);
    }
}

int main(int argc, char **argv)
{
    struct aligned table = {.live = 1000, .min_size = 16, .max_size = 2048, .seed = 42};
    const struct bench_option options[] = {
        {"--live", "live chunks", NULL, &table.live},
        {"--min", "smallest size", NULL, &table.min_size},
        {"--max", "sizes are at most this, and odd", NULL, &table.max_size},
    };
    const struct bench bench = bench_parse(argc, argv, options, sizeof options / sizeof *options);
    if (table.live == 0 || table.min_size == 0 || table.max_size <= table.min_size) {
        bench_fail("--live, --min or --max out of range", "");
    }
    table.chunks = bench_map(table.live * sizeof *table.chunks);
    for (size_t i = 0; i < table.live; i++) {
        table.chunks[i] = aligned_new_chunk(&table, i);
    }
    bench_measure(&bench, aligned_run, &table, 1);
    for (size_t i = 0; i < table.live; i++) {
        free(table.chunks[i]);
    }
    return 0;
}
