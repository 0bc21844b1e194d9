/*
 * The read-write lock over the structures that walkers follow: the list of arenas, the lists of
 * heaps, and the heap map. Code that adds or removes entries is a writer; code that walks is a
 * reader.
 *
 * Lock order of the whole library (take from the left to the right, never the reverse):
 *     modes -> pool -> an arena's own lock -> its repair lock -> structure lock -> LARGE registry
 *     -> parcel depot
 * The lock of the history's rings and that of guarded chunks are taken with none of these held.
 * Nothing is allocated, and nothing is written to a file descriptor, while the structure lock is
 * held. fork() takes none of these locks: the child makes them new (arena/fork.c).
 */
#ifndef FT_BASE_STRUCTURE_LOCK_H
#define FT_BASE_STRUCTURE_LOCK_H

#include <stdbool.h>

void structure_lock_write(void);
void structure_lock_read(void);

/*
 * Returns false, without waiting, if another thread holds the lock; for work that can be done
 * later.
 */
bool structure_lock_try_write(void);
void structure_unlock(void);

/*
 * Called in the child of a fork: makes the lock new and free. If a signal handler forked, the
 * surviving thread may continue with what it did under the lock, and then unlock it. That is
 * harmless: until that call has ended, there is no second thread in the child.
 */
void structure_lock_renew(void);

/*
 * Returns how often the lock was made new. What other threads noted under the lock before that,
 * they will not take back.
 */
unsigned structure_lock_renewals(void);

#endif
