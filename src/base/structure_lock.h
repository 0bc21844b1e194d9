/*
 * The read-write lock over the structure that walkers follow: the list of arenas, the lists of
 * heaps, and the heap map. Writers are those that add or remove; readers are those that walk.
 *
 * Lock order, for the whole library (take from the left to the right, never the reverse):
 *     arena pool -> an arena's own lock -> its repair lock -> structure lock -> LARGE registry
 * Nothing is allocated and nothing is written to a file descriptor while the structure lock is
 * held. fork() takes none of them: the child makes them new (arena/fork.c).
 */
#ifndef FT_BASE_STRUCTURE_LOCK_H
#define FT_BASE_STRUCTURE_LOCK_H

#include <stdbool.h>

void structure_lock_write(void);
void structure_lock_read(void);

/* False if somebody has it: for what can as well be done another time. Never waits. */
bool structure_lock_try_write(void);
void structure_unlock(void);

/*
 * In the child of a fork: nobody holds it. The surviving thread may go on with what it did under
 * the lock when a signal handler forked, and give the lock back: until that call has ended there is
 * no second thread in the child.
 */
void structure_lock_renew(void);

/* How often that was done: what others noted under the lock before, they will not take back. */
unsigned structure_lock_renewals(void);

#endif
