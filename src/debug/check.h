/*
 * Verifies what must be true of the allocator's own records, while other threads go on. It reads
 * only what the walk may read (debug/walk.h), and of the calling thread's own arena also what its
 * lock guards. So it raises no false alarm: a fault means that something wrote to the records.
 */
#ifndef FT_DEBUG_CHECK_H
#define FT_DEBUG_CHECK_H

#include <stddef.h>

/*
 * Returns the number of faults. Reports each of the first ones on stderr, and does not end the
 * process. The caller holds no lock and has entered no arena.
 */
size_t check_all(void);

/*
 * FT_MALLOC_CHECK=N: at the first call after check_begin() and at each N-th one after that,
 * verifies the heaps of the calling thread's arena. A fault is
 * reported like any other misuse, and ends the process unless an option says otherwise. The caller
 * holds no lock and has entered no arena.
 */
void check_begin(void);
void check_now_and_then(void);

#endif
