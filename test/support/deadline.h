/*
 * Bounds the time of tests that repeat something: on a slow machine they repeat it less often.
 */
#ifndef FT_TEST_SUPPORT_DEADLINE_H
#define FT_TEST_SUPPORT_DEADLINE_H

#include <stdbool.h>
#include <stddef.h>
#include <time.h>

/* A test repeats something so often even after its deadline. */
enum { DEADLINE_LEAST = 100 };

/* Returns when so many seconds will have passed, in seconds of a clock that nobody sets. */
static inline time_t deadline_in(time_t seconds)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec + seconds;
}

/*
 * Returns true if a test has done something often enough: as often as it wants to, or, after the
 * deadline, DEADLINE_LEAST times.
 */
static inline bool deadline_enough(size_t done, size_t wanted, time_t deadline)
{
    return done >= wanted || (done >= DEADLINE_LEAST && deadline_in(0) >= deadline);
}

/*
 * Returns what a loop over numbered cases adds to a number: 1 for the first seconds, 5 for as many
 * again, then 9, and so on.
 */
static inline unsigned deadline_stride(time_t started, time_t seconds)
{
    time_t passed = deadline_in(0) - started;
    return passed < seconds ? 1 : (unsigned)(1 + 4 * (passed / seconds));
}

#endif
