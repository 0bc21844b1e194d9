/*
 * The read-write lock over the structure that walkers follow: the list of arenas, the lists of heaps, and the
 * heap map. Writers are those that add or remove; readers are those that walk.
 *
 * Lock order, for the whole library (take from the left to the right, never the reverse):
 *     arena pool -> an arena's own lock -> its repair lock -> structure lock -> LARGE registry
 * Nothing is allocated and nothing is written to a file descriptor while the structure lock is held. fork()
 * takes none of them: the child makes them new (arena/fork.c).
 */
#ifndef FT_OS_STRUCTURE_LOCK_H
#define FT_OS_STRUCTURE_LOCK_H

#include <stdbool.h>

void structure_lock_write(void);
void structure_lock_read(void);

/* False if somebody has it: for what can as well be done another time. */
bool structure_lock_try_write(void);
void structure_unlock(void);

/*
 * In the child of a fork: the holder may not exist any more. If it is the surviving thread, which a signal
 * interrupted and whose handler forked, it holds the new lock as it held the old one.
 */
void structure_lock_renew(void);

#endif
