/*
 * zero: batches of calloc() of mixed sizes, then all of them freed; an operation is one calloc and
 * its free.
 *
 * Stresses how memory becomes zero: used chunks must be cleared, fresh pages from the system need
 * not be, and large chunks may go back to the system because new pages are zero. The pattern is
 * that of tables and records that a program wants empty. A byte of each page is written, so that
 * nothing that comes back is zero by chance.
 */
#include "common.h"

struct zero {
    size_t count;
    size_t min_size;
    size_t max_size;
    unsigned char **chunks;
    uint64_t seed;
};

static unsigned char *zero_new_chunk(struct zero *zero)
{
    const uint32_t draw = (uint32_t)bench_random(&zero->seed);
    const size_t size = zero->min_size + bench_scale(draw, zero->max_size - zero->min_size + 1);
    unsigned char *chunk = calloc(1, size);
    if (!chunk) {
        bench_fail("out of memory", "");
    }
    if (chunk[0] || chunk[size - 1]) {
        bench_fail("calloc returned what is not zero", "");
    }
    bench_touch_pages(chunk, 0, size);
    return chunk;
}

static void zero_run(void *context, size_t rounds)
{
    struct zero *zero = context;
    for (size_t round = 0; round < rounds; round++) {
        for (size_t i = 0; i < zero->count; i++) {
            zero->chunks[i] = zero_new_chunk(zero);
        }
        for (size_t i = 0; i < zero->count; i++) {
            free(zero->chunks[i]);
        }
    }
}

int main(int argc, char **argv)
{
    struct zero zero = {.count = 1000, .min_size = 16, .max_size = 1024, .seed = 42};
    const struct bench_option options[] = {
        {"--count", "chunks in a batch", NULL, &zero.count},
        {"--min", "smallest size", NULL, &zero.min_size},
        {"--max", "largest size", NULL, &zero.max_size},
    };
    const struct bench bench = bench_parse(argc, argv, options, sizeof options / sizeof *options);
    if (zero.count == 0 || zero.min_size == 0 || zero.max_size < zero.min_size) {
        bench_fail("--count, --min or --max out of range", "");
    }
    zero.chunks = bench_map(zero.count * sizeof *zero.chunks);
    bench_measure(&bench, zero_run, &zero, zero.count);
    return 0;
}
