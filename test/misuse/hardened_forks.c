/*
 * Forks while other threads allocate, free each other's chunks, start and end. Children and
 * grandchildren free what they inherited, and allocate every free chunk there is. Run with
 * FT_MALLOC_HARDEN=1, where each chunk that is handed out must be zero and each that is freed must
 * have its canary. Nothing here is misuse, so nothing may be reported.
 */
#include "support/pattern.h"
#include "support/require.h"
#include "support/rng.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum { THREADS = 4, SHARED = 256, OWN = 64, HELD = 1200, HELD_BYTES = 400000 };

static const size_t sizes[] = {0, 15, 16, 40, 63, 100, 200, 500, 895, 1000, 1023, 3000, 10000};
enum { SIZES = sizeof sizes / sizeof *sizes };

/* Chunks that any thread may take. Each holds the pattern of its size. */
static _Atomic(void *) shared[SHARED];
static atomic_bool stop;
static uint64_t seed;

static void *take(size_t size)
{
    void *chunk = malloc(size);
    REQUIRE(chunk != NULL, "no memory for %zu bytes", size);
    pattern_write(chunk, 0, size, size);
    return chunk;
}

/* No header tells the chunk's size. It follows from where the chunk was kept. */
static void give(void *chunk, size_t size)
{
    if (chunk == NULL)
        return;
    REQUIRE(pattern_mismatch(chunk, size, size) == size, "%p of %zu bytes was changed, seed %llu",
            chunk, size, (unsigned long long)seed);
    free(chunk);
}

static void exchange(struct rng *rng)
{
    size_t place = rng_below(rng, SHARED);
    size_t size = sizes[place % SIZES];
    give(atomic_exchange(&shared[place], take(size)), size);
}

static void *work(void *number)
{
    struct rng rng = rng_stream(seed, (uintptr_t)number);
    void *own[OWN] = {0};
    for (size_t step = 0; step < 20000 && !atomic_load(&stop); step++) {
        size_t place = rng_below(&rng, OWN);
        give(own[place], sizes[place % SIZES]);
        own[place] = take(sizes[place % SIZES]);
        exchange(&rng);
    }
    for (size_t place = 0; place < OWN; place++)
        give(own[place], sizes[place % SIZES]);
    return NULL;
}

/* When a thread ends, another is started, which gets its arena. */
static void *keep_working(void *number)
{
    for (uintptr_t wave = (uintptr_t)number; !atomic_load(&stop); wave += THREADS) {
        pthread_t thread;
        REQUIRE(pthread_create(&thread, NULL, work, (void *)wave) == 0,
                "pthread_create failed"); // NOLINT
        pthread_join(thread, NULL);
    }
    return NULL;
}

static void *take_all(void *unused)
{
    static _Thread_local void *held[HELD];
    (void)unused;
    for (size_t n = 0; n < SIZES; n++) {
        size_t count = sizes[n] * HELD > HELD_BYTES ? HELD_BYTES / sizes[n] : HELD;
        for (size_t i = 0; i < count; i++)
            held[i] = take(sizes[n]);
        for (size_t i = 0; i < count; i++)
            give(held[i], sizes[n]);
    }
    return NULL;
}

static void wait_for(pid_t child, const char *who)
{
    int status = 0;
    REQUIRE(child > 0 && waitpid(child, &status, 0) == child, "no %s", who);
    REQUIRE(WIFEXITED(status) && WEXITSTATUS(status) == 0,
            "the %s ended with status %#x, seed %llu", who, (unsigned)status,
            (unsigned long long)seed);
}

/*
 * A child uses its own arena and, through new threads, those that its parent's threads left behind.
 */
static void live(void)
{
    pthread_t threads[THREADS];
    for (size_t place = 0; place < SHARED; place++)
        give(atomic_exchange(&shared[place], NULL), sizes[place % SIZES]);
    take_all(NULL);
    for (size_t n = 0; n < THREADS; n++)
        REQUIRE(pthread_create(&threads[n], NULL, take_all, NULL) == 0, "pthread_create failed");
    for (size_t n = 0; n < THREADS; n++)
        pthread_join(threads[n], NULL);
}

static void live_and_fork(void)
{
    live();
    pid_t child = fork();
    if (child == 0) {
        live();
        _exit(0);
    }
    wait_for(child, "grandchild");
    _exit(0);
}

int main(int argc, char **argv)
{
    pthread_t threads[THREADS];
    struct rng rng;
    REQUIRE(argc == 3, "usage: hardened_forks FORKS SEED");
    seed = strtoull(argv[2], NULL, 10);
    rng = rng_stream(seed, 1000);
    for (uintptr_t n = 0; n < THREADS; n++)
        REQUIRE(pthread_create(&threads[n], NULL, keep_working, (void *)n) == 0,
                "pthread_create failed"); // NOLINT
    for (long n = strtol(argv[1], NULL, 10); n > 0; n--) {
        for (size_t i = rng_below(&rng, 300); i > 0; i--)
            exchange(&rng);
        pid_t child = fork();
        if (child == 0)
            live_and_fork();
        wait_for(child, "child");
    }
    atomic_store(&stop, true);
    for (size_t n = 0; n < THREADS; n++)
        pthread_join(threads[n], NULL);
    return 0;
}
