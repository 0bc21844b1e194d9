/*
 * Adds calls to the figures of their sites, and to those of all sites together (stack_table.h). Any
 * thread may call this, but not a signal handler that interrupts such a call.
 */
#ifndef FT_DEBUG_SITE_FIGURES_H
#define FT_DEBUG_SITE_FIGURES_H

#include "debug/live_table.h"

/* The table of stacks must have been made. */
void site_figures_alloc(const struct live_chunk *chunk);

/* `temporary` says whether this is the next call of the thread that allocated the chunk. */
void site_figures_free(const struct live_chunk *chunk, uint64_t now, bool temporary);

/* Runs in the child of a fork. Makes the locks new. */
void site_figures_after_fork(void);

#endif
