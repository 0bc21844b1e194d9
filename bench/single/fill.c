/*
 * fill: many live small chunks, of which random ones are replaced; an operation is one free and one
 * malloc.
 *
 * Stresses scaling with the size of the heap: from a working set within the nearest cache to one
 * that outgrows all caches and the address translation's. The pattern is that of an in-memory
 * database or a large graph. Prints rss_per_live_byte: resident bytes for each byte that was asked
 * for and is live, at the end. What the process held before the first chunk is subtracted, and the
 * table of chunks is not from the allocator.
 */
#include "common.h"

struct fill {
    size_t live;
    size_t min_size;
    size_t max_size;
    unsigned char **chunks;
    uint64_t seed;
};

static unsigned char *fill_new_chunk(const struct fill *fill, uint32_t random_bits)
{
    const uint16_t size =
        (uint16_t)(fill->min_size + bench_scale(random_bits, fill->max_size - fill->min_size + 1));
    unsigned char *chunk = bench_alloc(size);
    bench_touch(chunk, size);
    memcpy(chunk, &size, sizeof size); /* for fill_live_bytes() */
    return chunk;
}

static void fill_run(void *context, size_t rounds)
{
    struct fill *fill = context;
    for (size_t i = 0; i < rounds; i++) {
        const uint64_t draw = bench_random(&fill->seed);
        unsigned char **slot = &fill->chunks[bench_scale((uint32_t)(draw >> 32), fill->live)];
        free(*slot);
        *slot = fill_new_chunk(fill, (uint32_t)draw);
    }
}

static size_t fill_live_bytes(const struct fill *fill)
{
    size_t bytes = 0;
    for (size_t i = 0; i < fill->live; i++) {
        uint16_t size = 0;
        memcpy(&size, fill->chunks[i], sizeof size);
        bytes += size;
    }
    return bytes;
}

int main(int argc, char **argv)
{
    struct fill fill = {.live = 100000, .min_size = 16, .max_size = 64, .seed = 42};
    const struct bench_option options[] = {
        {"--live", "live chunks", NULL, &fill.live},
        {"--min", "smallest size, at least 4", NULL, &fill.min_size},
        {"--max", "largest size, at most 65535", NULL, &fill.max_size},
    };
    const struct bench bench = bench_parse(argc, argv, options, sizeof options / sizeof *options);
    if (fill.live == 0 || fill.live > UINT32_MAX || fill.min_size < 4 ||
        fill.max_size < fill.min_size || fill.max_size > UINT16_MAX) {
        bench_fail("--live, --min or --max out of range", "");
    }
    fill.chunks = bench_map(fill.live * sizeof *fill.chunks);
    const size_t rss_before = bench_rss_bytes();
    for (size_t i = 0; i < fill.live; i++) {
        fill.chunks[i] = fill_new_chunk(&fill, (uint32_t)bench_random(&fill.seed));
    }
    const struct bench_result result = bench_run(&bench, fill_run, &fill, 1);
    const double resident = (double)bench_rss_bytes() - (double)rss_before;
    const struct bench_field field = {"rss_per_live_byte",
                                      resident / (double)fill_live_bytes(&fill)};
    bench_print(&bench, &result, &field, 1);
    for (size_t i = 0; i < fill.live; i++) {
        free(fill.chunks[i]);
    }
    return 0;
}
