/*
 * sizes: a few chunks of one size allocated, then freed; an operation is one malloc and its free.
 *
 * Stresses the limits between an allocator's ways to serve a request: small classes, large ones,
 * mappings of their own. Run it with sizes from a few bytes to many MiB, and with sizes just past a
 * power of two. It writes only the first byte, because what a program does with a large chunk is no
 * cost of the allocator. After the timing it prints rss_per_live_byte, from chunks of that size in
 * which all pages are written, which shows the cost of rounding and headers. The pattern is that of
 * malloc-large and of the size sweeps that allocators are tuned with.
 */
#include "common.h"

struct sizes {
    size_t size;
    size_t count;
    size_t memory;
    unsigned char **chunks;
};

static void sizes_run(void *context, size_t rounds)
{
    const struct sizes *sizes = context;
    for (size_t round = 0; round < rounds; round++) {
        for (size_t i = 0; i < sizes->count; i++) {
            sizes->chunks[i] = bench_alloc(sizes->size);
            sizes->chunks[i][0] = 1;
        }
        for (size_t i = 0; i < sizes->count; i++) {
            free(sizes->chunks[i]);
        }
    }
}

/* Returns the number of chunks that together make up the memory that is measured. */
static size_t sizes_looked_at(const struct sizes *sizes)
{
    const size_t count = sizes->memory / sizes->size;
    return count ? count : 1;
}

static double sizes_rss_per_live_byte(const struct sizes *sizes, size_t rss_before)
{
    const size_t count = sizes_looked_at(sizes);
    for (size_t i = 0; i < count; i++) {
        sizes->chunks[i] = bench_alloc(sizes->size);
        bench_touch_pages(sizes->chunks[i], 0, sizes->size);
    }
    const double resident = (double)bench_rss_bytes() - (double)rss_before;
    for (size_t i = 0; i < count; i++) {
        free(sizes->chunks[i]);
    }
    return resident / (double)(count * sizes->size);
}

int main(int argc, char **argv)
{
    struct sizes sizes = {.size = 64, .count = 16, .memory = 4 << 20};
    const struct bench_option options[] = {
        {"--size", "bytes of a chunk", NULL, &sizes.size},
        {"--count", "chunks that are live at a time", NULL, &sizes.count},
        {"--memory", "bytes of live chunks when memory is looked at", NULL, &sizes.memory},
    };
    const struct bench bench = bench_parse(argc, argv, options, sizeof options / sizeof *options);
    if (sizes.size == 0 || sizes.count == 0) {
        bench_fail("--size and --count must not be 0", "");
    }
    const size_t looked_at = sizes_looked_at(&sizes);
    sizes.chunks =
        bench_map((looked_at > sizes.count ? looked_at : sizes.count) * sizeof *sizes.chunks);
    const size_t rss_before = bench_rss_bytes();
    const struct bench_result result = bench_run(&bench, sizes_run, &sizes, sizes.count);
    const struct bench_field field = {"rss_per_live_byte",
                                      sizes_rss_per_live_byte(&sizes, rss_before)};
    bench_print(&bench, &result, &field, 1);
    return 0;
}
