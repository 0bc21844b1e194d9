/*
 * `life_forks N S`: N forks, or as many as start in S seconds (100 or more), of a process whose
 * other threads are in the middle of malloc. Each child verifies and frees chunks that those
 * threads allocated, allocates, and calls show_alloc_mem. Some start threads or fork again.
 */
#include "support/capture.h"
#include "support/deadline.h"
#include "support/pattern.h"
#include "support/require.h"
#include "support/rng.h"
#include "support/shown.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { THREADS = 2, SLOTS = 200, STEPS = 100 };

/* A slot holds a finished chunk, which starts with its size. Whoever takes it out owns it. */
static _Atomic(size_t *) slots[SLOTS];
static atomic_bool stop;
static void (*show)(void);

static size_t random_size(struct rng *rng)
{
    static const size_t limits[] = {100, 600, 9000, 70000, 600000};
    return sizeof(size_t) +
           rng_below(
               rng, limits[rng_below(rng, 1000) < 990 ? rng_below(rng, 3) : 3 + rng_below(rng, 2)]);
}

static size_t *make(struct rng *rng)
{
    size_t size = random_size(rng);
    size_t *chunk = malloc(size);
    REQUIRE(chunk != NULL, "no memory for %zu bytes", size);
    *chunk = size;
    pattern_write(chunk + 1, 0, size - sizeof size, size);
    return chunk;
}

static void verify(const size_t *chunk)
{
    size_t filled = *chunk - sizeof *chunk;
    REQUIRE(pattern_mismatch(chunk + 1, filled, *chunk) == filled, "%p of %zu bytes was changed",
            (const void *)chunk, *chunk);
}

static void change_a_slot(struct rng *rng)
{
    _Atomic(size_t *) *slot = &slots[rng_below(rng, SLOTS)];
    size_t *chunk = atomic_exchange(slot, NULL);
    if (chunk == NULL) {
        chunk = atomic_exchange(slot, make(rng));
        if (chunk == NULL)
            return;
    }
    verify(chunk);
    free(chunk);
}

static void *work(void *argument)
{
    struct rng rng = rng_stream(99, (uint64_t)(uintptr_t)argument);
    while (!atomic_load_explicit(&stop, memory_order_relaxed))
        change_a_slot(&rng);
    return NULL;
}

static void *free_all_slots(void *unused)
{
    (void)unused;
    for (size_t n = 0; n < SLOTS; n++) {
        size_t *chunk = atomic_exchange(&slots[n], NULL);
        if (chunk == NULL)
            continue;
        verify(chunk);
        free(chunk);
    }
    return NULL;
}

static void require_slots_shown(void)
{
    struct capture capture;
    struct shown shown;
    capture_open(&capture, STDOUT_FILENO);
    capture_call(&capture, show);
    REQUIRE(shown_parse(&shown, capture.text, capture.length), "%s", shown.error);
    for (size_t n = 0; n < SLOTS; n++) {
        size_t *held = atomic_load(&slots[n]);
        if (held == NULL)
            continue;
        const struct shown_chunk *chunk = shown_find(&shown, held);
        REQUIRE(chunk != NULL, "%p of %zu bytes is not shown", (void *)held, *held);
        REQUIRE(chunk->size == *held, "%p of %zu bytes is shown with %zu", (void *)held, *held,
                chunk->size);
    }
    shown_free(&shown);
    capture_close(&capture);
}

static void await(pid_t pid)
{
    int status = 0;
    REQUIRE(waitpid(pid, &status, 0) == pid, "waitpid failed");
    REQUIRE(status == 0, "a child ended with status 0x%x", (unsigned)status);
}

/*
 * Each child does a different part of the work, so that each part is also the first thing that a
 * child does.
 */
static void live_as_child(size_t n)
{
    struct rng rng = rng_stream(7, n);
    if (n % 4 == 0)
        require_slots_shown();
    if (n % 3 == 0)
        free_all_slots(NULL);
    for (size_t step = 0; step < STEPS; step++)
        change_a_slot(&rng);
    if (n % 7 == 0) {
        pthread_t thread;
        REQUIRE(pthread_create(&thread, NULL, free_all_slots, NULL) == 0, "pthread_create failed");
        pthread_join(thread, NULL);
    }
    if (n % 11 == 0) {
        pid_t pid = fork();
        REQUIRE(pid >= 0, "fork failed");
        if (pid != 0)
            await(pid);
        for (size_t step = 0; step < STEPS; step++)
            change_a_slot(&rng);
    }
    free_all_slots(NULL);
    if (n % 5 == 0)
        require_slots_shown();
    _exit(0);
}

int main(int argc, char **argv)
{
    REQUIRE(argc == 3, "usage: life_forks N S");
    size_t count = strtoul(argv[1], NULL, 10);
    time_t deadline = deadline_in(strtol(argv[2], NULL, 10));
    void *address = dlsym(RTLD_DEFAULT, "show_alloc_mem");
    REQUIRE(address != NULL, "the process does not run on the library");
    memcpy(&show, &address, sizeof address);
    pthread_t threads[THREADS];
    for (size_t t = 0; t < THREADS; t++)
        REQUIRE(pthread_create(&threads[t], NULL, work, (void *)t) == 0, "pthread_create failed");
    struct rng rng = rng_stream(99, THREADS);
    size_t n = 0;
    for (; !deadline_enough(n, count, deadline); n++) {
        for (size_t step = n % 50; step > 0; step--)
            change_a_slot(&rng);
        pid_t pid = fork();
        REQUIRE(pid >= 0, "fork failed");
        if (pid == 0)
            live_as_child(n);
        await(pid);
    }
    atomic_store(&stop, true);
    for (size_t t = 0; t < THREADS; t++)
        pthread_join(threads[t], NULL);
    printf("%zu forks\n", n);
    return 0;
}
