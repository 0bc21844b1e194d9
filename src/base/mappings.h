/*
 * A bound on how many mappings the kernel holds for us. It allows a process 65,530; when they are
 * used up, nobody can map memory or start a thread. The kernel joins neighbours of the same kind
 * into one mapping, so these cost nothing. Code that makes other mappings first asks here, and does
 * without them if too many are in use. Any thread may call this, without a lock.
 */
#ifndef FT_BASE_MAPPINGS_H
#define FT_BASE_MAPPINGS_H

#include <stdbool.h>

/*
 * Adds `count` mappings to the account. Returns false, and adds none, if there would be too many.
 * Mappings that the kernel happens to join count too.
 */
bool mappings_take(unsigned count);

/* Adds `count` mappings even beyond the bound, for mappings that cannot be avoided. */
void mappings_add(unsigned count);
void mappings_give(unsigned count);

/*
 * Counts the forks between the process that loaded the library and this one. mappings_after_fork()
 * adds one, in the child. The kernel does not join what a child renews with what its parent mapped
 * around it, so each renewed range in a child costs two mappings.
 */
void mappings_after_fork(void);
unsigned mappings_generation(void);

#ifdef FT_MALLOC_PREFIXED
/*
 * For tests: how many mappings are on the account, and a bound to use instead of the usual one; 0
 * restores that.
 */
unsigned mappings_used(void);
void mappings_bound(unsigned bound);
#endif

#endif
