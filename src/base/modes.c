/*
 * The word that says which modes are on, their numbers, and the lock of whoever switches one.
 */
#include "base/modes.h"

#include "base/child.h"
#include "os/os.h"

#include <pthread.h>

OS_TOUCHED _Atomic unsigned modes_on;
_Atomic uint64_t mode_numbers[MODE_KINDS][MODE_NUMBERS];

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

void modes_lock(void)
{
    child_check();
    pthread_mutex_lock(&lock);
}

bool modes_try_lock(void)
{
    child_check();
    return pthread_mutex_trylock(&lock) == 0;
}

void modes_unlock(void)
{
    pthread_mutex_unlock(&lock);
}

void modes_after_fork(void)
{
    pthread_mutex_init(&lock, NULL);
}
