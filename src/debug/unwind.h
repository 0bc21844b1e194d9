/*
 * Stacks of callers. The library itself follows frame pointers, which a program has if it was
 * compiled with -fno-omit-frame-pointer; the debug library knows more (hooks.h).
 *
 * Any thread may call this in any place, also in a signal handler, but not while it is unwinding.
 */
#ifndef FT_DEBUG_UNWIND_H
#define FT_DEBUG_UNWIND_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Called once, early. `environment` is the environment as the kernel laid it on the stack of the
 * initial thread, or NULL.
 */
void unwind_init(char **environment);

/*
 * Stores return addresses, innermost first, and returns how many there are, at least 1. The first
 * is where `frame` returns to: `frame` is the __builtin_frame_address(0) of a function of this
 * thread that has not returned. *truncated becomes true if the outermost one is not in the thread's
 * first functions, because code without frame pointers or too many frames were in between.
 */
unsigned unwind_stack(void *frame, uintptr_t *pcs, unsigned most, bool *truncated);

/* Follows frame pointers even if there is a hook. */
unsigned unwind_frames(void *frame, uintptr_t *pcs, unsigned most, bool *truncated);

#endif
