/*
 * prodcons: one thread allocates and passes the pointers through a ring, another frees them; an operation is
 * one chunk.
 *
 * Stresses remote frees: no chunk is freed by the thread that owns its arena, so all memory has to find its
 * way back. The pattern is that of Lever and Boreham's malloc-test ("malloc() Performance in a Multithreaded
 * Linux Environment", USENIX 2000), known as xmalloc-test. The ring's positions are published in bundles,
 * because a cache line that changes hands for each chunk would be measured instead of the allocator. Peak
 * memory tells whether it comes back.
 */
#include "common.h"

#include <pthread.h>
#include <sched.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <stdbool.h>

enum { CACHE_LINE = 64, BUNDLE = 32, POLLS_BEFORE_YIELD = 1000 };

/* A cache line for what the producer writes, one for what the consumer writes, one for what both read. */
struct ring {
    alignas(CACHE_LINE) atomic_size_t produced;
    uint64_t seed;
    alignas(CACHE_LINE) atomic_size_t consumed;
    alignas(CACHE_LINE) void **slots;
    size_t capacity; /* a power of two */
    size_t min_size;
    size_t max_size;
    atomic_bool closed;
};

/* With fewer free cores than threads the other side needs this one's processor. */
static void ring_pause(size_t *polls)
{
    if (++*polls % POLLS_BEFORE_YIELD == 0) {
        sched_yield();
    }
#if defined(__x86_64__)
    __builtin_ia32_pause();
#endif
}

/* Waits until the consumer has passed the position: acquire, so that a slot is reused only after it was read.
 */
static void ring_wait_consumed(struct ring *ring, size_t position)
{
    size_t polls = 0;
    while ((ptrdiff_t)(atomic_load_explicit(&ring->consumed, memory_order_acquire) - position) < 0) {
        ring_pause(&polls);
    }
}

static void ring_produce(void *context, size_t rounds)
{
    struct ring *ring = context;
    size_t position = atomic_load_explicit(&ring->produced, memory_order_relaxed);
    const size_t end = position + rounds;
    while (position != end) {
        const size_t bundle = end - position < BUNDLE ? end - position : BUNDLE;
        ring_wait_consumed(ring, position + bundle - ring->capacity);
        for (size_t i = 0; i < bundle; i++, position++) {
            uint32_t draw = (uint32_t)bench_random(&ring->seed);
            size_t size = ring->min_size + bench_scale(draw, ring->max_size - ring->min_size + 1);
            void *chunk = bench_alloc(size);
            bench_touch(chunk, size);
            ring->slots[position & (ring->capacity - 1)] = chunk;
        }
        /* release: the pointers, and what was written behind them, come before the position */
        atomic_store_explicit(&ring->produced, position, memory_order_release);
    }
    ring_wait_consumed(ring, end);
}

static void *ring_consume(void *argument)
{
    struct ring *ring = argument;
    size_t position = 0;
    size_t polls = 0;
    while (!atomic_load_explicit(&ring->closed, memory_order_relaxed)) {
        const size_t available = atomic_load_explicit(&ring->produced, memory_order_acquire) - position;
        if (available == 0) {
            ring_pause(&polls);
            continue;
        }
        const size_t bundle = available < BUNDLE ? available : BUNDLE;
        for (size_t i = 0; i < bundle; i++, position++) {
            free(ring->slots[position & (ring->capacity - 1)]);
        }
        atomic_store_explicit(&ring->consumed, position, memory_order_release);
    }
    return NULL;
}

int main(int argc, char **argv)
{
    static struct ring ring = {.capacity = 1024, .min_size = 64, .max_size = 64, .seed = 42};
    const struct bench_option options[] = {
        {"--ring", "chunks that are on their way at most: a power of two", NULL, &ring.capacity},
        {"--min", "smallest size", NULL, &ring.min_size},
        {"--max", "largest size", NULL, &ring.max_size},
    };
    const struct bench bench = bench_parse(argc, argv, options, sizeof options / sizeof *options);
    if (ring.capacity < BUNDLE || (ring.capacity & (ring.capacity - 1)) || ring.min_size == 0 ||
        ring.max_size < ring.min_size) {
        bench_fail("--ring, --min or --max out of range", "");
    }
    ring.slots = bench_alloc(ring.capacity * sizeof *ring.slots);

    pthread_t consumer;
    if (pthread_create(&consumer, NULL, ring_consume, &ring) != 0) {
        bench_fail("no second thread", "");
    }
    bench_measure(&bench, ring_produce, &ring, 1);
    atomic_store_explicit(&ring.closed, true, memory_order_relaxed);
    pthread_join(consumer, NULL);
    free(ring.slots);
    return 0;
}
