/*
 * A program that holds or loses memory in one of many ways, and says what a leak checker should
 * find: `leak_cases NAME` prints lines
 *
 *     expect KIND SIZE BLOCKS
 *
 * with KIND one of definite, indirect, possible, reachable; then it checks itself if it runs under
 * valgrind or LeakSanitizer, or else prints "ready" and waits until its input is closed. Each case
 * uses sizes that nothing else in the process has.
 */
#ifndef FTM_LEAK_CASE_H
#define FTM_LEAK_CASE_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Not inlined, and nothing is known of it elsewhere: addresses stay where a case puts them. */
#ifdef __clang__
#define APART __attribute__((noinline, optnone))
#else
#define APART __attribute__((noipa))
#endif

struct leak_case {
    const char *name;
    void (*run)(void);
};

/* Ends with an entry without a name. */
extern const struct leak_case leak_cases_c[], leak_cases_threads[], leak_cases_memory[];
extern const struct leak_case leak_cases_cxx[];

void expect(const char *kind, size_t size, unsigned blocks);

/* Returns zero-filled memory; ends the program without it. */
void *make(size_t size);

/* Overwrites the part of the stack that earlier calls used. */
void scrub(void);

/*
 * Checks, or waits to be checked, deeper on the stack: frames have places that nobody writes to,
 * where old addresses would stay, so they have to be where scrub() has been. Does not return.
 */
void check_here(void);

/* Called by the case when everything is in place. */
static inline void checkpoint(void)
{
    scrub();
    check_here();
}

/* Keeps the compiler from thinking that the value is not needed after a checkpoint. */
void keep(const void *value);

#ifdef __cplusplus
}
#endif

#endif
