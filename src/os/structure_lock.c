/*
 * The structure lock. Nobody ever waits in its queue: a fork, made by a signal handler of a thread that waits there,
 * leaves a child in which nobody will wake that thread. An attempt that fails leaves no trace.
 *
 * Writers come first: a program that calls show_alloc_mem() in a loop must not keep the others from growing.
 */
#define _GNU_SOURCE 1 // NOLINT: the C library asks for this name
#include "os/structure_lock.h"

#include "os/child.h"
#include "os/os.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>

enum {
    /* How long a reader gives way, at most: about a hundredth of a second. */
    TURNS = 1000,
    PAUSES_PER_TURN = 256,
};

static pthread_rwlock_t lock = PTHREAD_RWLOCK_INITIALIZER;

/* Set by writers again and again while they wait, cleared by readers; relaxed: a hint. */
static _Atomic bool writer_waits;

/* How the calling thread holds the lock. For the child of a fork made in a signal handler of this thread. */
enum { HELD_NOT, HELD_READ, HELD_WRITE };
static _Thread_local volatile sig_atomic_t held;

/* How often it was made new. Written in the child of a fork, while that has one thread. */
static volatile sig_atomic_t renewals;

static void make_new(void)
{
    lock = (pthread_rwlock_t)PTHREAD_RWLOCK_INITIALIZER;
    if (held == HELD_WRITE)
        pthread_rwlock_wrlock(&lock);
    else if (held == HELD_READ)
        pthread_rwlock_rdlock(&lock);
}

/*
 * Between taking or leaving the lock and saying so, a signal handler may have forked: then this is the child, and the
 * handler made the lock new as `held` was before.
 */
static void settle(sig_atomic_t how, sig_atomic_t renewals_before)
{
    held = how;
    if (unlikely(renewals != renewals_before))
        make_new();
}

bool structure_lock_try_write(void)
{
    sig_atomic_t before;

    child_check();
    before = renewals;
    if (pthread_rwlock_trywrlock(&lock) != 0)
        return false;
    settle(HELD_WRITE, before);
    return true;
}

void structure_lock_write(void)
{
    while (!structure_lock_try_write()) {
        atomic_store_explicit(&writer_waits, true, memory_order_relaxed);
        os_pause();
    }
}

static void give_way(void)
{
    for (unsigned turn = 0; turn < TURNS; turn++) {
        if (likely(!atomic_load_explicit(&writer_waits, memory_order_relaxed)))
            return;
        atomic_store_explicit(&writer_waits, false, memory_order_relaxed);
        for (unsigned pause = 0; pause < PAUSES_PER_TURN; pause++)
            os_pause();
    }
}

void structure_lock_read(void)
{
    sig_atomic_t before;

    child_check();
    before = renewals;
    give_way();
    while (pthread_rwlock_tryrdlock(&lock) != 0)
        os_pause();
    settle(HELD_READ, before);
}

void structure_unlock(void)
{
    sig_atomic_t before = renewals;

    held = HELD_NOT;
    pthread_rwlock_unlock(&lock);
    settle(HELD_NOT, before);
}

void structure_lock_renew(void)
{
    renewals++;
    make_new();
}
