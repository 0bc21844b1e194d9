/*
 * The calling thread's stack. Both functions do what the hook `unwind` promises (debug/hooks.h).
 */
#ifndef FT_DEBUG_LIBRARY_STACK_WALK_H
#define FT_DEBUG_LIBRARY_STACK_WALK_H

#include <stdbool.h>
#include <stdint.h>

/* Called once, before any walk. */
void stack_walk_begin(void);

unsigned stack_walk(void *frame, uintptr_t *pcs, unsigned most, bool *complete);

/* Asks libgcc for every frame. */
unsigned stack_walk_tables(void *frame, uintptr_t *pcs, unsigned most, bool *complete);

#endif
