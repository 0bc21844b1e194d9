/*
 * The structure lock. It prefers writers: a program that calls show_alloc_mem() in a loop must not keep the
 * others from growing.
 */
#define _GNU_SOURCE 1 // NOLINT: the C library asks for this name
#include "os/structure_lock.h"

#include <pthread.h>

static pthread_rwlock_t lock = PTHREAD_RWLOCK_WRITER_NONRECURSIVE_INITIALIZER_NP;

void structure_lock_write(void)
{
    pthread_rwlock_wrlock(&lock);
}

void structure_lock_read(void)
{
    pthread_rwlock_rdlock(&lock);
}

void structure_unlock(void)
{
    pthread_rwlock_unlock(&lock);
}

void structure_lock_renew(void)
{
    lock = (pthread_rwlock_t)PTHREAD_RWLOCK_WRITER_NONRECURSIVE_INITIALIZER_NP;
}
