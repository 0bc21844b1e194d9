/*
 * prodcons: producers allocate and pass the chunks on, consumers free them; an operation is one
 * chunk.
 *
 * Stresses remote frees: no chunk is freed by the thread that owns its arena, so all memory has to
 * find its way back. Peak memory tells whether it does. The pattern is that of Lever and Boreham's
 * malloc-test
 * ("malloc() Performance in a Multithreaded Linux Environment", USENIX 2000), known as
 * xmalloc-test. Chunks travel in bundles, so that the allocator is measured and not the queue; each
 * producer has a few of them and sends them to the consumers in turn. One large bundle for each
 * makes bursts: a producer waits until it is empty again. With --behind a consumer keeps that many
 * chunks back before it frees the oldest of them.
 */
#include "threads.h"

#include <stdatomic.h>

enum { POLLS_BEFORE_SLEEP = 500 };

struct bundle {
    struct bundle *next;
    struct queue *home; /* the queue of its producer, to which it returns when it is empty */
    void **chunks;
};

/* First in, first out. */
struct queue {
    alignas(LINE_PAIR) pthread_mutex_t lock;
    pthread_cond_t filled;
    struct bundle *first; /* `lock` guards these three */
    struct bundle *last;
    size_t sleepers;
    atomic_size_t count; /* written under `lock`; read without it as a hint */
};

struct producer {
    struct queue empty;
    uint64_t seed;
    size_t next_consumer;
};

struct consumer {
    struct queue full;
    void **kept; /* a ring of `behind` chunks; an entry is NULL until the first chunk is kept */
    size_t next_kept;
};

struct prodcons {
    struct team team; /* producers first, then consumers */
    size_t consumer_count;
    size_t producer_count;
    size_t bundle_chunks;
    size_t bundles; /* of each producer */
    size_t behind;
    size_t smallest;
    size_t largest;
    size_t polls; /* how often a thread polls before it sleeps; 0 with more threads than cores */
    struct producer *producers;
    struct consumer *consumers;
};

static void queue_init(struct queue *queue)
{
    pthread_mutex_init(&queue->lock, NULL);
    pthread_cond_init(&queue->filled, NULL);
}

static void queue_put(struct queue *queue, struct bundle *bundle)
{
    bundle->next = NULL;
    pthread_mutex_lock(&queue->lock);
    if (queue->first) {
        queue->last->next = bundle;
    } else {
        queue->first = bundle;
    }
    queue->last = bundle;
    atomic_fetch_add_explicit(&queue->count, 1, memory_order_relaxed); /* the lock orders it */
    const bool wake = queue->sleepers != 0;
    pthread_mutex_unlock(&queue->lock);
    if (wake) {
        pthread_cond_signal(&queue->filled);
    }
}

/* Polls before it sleeps, because waking a thread costs more than freeing a bundle. */
static struct bundle *queue_take(struct queue *queue, size_t polls)
{
    /* relaxed, because the list is only read with the lock held */
    for (; polls > 0 && atomic_load_explicit(&queue->count, memory_order_relaxed) == 0; polls--) {
#if defined(__x86_64__)
        __builtin_ia32_pause();
#endif
    }
    pthread_mutex_lock(&queue->lock);
    while (!queue->first) {
        queue->sleepers++;
        pthread_cond_wait(&queue->filled, &queue->lock);
        queue->sleepers--;
    }
    struct bundle *bundle = queue->first;
    queue->first = bundle->next;
    atomic_fetch_sub_explicit(&queue->count, 1, memory_order_relaxed); /* the lock orders it */
    pthread_mutex_unlock(&queue->lock);
    return bundle;
}

static void producer_run(const struct prodcons *prodcons, struct producer *producer, size_t rounds)
{
    for (size_t round = 0; round < rounds; round++) {
        struct bundle *bundle = queue_take(&producer->empty, prodcons->polls);
        for (size_t i = 0; i < prodcons->bundle_chunks; i++) {
            const uint32_t draw = (uint32_t)bench_random(&producer->seed);
            bundle->chunks[i] = even_chunk(prodcons->smallest, prodcons->largest, draw);
        }
        queue_put(&prodcons->consumers[producer->next_consumer].full, bundle);
        producer->next_consumer = (producer->next_consumer + 1) % prodcons->consumer_count;
    }
}

/* Frees a chunk, or keeps it and frees the one that was kept for longest instead. */
static void consumer_free(const struct prodcons *prodcons, struct consumer *consumer, void *chunk)
{
    if (prodcons->behind != 0) {
        void **slot = &consumer->kept[consumer->next_kept];
        consumer->next_kept =
            (consumer->next_kept + 1 == prodcons->behind) ? 0 : consumer->next_kept + 1;
        void *oldest = *slot;
        *slot = chunk;
        chunk = oldest;
    }
    free(chunk);
}

static void consumer_run(const struct prodcons *prodcons, struct consumer *consumer, size_t rounds)
{
    for (size_t round = 0; round < rounds; round++) {
        struct bundle *bundle = queue_take(&consumer->full, prodcons->polls);
        for (size_t i = 0; i < prodcons->bundle_chunks; i++) {
            consumer_free(prodcons, consumer, bundle->chunks[i]);
        }
        queue_put(bundle->home, bundle);
    }
}

/* A round is one bundle of each producer. Consumers take turns, so each gets its share. */
static void prodcons_work(void *context, size_t member, size_t rounds)
{
    const struct prodcons *prodcons = context;
    if (member < prodcons->producer_count) {
        producer_run(prodcons, &prodcons->producers[member], rounds);
    } else {
        const size_t share = prodcons->producer_count / prodcons->consumer_count;
        consumer_run(prodcons, &prodcons->consumers[member - prodcons->producer_count],
                     rounds * share);
    }
}

static void producer_init(const struct prodcons *prodcons, struct producer *producer, size_t index)
{
    queue_init(&producer->empty);
    producer->seed = index + 1;
    producer->next_consumer = index % prodcons->consumer_count;
    struct bundle *bundles = bench_map(prodcons->bundles * sizeof *bundles);
    for (size_t i = 0; i < prodcons->bundles; i++) {
        bundles[i].home = &producer->empty;
        bundles[i].chunks = bench_map(prodcons->bundle_chunks * sizeof *bundles[i].chunks);
        queue_put(&producer->empty, &bundles[i]);
    }
}

static void prodcons_init(struct prodcons *prodcons)
{
    prodcons->consumers = bench_map(prodcons->consumer_count * sizeof *prodcons->consumers);
    for (size_t i = 0; i < prodcons->consumer_count; i++) {
        queue_init(&prodcons->consumers[i].full);
        if (prodcons->behind != 0) {
            prodcons->consumers[i].kept = bench_map(prodcons->behind * sizeof(void *));
        }
    }
    prodcons->producers = bench_map(prodcons->producer_count * sizeof *prodcons->producers);
    for (size_t i = 0; i < prodcons->producer_count; i++) {
        producer_init(prodcons, &prodcons->producers[i], i);
    }
}

static void prodcons_check(struct prodcons *prodcons)
{
    threads_check(prodcons->team.threads);
    if (prodcons->consumer_count == 0) {
        prodcons->consumer_count = prodcons->team.threads / 2;
    }
    prodcons->producer_count = prodcons->team.threads - prodcons->consumer_count;
    if (prodcons->consumer_count == 0 || prodcons->consumer_count >= prodcons->team.threads ||
        prodcons->producer_count % prodcons->consumer_count != 0) {
        bench_fail("--threads less --consumers must be a multiple of --consumers", "");
    }
    if (prodcons->bundle_chunks == 0 || prodcons->bundles == 0 || prodcons->smallest == 0 ||
        prodcons->largest < prodcons->smallest) {
        bench_fail("--bundle, --bundles, --min or --max out of range", "");
    }
}

int main(int argc, char **argv)
{
    struct prodcons prodcons = {
        .team = {.threads = 2, .work = prodcons_work, .context = &prodcons},
        .bundle_chunks = 256,
        .bundles = 4,
        .smallest = 64,
        .largest = 64,
    };
    const struct bench_option options[] = {
        {"--threads", "producers and consumers", NULL, &prodcons.team.threads},
        {"--consumers", "how many of them consume; if not given, half", NULL,
         &prodcons.consumer_count},
        {"--bundle", "chunks of a bundle", NULL, &prodcons.bundle_chunks},
        {"--bundles", "bundles of each producer", NULL, &prodcons.bundles},
        {"--behind", "chunks that each consumer keeps back", NULL, &prodcons.behind},
        {"--min", "smallest size", NULL, &prodcons.smallest},
        {"--max", "largest size", NULL, &prodcons.largest},
    };
    const struct bench bench = bench_parse(argc, argv, options, sizeof options / sizeof *options);
    prodcons_check(&prodcons);
    const bool cores_suffice = prodcons.team.threads <= (size_t)sysconf(_SC_NPROCESSORS_ONLN);
    prodcons.polls = cores_suffice ? POLLS_BEFORE_SLEEP : 0;
    prodcons_init(&prodcons);
    team_measure(&prodcons.team, &bench, prodcons.producer_count * prodcons.bundle_chunks);
    for (size_t i = 0; i < prodcons.consumer_count && prodcons.behind != 0; i++) {
        free_all(prodcons.consumers[i].kept, prodcons.behind);
    }
    return 0;
}
