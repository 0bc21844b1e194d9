/*
 * The history: what a ring holds, who gets the ring of a thread that ended, and reading while
 * others write. Each test runs in a child, because rings are never unmapped.
 */
#include "unit/noted.h"

#include "debug/mode_memory.h"
#include "os/os.h"
#include "support/rng.h"
#include "support/sanitized.h"

#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CALLS = 8, THREADS = 4 };

/* All calls that can be read, in the order in which they are read. */
static struct {
    unsigned count;
    struct history_call calls[1000];
} seen;

static bool see(void *context, const struct history_call *call)
{
    (void)context;
    REQUIRE(seen.count < 1000, "too many calls");
    seen.calls[seen.count++] = *call;
    return true;
}

static unsigned read_all(void)
{
    seen.count = 0;
    history_each(see, NULL);
    return seen.count;
}

static void hold_the_last(void *unused)
{
    (void)unused;
    REQUIRE(read_all() == 0, "calls before the first");
    begin(CALLS, DEPTH);
    for (size_t n = 1; n <= 3 * CALLS + 1; n++) {
        unsigned expected = n < CALLS ? (unsigned)n : CALLS;

        note(EVENT_MALLOC, 16 * n, 0, n);
        REQUIRE(read_all() == expected, "%u calls of %zu", seen.count, n);
        for (unsigned i = 0; i < expected; i++) {
            const struct history_call *call = &seen.calls[i];

            REQUIRE(call->pointer == 16 * (n - i) && call->size == n - i && call->old == 0 &&
                        call->kind == EVENT_MALLOC && call->order == n - i &&
                        call->began == call->order && call->caller.time == 1000 + n - i &&
                        call->caller.thread == caller_thread(),
                    "a wrong call");
            REQUIRE(call->caller.depth >= 1 && call->caller.depth <= DEPTH, "%u frames",
                    call->caller.depth);
        }
    }
    REQUIRE(mode_memory_of(MODE_HISTORY).used == os_page_size(), "more memory than one ring");
}

static void test_a_ring_holds_the_last_calls(void **state)
{
    (void)state;
    run(hold_the_last);
}

static __attribute__((noinline)) void note_deep(unsigned depth)
{
    if (depth > 0)
        note_deep(depth - 1);
    else
        note(EVENT_MALLOC, 16, 0, 1);
    __asm__ volatile("" ::: "memory"); /* no tail call */
}

static void keep_frames(void *unused)
{
    (void)unused;
    begin(CALLS, 3);
    note_deep(10);
    REQUIRE(read_all() == 1 && seen.calls[0].caller.depth <= 3, "too deep");
    for (unsigned n = 0; n < seen.calls[0].caller.depth; n++)
        REQUIRE(seen.calls[0].caller.frames[n] > 4096, "no address");
}

static void test_frames(void **state)
{
    (void)state;
    run(keep_frames);
}

static void *note_some(void *base)
{
    for (uintptr_t n = 0; n < 3; n++)
        note(EVENT_MALLOC, (uintptr_t)base + 16 * n, 0, n);
    history_thread_end();
    return NULL;
}

static void in_thread(uintptr_t base)
{
    pthread_t thread;

    REQUIRE(pthread_create(&thread, NULL, note_some, pointer_to(base)) == 0, "no thread");
    pthread_join(thread, NULL);
}

static unsigned count_rings(void)
{
    unsigned count = 0;

    for (struct history_ring *ring = atomic_load(&history.rings); ring != NULL; ring = ring->next)
        count++;
    return count;
}

static bool is_held(uintptr_t pointer)
{
    read_all();
    for (unsigned n = 0; n < seen.count; n++)
        if (seen.calls[n].pointer == pointer)
            return true;
    return false;
}

static pthread_barrier_t together;

static void *note_together(void *base)
{
    note(EVENT_MALLOC, (uintptr_t)base, 0, 1);
    pthread_barrier_wait(&together);
    if ((uintptr_t)base % 64 == 0)
        pthread_barrier_wait(&together); /* this one ends first */
    history_thread_end();
    if ((uintptr_t)base % 64 != 0)
        pthread_barrier_wait(&together);
    return NULL;
}

/* The rings of threads that ended stay readable, and the one that ended first is taken first. */
static void reuse_rings(void *unused)
{
    pthread_t threads[2];
    (void)unused;

    begin(CALLS, DEPTH);
    pthread_barrier_init(&together, NULL, 2);
    for (uintptr_t n = 0; n < 2; n++)
        pthread_create(&threads[n], NULL, note_together, pointer_to(640 + 32 * n));
    for (unsigned n = 0; n < 2; n++)
        pthread_join(threads[n], NULL);
    REQUIRE(count_rings() == 2, "%u rings for two threads", count_rings());
    REQUIRE(is_held(640) && is_held(672), "the calls of threads that ended are lost");
    for (uintptr_t n = 1; n <= 2; n++) /* three calls each, of the eight in a ring */
        in_thread(4096 * n);
    REQUIRE(count_rings() == 2 && is_held(4096) && is_held(8192), "no ring was reused");
    REQUIRE(is_held(640) && is_held(672), "a ring was reused although another one waited longer");
    for (uintptr_t n = 3; n <= 6; n++)
        in_thread(4096 * n);
    REQUIRE(count_rings() == 2, "no ring was reused");
    REQUIRE(!is_held(640) && !is_held(672), "nothing was overwritten");
}

static void test_rings_are_reused(void **state)
{
    (void)state;
    run(reuse_rings);
}

static void change_sizes(void *unused)
{
    (void)unused;
    REQUIRE(!history_begin(0, 1) && !history_begin(1, 0) && !history_begin(1, 65) &&
                !history_begin((uint64_t)HISTORY_CALLS_MAX + 1, 1),
            "impossible sizes");
    begin(CALLS, DEPTH);
    for (size_t n = 0; n < CALLS; n++)
        note(EVENT_MALLOC, 16, 0, 1);
    begin(4, 2); /* fits in the same ring, which is made anew */
    REQUIRE(read_all() == CALLS, "lost before the next call");
    note(EVENT_MALLOC, 32, 0, 2);
    REQUIRE(read_all() == 1 && seen.calls[0].pointer == 32 && count_rings() == 1, "not anew");
    for (size_t n = 0; n < 10; n++)
        note(EVENT_MALLOC, 32, 0, 2);
    REQUIRE(read_all() == 4, "not the new size");
    begin(10000, 2); /* does not fit */
    note(EVENT_MALLOC, 48, 0, 3);
    REQUIRE(read_all() == 5 && count_rings() == 2, "%u calls, %u rings", seen.count, count_rings());
}

static void test_sizes_change(void **state)
{
    (void)state;
    run(change_sizes);
}

/* Without memory for a ring, calls are counted as dropped; later ones are noted. */
static void refuse(void *unused)
{
    (void)unused;
    begin(CALLS, DEPTH);
    os_fail_after(1, false);
    note(EVENT_MALLOC, 16, 0, 1);
    REQUIRE(read_all() == 0 && mode_memory_of(MODE_HISTORY).dropped == 1, "not counted");
    note(EVENT_MALLOC, 32, 0, 2);
    REQUIRE(read_all() == 1 && seen.calls[0].pointer == 32, "not noted");
    begin(HISTORY_CALLS_MAX, CALLER_DEPTH_MAX); /* more than the cap */
    note(EVENT_MALLOC, 48, 0, 3);
    REQUIRE(read_all() == 1 && mode_memory_of(MODE_HISTORY).dropped == 2, "beyond the cap");
    REQUIRE(mode_memory_of(MODE_HISTORY).used == os_page_size(), "the cap does not hold");
}

static void test_without_memory(void **state)
{
    (void)state;
    run(refuse);
}

static atomic_bool stop;

/* Numbers that a reader can check: all words of a call follow from one of them. */
static void *note_checked(void *number)
{
    struct rng rng = rng_stream(7, (uintptr_t)number);

    for (unsigned n = 0; n < 5000; n++) {
        uintptr_t value = 16 * (1 + rng_below(&rng, 1000));

        note(EVENT_MALLOC, value, value + 1, value + 2);
    }
    history_thread_end();
    return NULL;
}

static bool check_call(void *context, const struct history_call *call)
{
    (void)context;
    REQUIRE(call->old == call->pointer + 1 && call->size == call->pointer + 2 &&
                call->caller.time == 1000 + call->size && call->caller.depth <= DEPTH,
            "words of several calls");
    return true;
}

static void *read_on(void *unused)
{
    struct history_chunk chunk;

    while (!atomic_load(&stop)) {
        history_each(check_call, NULL);
        history_find(160, UINT64_MAX, &chunk);
        REQUIRE(!chunk.allocated_known || chunk.allocated.pointer == 160, "another chunk");
    }
    return unused;
}

static void write_and_read(void *unused)
{
    pthread_t writers[THREADS], reader;
    (void)unused;

    begin(CALLS, DEPTH);
    REQUIRE(pthread_create(&reader, NULL, read_on, NULL) == 0, "no thread");
    for (unsigned round = 0; round < 4; round++) {
        for (uintptr_t n = 0; n < THREADS; n++)
            REQUIRE(pthread_create(&writers[n], NULL, note_checked, pointer_to(n)) == 0, "none");
        for (unsigned n = 0; n < THREADS; n++)
            pthread_join(writers[n], NULL);
        /* Rings are made anew while they are read. */
        begin(CALLS - 1 + round % 2, DEPTH - 1 + round % 2);
    }
    atomic_store(&stop, true);
    pthread_join(reader, NULL);
    REQUIRE(count_rings() <= THREADS, "%u rings", count_rings());
}

static void test_reading_while_others_write(void **state)
{
    (void)state;
    run(write_and_read);
}

static void *note_for_ever(void *unused)
{
    while (!atomic_load(&stop))
        note(EVENT_MALLOC, 16, 17, 18);
    return unused;
}

static void in_fork(void)
{
    struct caller caller;
    uint64_t order;

    note(EVENT_FREE, 0, 4096, 0);
    REQUIRE(history_current(4096, &caller, &order) && caller.thread == caller_thread(), "lost");
    /* ThreadSanitizer allows no threads in the child of a process with threads. */
    for (uintptr_t n = 1; n <= THREADS + 1 && !sanitized; n++)
        in_thread(4096 * n);
    REQUIRE(count_rings() <= THREADS + 2, "%u rings", count_rings());
}

/* Rings of threads that do not exist in the child are used again there. */
static void fork_often(void *unused)
{
    pthread_t threads[THREADS];
    (void)unused;

    begin(CALLS, DEPTH);
    note(EVENT_MALLOC, 4096, 0, 1);
    for (unsigned n = 0; n < THREADS; n++)
        REQUIRE(pthread_create(&threads[n], NULL, note_for_ever, NULL) == 0, "no thread");
    for (unsigned n = 0; n < 20; n++) {
        pid_t child = fork();
        int status = -1;

        if (child == 0) {
            history_after_fork();
            in_fork();
            _exit(0);
        }
        REQUIRE(waitpid(child, &status, 0) == child && status == 0, "status %x", (unsigned)status);
    }
    atomic_store(&stop, true);
    for (unsigned n = 0; n < THREADS; n++)
        pthread_join(threads[n], NULL);
}

static void test_children_of_forks(void **state)
{
    (void)state;
    run(fork_often);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_ring_holds_the_last_calls),
        cmocka_unit_test(test_frames),
        cmocka_unit_test(test_rings_are_reused),
        cmocka_unit_test(test_sizes_change),
        cmocka_unit_test(test_without_memory),
        cmocka_unit_test(test_reading_while_others_write),
        cmocka_unit_test(test_children_of_forks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
