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

#include <assert.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum mode {
    NO_MODE = 0,
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
    /* These want all events (debug/event.h); MODE_PROFILE wants some (api/watched.c). */
    MODES_OF_EVENTS = MODE_STATS | MODE_HISTORY | MODE_RECORD,
    /* These want to know the time of each. */
    MODES_OF_TIME = MODE_HISTORY | MODE_PROFILE | MODE_RECORD,
    /* These have something to prepare before they are switched on (debug/mode_switch.c). */
    MODES_WITH_TABLES = MODE_HISTORY | MODE_PROFILE | MODE_RECORD | MODE_GUARD | MODE_LIMIT
};

static_assert(MODE_FAIL == 1 << 8, "MODE_KINDS counts the modes");

/*
 * The modes that are on. Written with the modes' lock, or by the first call, which reads the
 * environment. Any thread reads it. Sequentially consistent where a mode is added or taken away,
 * and where a thread opens its fast paths (arena/thread.c); release and acquire where the reader
 * goes on to use what the mode has prepared; relaxed where it only decides which way a call takes.
 */
extern _Atomic unsigned modes_on;

/*
 * The numbers that a mode was set to; docs/OPTIONS.md says what they mean, in their order. Written
 * while the mode is off, with the modes' lock, and before it is switched on. A call that began
 * while it was on may read the next value, so each number has to make sense alone. Relaxed.
 */
enum { MODE_KINDS = 9, MODE_NUMBERS = 2 };
extern _Atomic uint64_t mode_numbers[MODE_KINDS][MODE_NUMBERS];

static inline unsigned mode_index(enum mode mode)
{
    return (unsigned)__builtin_ctz((unsigned)mode);
}

static inline uint64_t mode_number(enum mode mode, unsigned n)
{
    return atomic_load_explicit(&mode_numbers[mode_index(mode)][n], memory_order_relaxed);
}

/*
 * The lock of whoever switches a mode or sets an option. It is taken before every other lock of the
 * library, by a thread that holds none. In the child of a fork it is made new.
 */
void modes_lock(void);
bool modes_try_lock(void);
void modes_unlock(void);
void modes_after_fork(void);

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
