/*
 * A kernel that refuses. Programs that are linked with kernel.c and --wrap=mmap,--wrap=munmap make
 * their calls for memory through it, and some of these fail as planned. A refused renewal
 * (MAP_FIXED) leaves the range as it was, or a hole: kernels may do either. Calls of the test
 * itself are exempt between kernel_exempt(true) and kernel_exempt(false), for each thread.
 */
#ifndef FT_TEST_FAULTS_KERNEL_H
#define FT_TEST_FAULTS_KERNEL_H

#include <stdbool.h>

enum { KERNEL_MAP = 1, KERNEL_RENEW = 2, KERNEL_UNMAP = 4, KERNEL_ANY = 7, KERNEL_LEAVE_HOLES = 8 };

/* Of the calls of these kinds, `count` fail, beginning with call number `first`, counted from 1. */
struct kernel_plan {
    unsigned kinds;
    unsigned long first;
    unsigned long count;
};

/* The environment variable sets the plan from the library's first call on: KINDS FIRST COUNT. */
#define KERNEL_PLAN "FT_FAULT_PLAN"

void kernel_obey(void);
void kernel_exempt(bool exempt);

/*
 * The number of calls of the planned kinds so far, and of those that were refused, in all threads
 * and in the calling one.
 */
unsigned long kernel_calls(void);
unsigned long kernel_refused(void);
unsigned long kernel_refused_here(void);

/* Whether a refused renewal has left a hole. */
bool kernel_holes(void);

/* Whether calls of this kind may still be refused. */
bool kernel_refuses(unsigned kind);

#endif
