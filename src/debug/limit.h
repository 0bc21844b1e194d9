/*
 * FT_MALLOC_LIMIT=BYTES and FT_MALLOC_FAIL: calls that allocate are refused, as if there were no
 * memory, to test how a program takes it.
 *
 * What counts against the limit is what the program asked for in live chunks. While the mode is on,
 * each call that allocates takes its bytes before, and each free gives them back.
 */
#ifndef FT_DEBUG_LIMIT_H
#define FT_DEBUG_LIMIT_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Begin the modes. The first counts the live chunks; what other threads allocate or free meanwhile
 * is missing in that. The second counts calls from 1 again.
 */
void limit_begin(void);
void fail_begin(void);

/* Returns false if `size` more bytes would exceed the limit, else counts them. */
bool limit_take(size_t size);

/* Subtracts bytes that were freed, or of a call that failed. */
void limit_give(size_t size);

/* Counts a call that allocates, and returns whether it is to fail. */
bool fail_due(void);

#endif
