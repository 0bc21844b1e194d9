/*
 * What the modes do when a thread ends, and in the child of a fork.
 */
#ifndef FT_DEBUG_MODE_THREADS_H
#define FT_DEBUG_MODE_THREADS_H

/* Called when a mode begins that has something for each thread, or a lock. Any thread, any time. */
void mode_threads_watch(void);

#endif
