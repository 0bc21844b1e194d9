/*
 * Each distinct stack of callers is stored once, with counters of what was allocated from it: a
 * site. Frames are nodes of a tree whose root is the outermost caller, so stacks share their outer
 * frames. Sites and nodes are only ever added, at addresses that stay, so any thread may read them
 * without a lock, and a reader outside may follow them in a running process.
 *
 * The memory is bounded. When it is used up, or there is none, calls from new stacks are counted at
 * the site STACK_OVERFLOW.
 */
#ifndef FT_DEBUG_STACK_TABLE_H
#define FT_DEBUG_STACK_TABLE_H

#include "base/modes.h"
#include "os/os.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum {
    /* The largest number of frames in a stack. */
    STACK_DEPTH_MAX = 64,
    /* No site; and the site for stacks that could not be stored, which has no frames. */
    STACK_NONE = 0,
    STACK_OVERFLOW = 1,
    /* A site or node number is the number of a block and a place in it. */
    SITE_BLOCK_SHIFT = 7,
    NODE_BLOCK_SHIFT = 10,
    SITE_BLOCKS = 1 << 13,
    NODE_BLOCKS = 1 << 14,
};

/* A frame. Constant once its number is known to anybody. */
struct stack_node {
    uint64_t pc;     /* a return address */
    uint32_t parent; /* the caller's node, or 0 */
    uint32_t depth;  /* how many frames there are, with this one and its callers */
};

/*
 * The counters of a site. In a profile each sample counts as many calls as it stands for, so all
 * figures are estimates of those of the whole program, except `samples`. Written with the lock of
 * the site, which profile.c has; any thread reads them, relaxed, because they are figures.
 *
 * What is live is the difference: allocations - freed, and bytes - freed_bytes.
 */
struct stack_counters {
    _Atomic uint64_t samples;
    _Atomic uint64_t allocations, bytes;
    _Atomic uint64_t freed, freed_bytes;
    /* Those of `freed` that the next call of their thread freed, as far as it is seen. */
    _Atomic uint64_t temporary, temporary_bytes;
    /* The sum of the lifetimes of `freed`, in nanoseconds. */
    _Atomic uint64_t lifetime;
    /* The most bytes that were live from this site, and how many chunks these were. */
    _Atomic uint64_t most_bytes, most;
    /*
     * What was live at the peak of the whole process that has the number `peak_number`. If that is
     * not the last peak (struct stack_totals), the site has not changed since the last peak, and
     * what is live now was live then.
     */
    _Atomic uint64_t peak_bytes, peak;
    _Atomic uint64_t peak_number;
};

struct stack_site {
    /* Constant once the site's number is known to anybody. */
    uint64_t hash;
    uint32_t node; /* the innermost frame, or 0 */
    uint16_t depth;
    uint16_t truncated; /* 1 if the walk did not reach the thread's first function */
    uint64_t unused;
    struct stack_counters counters;
};

static_assert(sizeof(struct stack_site) == 128, "sites do not share cache lines");

/*
 * Of all sites. Any thread adds to them and reads them, relaxed, because they are figures; the two
 * of the peak are written with a lock of profile.c.
 */
struct stack_totals {
    _Atomic uint64_t live, live_bytes;
    /*
     * When the first mode that needs the table began, by clock_now(); and the mean number of bytes
     * between two samples, 1 if every call is noted, as it was set last.
     */
    _Atomic uint64_t began, interval;
    /* The most bytes that were live at once, when that was, and a number that it is known by. */
    _Atomic uint64_t peak_bytes, peak_time, peak_number;
    /* Stacks taken, those that are truncated, and those counted at STACK_OVERFLOW. */
    _Atomic uint64_t stacks, truncated, overflowed;
    /* Calls not noted: made while the thread was in the middle of noting one, or no memory. */
    _Atomic uint64_t nested, dropped;
};

/*
 * The root of everything. Numbers count from 1, so number n is the element n % size of the block
 * n / size, and `sites` and `nodes` are one more than the last number. A reader that has seen a
 * number with acquire finds the block and the element complete.
 */
struct stack_table {
    _Atomic uint32_t sites, nodes;
    struct stack_totals totals;
    /*
     * Arrays of struct stack_site, and of struct stack_node. Written with the lock of the table,
     * and release; read with acquire.
     */
    _Atomic(void *) site_blocks[SITE_BLOCKS];
    _Atomic(void *) node_blocks[NODE_BLOCKS];
};

/* The table, or NULL while no mode has ever wanted one. It is never unmapped. */
extern _Atomic(struct stack_table *) stack_table;

/*
 * Makes the table if there is none yet. What it grows by from now on is the memory of that mode.
 * Returns false if there is no memory. One thread at a time.
 */
bool stack_table_begin(enum mode mode);

/*
 * Returns the number of the site with these frames, innermost first, which it stores if they are
 * new; STACK_OVERFLOW if there is no room. The table must have been made. Any thread may call it,
 * but not a signal handler that interrupts such a call.
 */
uint32_t stack_table_site(const uintptr_t *pcs, unsigned depth, bool truncated);

/* The stack that a thread asked for last, outermost frame first. All zero: none. */
struct stack_last {
    unsigned depth;
    uintptr_t pcs[STACK_DEPTH_MAX];
    /* Of the frames up to this one; a node is 0 if it has not been asked for. */
    uint64_t hashes[STACK_DEPTH_MAX];
    uint32_t nodes[STACK_DEPTH_MAX];
};

/* The same, for a thread that keeps its last stack: the outer frames mostly are the same. */
uint32_t stack_table_site_from(struct stack_last *last, const uintptr_t *pcs, unsigned depth,
                               bool truncated);

/* Returns a site by its number, which some call has returned. */
struct stack_site *stack_table_at(uint32_t site);

/* Stores the frames of a site, innermost first, and returns how many there are. */
unsigned stack_table_frames(uint32_t site, uintptr_t *pcs, unsigned most);

/* Runs in the child of a fork. Makes the lock new. */
void stack_table_after_fork(void);

#endif
