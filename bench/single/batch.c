/*
 * batch: allocate N chunks of one size, then free them all; an operation is one malloc and its
 * free.
 *
 * Stresses what happens when the first cache of free chunks is empty or full: refills, bulk frees,
 * reuse of slabs that became empty. FIFO frees in the order of allocation (a list that is torn
 * down), LIFO in the reverse order (a stack that unwinds), random in a fixed shuffled order (a hash
 * table that is cleared). The pattern is that of glibc's bench-malloc-simple, which has the FIFO
 * form with 25 to 1,600 chunks; 100 k chunks outgrow the processor's second-level cache.
 */
#include "common.h"

enum order { ORDER_FIFO, ORDER_LIFO, ORDER_RANDOM };

static const char *const order_names[] = {"fifo", "lifo", "random", NULL};

struct batch {
    size_t count;
    size_t size;
    size_t order;
    void **chunks;
    uint32_t *sequence; /* the order of the frees, a permutation of 0 .. count - 1 */
};

static void batch_run(void *context, size_t rounds)
{
    const struct batch *batch = context;
    for (size_t round = 0; round < rounds; round++) {
        for (size_t i = 0; i < batch->count; i++) {
            unsigned char *chunk = bench_alloc(batch->size);
            chunk[0] = 1;
            batch->chunks[i] = chunk;
        }
        for (size_t i = 0; i < batch->count; i++) {
            free(batch->chunks[batch->sequence[i]]);
        }
    }
}

static void batch_fill_sequence(struct batch *batch)
{
    const size_t last = batch->count - 1;
    for (size_t i = 0; i <= last; i++) {
        batch->sequence[i] = (uint32_t)(batch->order == ORDER_LIFO ? last - i : i);
    }
    if (batch->order != ORDER_RANDOM) {
        return;
    }
    uint64_t seed = 42;
    for (size_t i = last; i > 0; i--) {
        size_t other = bench_scale((uint32_t)bench_random(&seed), i + 1);
        uint32_t swapped = batch->sequence[i];
        batch->sequence[i] = batch->sequence[other];
        batch->sequence[other] = swapped;
    }
}

int main(int argc, char **argv)
{
    struct batch batch = {.count = 1000, .size = 64, .order = ORDER_FIFO};
    const struct bench_option options[] = {
        {"--count", "chunks in a batch", NULL, &batch.count},
        {"--size", "bytes of a chunk", NULL, &batch.size},
        {"--order", "order of the frees: fifo, lifo or random", order_names, &batch.order},
    };
    const struct bench bench = bench_parse(argc, argv, options, sizeof options / sizeof *options);
    if (batch.count == 0 || batch.count > UINT32_MAX || batch.size == 0) {
        bench_fail("--count or --size out of range", "");
    }
    batch.chunks = bench_alloc(batch.count * sizeof *batch.chunks);
    batch.sequence = bench_alloc(batch.count * sizeof *batch.sequence);
    batch_fill_sequence(&batch);
    bench_measure(&bench, batch_run, &batch, batch.count);
    free(batch.sequence);
    free(batch.chunks);
    return 0;
}
