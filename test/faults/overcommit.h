/*
 * The kernel's settings of how much memory it commits, which are those of the whole machine. A
 * process of its own restores them whatever happens to the test, including a signal or the end of a
 * time limit.
 */
#ifndef FT_TEST_FAULTS_OVERCOMMIT_H
#define FT_TEST_FAULTS_OVERCOMMIT_H

#include <stdbool.h>
#include <stddef.h>

/* Returns false if this process may not change them. */
bool overcommit_can_be_set(void);

/*
 * Limits what the kernel commits to `more` KiB above what it has committed by now. Of this it holds
 * back up to `reserve` KiB from processes that have 32 times as much address space.
 */
void overcommit_limit(size_t more, size_t reserve);

/* Restores the former settings. */
void overcommit_restore(void);

/* Whether all settings are as overcommit_can_be_set() found them. */
bool overcommit_is_as_before(void);

#endif
