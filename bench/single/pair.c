/*
 * pair: malloc and free of one chunk, over and over; an operation is one pair.
 *
 * Stresses the two fast paths alone: the chunk is always the one freed last, its memory is in the
 * nearest cache. The pattern is the temporary object of a loop body, and the first figure that
 * every allocator is quoted with. Without other live chunks the slab becomes empty at each free,
 * which some allocators answer on a slower path: --live keeps some, as a program in the middle of
 * its work has.
 */
#include "common.h"

static void pair_run(void *context, size_t rounds)
{
    const size_t size = *(const size_t *)context;
    for (size_t i = 0; i < rounds; i++) {
        unsigned char *chunk = bench_alloc(size);
        chunk[0] = 1;
        free(chunk);
    }
}

int main(int argc, char **argv)
{
    size_t size = 64;
    size_t live = 0;
    const struct bench_option options[] = {
        {"--size", "bytes of the chunk", NULL, &size},
        {"--live", "chunks of the same size that stay allocated meanwhile", NULL, &live},
    };
    const struct bench bench = bench_parse(argc, argv, options, sizeof options / sizeof *options);
    if (size == 0) {
        bench_fail("--size must not be 0", "");
    }
    void **kept = bench_alloc((live + 1) * sizeof *kept);
    for (size_t i = 0; i < live; i++) {
        kept[i] = bench_alloc(size);
    }
    bench_measure(&bench, pair_run, &size, 1);
    for (size_t i = 0; i < live; i++) {
        free(kept[i]);
    }
    free(kept);
    return 0;
}
