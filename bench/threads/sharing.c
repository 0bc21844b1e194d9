/*
 * sharing: threads write to small chunks of their own, many times; an operation is one write.
 *
 * Stresses the placement of chunks. If chunks of two threads share a cache line, each write takes
 * the line from the other's core. With --cause active the allocator makes that itself, because it
 * serves the threads from one place. With passive the program does: the main thread allocates
 * neighbours and deals them out like cards, each thread frees those that it got, and an allocator
 * that gives freed chunks to whoever freed them serves the thread's next requests with them. The
 * patterns are those of Hoard's cache-thrash and cache-scratch (Berger et al., "Hoard: A Scalable
 * Memory Allocator for Multithreaded Applications", ASPLOS 2000).
 */
#include "threads.h"

enum {
    CHUNK_BYTES = 8,
    CHUNKS = 8,
    PASSES = 100,
    WRITES_PER_ROUND = PASSES * CHUNKS * CHUNK_BYTES
};
enum cause { CAUSE_ACTIVE, CAUSE_PASSIVE };

static const char *const cause_names[] = {"active", "passive", NULL};

/* A thread's chunks. The main thread has dealt them, or the thread has allocated them. */
struct hand {
    alignas(LINE_PAIR) unsigned char *chunks[CHUNKS];
};

struct sharing {
    struct team team;
    size_t cause;
    struct hand *hands; /* one for each thread; the main thread owns them while the team rests */
};

static void hand_free(struct hand *hand)
{
    for (size_t i = 0; i < CHUNKS; i++) {
        free(hand->chunks[i]);
        hand->chunks[i] = NULL;
    }
}

/* The accesses are volatile, so that each write reaches the cache. */
static void chunk_write(volatile unsigned char *bytes)
{
    for (size_t pass = 0; pass < PASSES; pass++) {
        for (size_t i = 0; i < CHUNK_BYTES; i++) {
            bytes[i]++;
        }
    }
}

static void sharing_write(void *context, size_t member, size_t rounds)
{
    const struct sharing *sharing = context;
    struct hand *hand = &sharing->hands[member];
    hand_free(hand);
    for (size_t round = 0; round < rounds; round++) {
        for (size_t i = 0; i < CHUNKS; i++) {
            hand->chunks[i] = bench_alloc(CHUNK_BYTES);
        }
        for (size_t i = 0; i < CHUNKS; i++) {
            memset(hand->chunks[i], 0, CHUNK_BYTES);
            chunk_write(hand->chunks[i]);
        }
        hand_free(hand);
    }
}

/* Deals anew for each repetition, because an allocator may stop sharing lines after a while. */
static void sharing_run(void *context, size_t rounds)
{
    struct sharing *sharing = context;
    if (sharing->cause == CAUSE_PASSIVE) {
        for (size_t i = 0; i < CHUNKS; i++) {
            for (size_t member = 0; member < sharing->team.threads; member++) {
                sharing->hands[member].chunks[i] = bench_alloc(CHUNK_BYTES);
            }
        }
    }
    team_run(&sharing->team, rounds);
}

int main(int argc, char **argv)
{
    struct sharing sharing = {.team = {.threads = 2, .work = sharing_write}};
    const struct bench_option options[] = {
        {"--threads", "threads", NULL, &sharing.team.threads},
        {"--cause", "whose chunks the threads use: active or passive", cause_names, &sharing.cause},
    };
    const struct bench bench = bench_parse(argc, argv, options, sizeof options / sizeof *options);
    threads_check(sharing.team.threads);
    sharing.team.context = &sharing;
    sharing.hands = bench_map(sharing.team.threads * sizeof *sharing.hands);
    team_start(&sharing.team);
    bench_measure(&bench, sharing_run, &sharing, sharing.team.threads * WRITES_PER_ROUND);
    team_stop(&sharing.team);
    return 0;
}
