/*
 * The structure lock, made of plain mutexes. A writer holds the gate and all rooms. A reader passes
 * through the gate and then holds one room. So several readers can walk at once; and while a writer
 * holds the gate and waits for the rooms, no new reader comes in. A program that calls
 * show_alloc_mem() in a loop therefore does not keep the others from adding heaps.
 *
 * A thread that waits sleeps in pthread_mutex_lock(), so a thread of high priority leaves the
 * processor to a holder of low priority.
 *
 * In the child of a fork all mutexes are made new, whatever the surviving thread was doing. If a
 * signal handler interrupted that thread while it waited for a mutex, it finds the mutex free when
 * it looks again; and unlocking a mutex that is free already changes nothing. A pthread_rwlock_t is
 * not like that: a thread that waits in its queue would never be woken.
 */
#include "base/structure_lock.h"

#include "base/child.h"
#include "os/os.h"

#include <pthread.h>

/* How many readers can walk at once; a writer takes all of these mutexes. */
enum { ROOMS = 4 };

OS_TOUCHED static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
OS_TOUCHED static pthread_mutex_t rooms[ROOMS] = {
    PTHREAD_MUTEX_INITIALIZER, PTHREAD_MUTEX_INITIALIZER, PTHREAD_MUTEX_INITIALIZER,
    PTHREAD_MUTEX_INITIALIZER};

/* How the calling thread holds the lock: the number of its room, or HOLDS_ALL. */
enum { HOLDS_ALL = ROOMS };
static _Thread_local unsigned char held;

/* Written in the child of a fork, while it has one thread. */
static unsigned renewals;

void structure_lock_write(void)
{
    child_check();
    pthread_mutex_lock(&gate);
    for (unsigned room = 0; room < ROOMS; room++)
        pthread_mutex_lock(&rooms[room]);
    held = HOLDS_ALL;
}

static void leave_rooms(unsigned end)
{
    while (end-- > 0)
        pthread_mutex_unlock(&rooms[end]);
    pthread_mutex_unlock(&gate);
}

bool structure_lock_try_write(void)
{
    child_check();
    if (pthread_mutex_trylock(&gate) != 0)
        return false;
    for (unsigned room = 0; room < ROOMS; room++)
        if (pthread_mutex_trylock(&rooms[room]) != 0) {
            leave_rooms(room);
            return false;
        }
    held = HOLDS_ALL;
    return true;
}

/*
 * Returns a room that is free. If there is none, waits for the first one; the caller holds the
 * gate, so no other thread can wait for it.
 */
static unsigned take_room(void)
{
    for (unsigned room = 0; room < ROOMS; room++)
        if (pthread_mutex_trylock(&rooms[room]) == 0)
            return room;
    pthread_mutex_lock(&rooms[0]);
    return 0;
}

void structure_lock_read(void)
{
    unsigned room;

    child_check();
    pthread_mutex_lock(&gate);
    room = take_room();
    pthread_mutex_unlock(&gate);
    held = (unsigned char)room;
}

void structure_unlock(void)
{
    if (held == HOLDS_ALL)
        leave_rooms(ROOMS);
    else
        pthread_mutex_unlock(&rooms[held]);
}

unsigned structure_lock_renewals(void)
{
    return renewals;
}

void structure_lock_renew(void)
{
    renewals++;
    pthread_mutex_init(&gate, NULL);
    for (unsigned room = 0; room < ROOMS; room++)
        pthread_mutex_init(&rooms[room], NULL);
}
