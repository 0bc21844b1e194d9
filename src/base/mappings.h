/*
 * How many mappings the kernel holds for us, at most. It allows a process 65,530, and when they are
 * used up, nobody can map anything or start a thread. Neighbours of the same kind are one mapping
 * for it and cost nothing; whoever makes others asks here first, and does without them when too
 * many are in use. Any thread may call this, without a lock.
 */
#ifndef FT_BASE_MAPPINGS_H
#define FT_BASE_MAPPINGS_H

#include <stdbool.h>

/*
 * False: there are too many, and none was taken. What the kernel joins nevertheless is counted too.
 */
bool mappings_take(unsigned count);

/* The same without a question: for what there must be. */
void mappings_add(unsigned count);
void mappings_give(unsigned count);

/*
 * How many forks lie between this process and the one that loaded the library; one more in the
 * child of a fork. The kernel does not join what a child renews with what its parent mapped around
 * it, so each such piece costs two mappings.
 */
void mappings_after_fork(void);
unsigned mappings_generation(void);

#ifdef FT_MALLOC_PREFIXED
/* For tests: how many are in use, and how many there may be; 0: as always. */
unsigned mappings_used(void);
void mappings_bound(unsigned bound);
#endif

#endif
