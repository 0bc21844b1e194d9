/*
 * Bounds the time of tests that repeat something: on a slow machine they repeat it less often. The
 * callers choose what they always do.
 */
#ifndef FT_TEST_SUPPORT_DEADLINE_H
#define FT_TEST_SUPPORT_DEADLINE_H

#include <stdbool.h>
#include <time.h>

/* Seconds of a clock that nobody sets. */
static inline time_t deadline_in(time_t seconds)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec + seconds;
}

static inline bool deadline_passed(time_t deadline)
{
    return deadline_in(0) >= deadline;
}

/*
 * For a loop over numbered cases: what to add to a number. It is 1 for the first seconds, 5 for as
 * many again, then 9, and so on.
 */
static inline unsigned deadline_stride(time_t started, time_t seconds)
{
    time_t passed = deadline_in(0) - started;
    return passed < seconds ? 1 : (unsigned)(1 + 4 * (passed / seconds));
}

#endif
