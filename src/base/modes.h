/*
 * The modes: what the library does beside allocating, for those who look into a program. Each is
 * off at first. The environment, ft_malloc_set(), or a write from outside (base/control.h) switches
 * it, at any time.
 *
 * A mode that is off costs nothing, because the fast paths never ask. While a mode is on that has
 * to see calls of malloc, each thread's pointer for malloc names cache_none, so that the fast path
 * misses (arena/thread.h); likewise for free.
 */
#ifndef FT_BASE_MODES_H
#define FT_BASE_MODES_H

#include "os/os.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum mode {
    MODE_STATS = 1,
    MODE_HISTORY = 2,
    MODE_PROFILE = 4,
    MODE_RECORD = 8,
    MODE_GUARD = 16,
    MODE_FILL = 32,
    MODE_CHECK = 64,
    MODE_LIMIT = 128,
    MODE_FAIL = 256,
    /*
     * No mode: some bits are set because the environment asks for these modes, and nobody has begun
     * them yet (debug/mode_switch.h).
     */
    MODES_WAIT = 1 << 30
};

enum {
    /* These make calls that allocate slow; that is every mode. */
    MODES_OF_MALLOC = MODE_STATS | MODE_HISTORY | MODE_PROFILE | MODE_RECORD | MODE_GUARD |
                      MODE_FILL | MODE_CHECK | MODE_LIMIT | MODE_FAIL | MODES_WAIT,
    /* These also make calls that free slow. */
    MODES_OF_FREE = MODE_STATS | MODE_HISTORY | MODE_RECORD | MODE_FILL | MODE_LIMIT | MODES_WAIT,
    /* These want events (debug/event.h). */
    MODES_OF_EVENTS = MODE_STATS | MODE_HISTORY | MODE_PROFILE | MODE_RECORD,
    /* These want to know the time of each. */
    MODES_OF_TIME = MODE_HISTORY | MODE_PROFILE | MODE_RECORD
};

/*
 * The modes that are on. Written with the lock of debug/mode_switch.c, or by the first call, which
 * reads the environment. Any thread reads it. Release and acquire where the reader goes on to use
 * what the mode has prepared; relaxed where it only decides which way a call takes.
 */
extern _Atomic unsigned modes_on;

/* Returns whether the mode, or one of several, is on. What the mode has prepared can be used. */
static inline bool mode_is_on(unsigned modes)
{
    /* Acquire: a mode is switched on when its tables are complete. */
    return (atomic_load_explicit(&modes_on, memory_order_acquire) & modes) != 0;
}

/* Return whether calls that allocate, or free, have to be slow. */
static inline bool modes_malloc_slow(void)
{
    /* Relaxed, here and below: see modes_on. */
    return unlikely((atomic_load_explicit(&modes_on, memory_order_relaxed) & MODES_OF_MALLOC) != 0);
}

static inline bool modes_free_slow(void)
{
    return unlikely((atomic_load_explicit(&modes_on, memory_order_relaxed) & MODES_OF_FREE) != 0);
}

#endif
