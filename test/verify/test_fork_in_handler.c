/*
 * Forks in a signal handler that interrupts the library at a place where the models (locks.pml,
 * large.pml) found the child in danger. The interrupted call continues in the child and must
 * return.
 */
#include "unit/unit.h"

#include "base/structure_lock.h"
#include "large/registry.h"
#include "support/prefixed.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { CHUNKS = 100, CHUNK_BYTES = 300 << 10, GIVE_UP_S = 10, ROUNDS = 200 };

static pthread_t interrupted;
static _Atomic bool holding, trimmed;
static volatile sig_atomic_t forked;
static volatile pid_t child;

static void fork_now(int signal)
{
    (void)signal;
    child = fork();
    forked = 1;
    /* A child that waits for ever is killed. */
    if (child == 0)
        alarm(GIVE_UP_S);
}

static void wait_a_moment(void)
{
    nanosleep(&(struct timespec){.tv_nsec = 100 * 1000 * 1000}, NULL);
}

/*
 * While this thread holds a lock, the other one soon waits for it. If it does not yet, the test is
 * easier.
 */
static void interrupt_the_other(void)
{
    wait_a_moment();
    pthread_kill(interrupted, SIGUSR1);
    wait_a_moment();
}

static void prepare(void **chunks)
{
    assert_non_null(ft_malloc(1));
    unit_arena(); /* there is more than one arena, so the child has something to repair */
    signal(SIGUSR1, fork_now);
    interrupted = pthread_self();
    forked = 0;
    atomic_store(&holding, false);
    /* Written to, so that unmapping them takes a while: the other thread has to run in between. */
    for (unsigned i = 0; chunks != NULL && i < CHUNKS; i++)
        chunks[i] = memset(ft_malloc(CHUNK_BYTES), 1, CHUNK_BYTES);
    for (unsigned i = 0; chunks != NULL && i < CHUNKS; i++)
        ft_free(chunks[i]);
}

/* In the parent: how the child ended. */
static void child_must_succeed(pthread_t other)
{
    int status;

    assert_int_equal(pthread_join(other, NULL), 0);
    assert_true(forked);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

static void *walk(void *unused)
{
    structure_lock_read();
    atomic_store(&holding, true);
    interrupt_the_other();
    structure_unlock();
    return unused;
}

static void test_a_wait_for_a_walker(void **state)
{
    pthread_t walker;

    (void)state;
    prepare(NULL);
    assert_int_equal(pthread_create(&walker, NULL, walk, NULL), 0);
    while (!atomic_load(&holding))
        ;
    structure_lock_write();
    structure_unlock();
    if (forked && child == 0) {
        structure_lock_write();
        structure_unlock();
        _exit(0);
    }
    child_must_succeed(walker);
}

/* Freed, not in the cache any more, and not unmapped yet, which the other thread is about to do. */
static void interrupt_when_evicted(void *context, struct large *large)
{
    bool *done = context;

    if (!*done && atomic_load(&large->requested) == 0 && large_cached_bytes() == 0) {
        *done = true;
        interrupt_the_other();
    }
}

static void *look(void *chunk)
{
    bool done = false;

    atomic_store(&holding, true);
    while (!done && !atomic_load(&trimmed)) {
        registry_lock();
        registry_each(interrupt_when_evicted, &done);
        registry_unlock();
    }
    return chunk;
}

/* All chunks at once, to show that none is the mapping of another and none is missing. */
static bool chunks_are_sound(void **chunks)
{
    for (unsigned i = 0; i < CHUNKS; i++) {
        chunks[i] = ft_malloc(CHUNK_BYTES);
        if (chunks[i] == NULL)
            return false;
        memset(chunks[i], (int)i, CHUNK_BYTES);
    }
    for (unsigned i = 0; i < CHUNKS; i++)
        if (*(unsigned char *)chunks[i] != i)
            return false;
    return true;
}

/* Whether the other thread ran in between. */
static bool trim_and_fork(void **chunks)
{
    pthread_t looker;

    prepare(chunks);
    atomic_store(&trimmed, false);
    assert_int_equal(pthread_create(&looker, NULL, look, NULL), 0);
    while (!atomic_load(&holding))
        ;
    large_trim();
    atomic_store(&trimmed, true);
    if (forked && child == 0)
        _exit(chunks_are_sound(chunks) ? 0 : 1);
    if (forked)
        child_must_succeed(looker);
    else
        pthread_join(looker, NULL);
    return forked;
}

static void test_evicted_mappings_while_another_thread_has_the_registry(void **state)
{
    void *chunks[CHUNKS];

    (void)state;
    for (unsigned round = 0; round < ROUNDS; round++)
        if (trim_and_fork(chunks))
            return;
    print_message("the threads did not meet in %d rounds\n", ROUNDS);
    skip();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_wait_for_a_walker),
        cmocka_unit_test(test_evicted_mappings_while_another_thread_has_the_registry),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
