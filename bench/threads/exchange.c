/*
 * exchange: threads come and go in rounds. While a thread lives, it collects chunks, frees random
 * ones of them, and exchanges random ones with slots that all threads share. At its end it frees
 * what it holds. An operation is one malloc with its share of the frees and exchanges.
 *
 * Stresses chunks that pass among threads while threads begin and end. What a thread holds is soon
 * a mix of its own chunks and those of threads that live or that have ended, and each thread leaves
 * chunks in the slots. All memory that a round takes is free again at its end, except for the
 * slots, and the next round wants it again. Sizes from 16 bytes to 64 KiB, by a power law; all
 * pages of a chunk are written. That threads are created is part of the figure: one for 50,000
 * operations. The pattern is that of mimalloc's stress test (mstress).
 */
#include "threads.h"

#include <stdatomic.h>

/* A third of the steps free a random chunk and a third exchange one; every step allocates one. */
enum { SMALLEST = 16, DOUBLINGS = 12, KINDS_OF_STEP = 3 };

/* One thread after the other has it. Its parent creates and joins them, which orders the accesses.
 */
struct place {
    alignas(LINE_PAIR) pthread_t thread;
    struct exchange *exchange;
    void **kept;
    size_t kept_count;
    uint64_t seed;
};

struct exchange {
    size_t threads;
    size_t steps; /* in a thread's life */
    size_t slot_count;
    struct place *places;
    void *_Atomic *slots; /* chunks or NULL; the thread that takes a chunk out owns it */
};

static void *exchange_new_chunk(uint64_t *seed)
{
    const size_t size = power_size(SMALLEST, DOUBLINGS, bench_random(seed));
    void *chunk = bench_alloc(size);
    bench_touch_pages(chunk, 0, size);
    return chunk;
}

static void place_free_one(struct place *place, uint32_t random_bits)
{
    void **slot = &place->kept[bench_scale(random_bits, place->kept_count)];
    free(*slot);
    *slot = place->kept[--place->kept_count];
}

static void place_exchange_one(struct place *place, uint32_t random_bits)
{
    struct exchange *exchange = place->exchange;
    const uint32_t draw = (uint32_t)(bench_random(&place->seed) >> 32);
    void **kept = &place->kept[bench_scale(random_bits, place->kept_count)];
    void *_Atomic *slot = &exchange->slots[bench_scale(draw, exchange->slot_count)];
    /*
     * Release orders what this thread wrote into its chunk before the exchange. Acquire lets it see
     * what the other thread wrote into the chunk that it receives.
     */
    void *received = atomic_exchange_explicit(slot, *kept, memory_order_acq_rel);
    if (received) {
        *kept = received;
    } else {
        *kept = place->kept[--place->kept_count];
    }
}

static void *place_live(void *argument)
{
    struct place *place = argument;
    place->kept_count = 0;
    for (size_t i = 0; i < place->exchange->steps; i++) {
        const uint64_t draw = bench_random(&place->seed);
        place->kept[place->kept_count++] = exchange_new_chunk(&place->seed);
        switch (bench_scale((uint32_t)draw, KINDS_OF_STEP)) {
        case 0:
            place_free_one(place, (uint32_t)(draw >> 32));
            break;
        case 1:
            place_exchange_one(place, (uint32_t)(draw >> 32));
            break;
        default:
            break;
        }
    }
    free_all(place->kept, place->kept_count);
    return NULL;
}

/* A round is the life of one thread in each place. */
static void exchange_run(void *context, size_t rounds)
{
    const struct exchange *exchange = context;
    for (size_t round = 0; round < rounds; round++) {
        for (size_t i = 0; i < exchange->threads; i++) {
            struct place *place = &exchange->places[i];
            place->thread = thread_start(place_live, place, PTHREAD_CREATE_JOINABLE);
        }
        for (size_t i = 0; i < exchange->threads; i++) {
            pthread_join(exchange->places[i].thread, NULL);
        }
    }
}

int main(int argc, char **argv)
{
    struct exchange exchange = {.threads = 2, .steps = 50000, .slot_count = 1000};
    const struct bench_option options[] = {
        {"--threads", "threads that are alive at a time", NULL, &exchange.threads},
        {"--steps", "chunks that a thread allocates in its life", NULL, &exchange.steps},
        {"--slots", "slots that all threads share", NULL, &exchange.slot_count},
    };
    const struct bench bench = bench_parse(argc, argv, options, sizeof options / sizeof *options);
    threads_check(exchange.threads);
    if (exchange.steps == 0 || exchange.slot_count == 0) {
        bench_fail("--steps and --slots must not be 0", "");
    }
    exchange.slots = bench_map(exchange.slot_count * sizeof *exchange.slots);
    exchange.places = bench_map(exchange.threads * sizeof *exchange.places);
    for (size_t i = 0; i < exchange.threads; i++) {
        struct place *place = &exchange.places[i];
        place->exchange = &exchange;
        place->kept = bench_map(exchange.steps * sizeof *place->kept);
        place->seed = i + 1;
    }
    bench_measure(&bench, exchange_run, &exchange, exchange.threads * exchange.steps);
    for (size_t i = 0; i < exchange.slot_count; i++) {
        /* relaxed, because the threads were joined */
        free(atomic_load_explicit(&exchange.slots[i], memory_order_relaxed));
    }
    return 0;
}
