/*
 * The clock that ages free memory. Any thread may read it at any time, without a system call.
 */
#ifndef FT_BASE_CLOCK_H
#define FT_BASE_CLOCK_H

#include <stdint.h>

/*
 * Returns the time in nanoseconds since some moment in the past, to a few milliseconds. The clock
 * may stand still for as long as that. It may jump either way before clock_init() was called.
 * Where the kernel offers no clock that can be read without a system call, each call only advances
 * it a little.
 */
uint64_t clock_now(void);

/* A tenth of a second, in the clock's unit. */
enum { CLOCK_TENTH = 100 * 1000 * 1000 };

/*
 * Looks for the kernel's clock. `environment` is the environment as the kernel laid it on the
 * stack, or NULL. Called once, after secret_init().
 */
void clock_init(char **environment);

#endif
