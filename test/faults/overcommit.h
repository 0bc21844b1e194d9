/*
 * The kernel's settings of how much memory it commits, which are the whole machine's. A process of
 * its own puts them back: whatever becomes of the one that asked for it, a signal and the end of a
 * time limit included.
 */
#ifndef FT_TEST_FAULTS_OVERCOMMIT_H
#define FT_TEST_FAULTS_OVERCOMMIT_H

#include <stdbool.h>
#include <stddef.h>

/* False if this process may not change them. */
bool overcommit_can_be_set(void);

/*
 * From now on the kernel commits `more` KiB more than it has by now, and never more; of this it
 * holds back up to `reserve` KiB from processes that have 32 times as much address space.
 */
void overcommit_limit(size_t more, size_t reserve);

/* Puts back what was before. */
void overcommit_restore(void);

/* Whether all is as overcommit_can_be_set() found it. */
bool overcommit_is_as_before(void);

#endif
