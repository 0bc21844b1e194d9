/*
 * Who made a call of the allocator, and when: what the history and the guarded chunks keep of a
 * call, and what reports say of it.
 */
#ifndef FT_BASE_CALLER_H
#define FT_BASE_CALLER_H

#include <stdbool.h>
#include <stdint.h>

enum { CALLER_DEPTH_MAX = 64 };

struct caller {
    uint64_t time;   /* of clock_now() */
    uint32_t thread; /* the kernel's number of the thread */
    uint16_t depth;  /* how many frames there are in `frames` */
    bool truncated;  /* there were more of them, or the walk could not go on */
    /* Return addresses, innermost first. */
    uintptr_t frames[CALLER_DEPTH_MAX];
};

/* Returns the kernel's number of the calling thread. Makes no system call. */
uint32_t caller_thread(void);

#endif
