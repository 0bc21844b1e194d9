/*
 * The structure lock. It prefers writers: a program that calls show_alloc_mem() in a loop must not keep the
 * others from growing.
 */
#define _GNU_SOURCE 1 // NOLINT: the C library asks for this name
#include "os/structure_lock.h"

#include "os/os.h"

#include <pthread.h>
#include <signal.h>

/* Other writers are quick; only after this many attempts is it a walker that one waits for. */
enum { ATTEMPTS = 100 };

static pthread_rwlock_t lock = PTHREAD_RWLOCK_WRITER_NONRECURSIVE_INITIALIZER_NP;

/* How the calling thread holds the lock. For the child of a fork made in a signal handler of this thread. */
enum { HELD_NOT, HELD_READ, HELD_WRITE };
static _Thread_local volatile sig_atomic_t held;

void structure_lock_write(void)
{
    unsigned attempts = 0;

    /* An attempt leaves no trace if it fails, so a fork in between does no harm; a wait in a queue would. */
    while (pthread_rwlock_trywrlock(&lock) != 0 && ++attempts < ATTEMPTS)
        os_pause();
    if (attempts == ATTEMPTS)
        pthread_rwlock_wrlock(&lock);
    held = HELD_WRITE;
}

void structure_lock_read(void)
{
    pthread_rwlock_rdlock(&lock);
    held = HELD_READ;
}

void structure_unlock(void)
{
    held = HELD_NOT;
    pthread_rwlock_unlock(&lock);
}

void structure_lock_renew(void)
{
    lock = (pthread_rwlock_t)PTHREAD_RWLOCK_WRITER_NONRECURSIVE_INITIALIZER_NP;
    if (held == HELD_WRITE)
        pthread_rwlock_wrlock(&lock);
    else if (held == HELD_READ)
        pthread_rwlock_rdlock(&lock);
}
