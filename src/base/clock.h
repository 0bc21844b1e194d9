/*
 * The clock that measures how long memory has been free. Any thread may read it at any time,
 * without a system call.
 */
#ifndef FT_BASE_CLOCK_H
#define FT_BASE_CLOCK_H

#include <stdint.h>

/*
 * Returns the time in nanoseconds since some moment in the past. The clock advances in steps of a
 * few milliseconds, and may jump in either direction until clock_init() has been called. If the
 * kernel offers no clock that can be read without a system call, each call advances it by a fixed
 * amount.
 */
uint64_t clock_now(void);

/* A tenth of a second, in the clock's unit. */
enum { CLOCK_TENTH = 100 * 1000 * 1000 };

/*
 * Looks for the kernel's clock. `environment` is the environment as the kernel laid it on the
 * stack, or NULL. Must be called after secret_init().
 */
void clock_init(char **environment);

#endif
