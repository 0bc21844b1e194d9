/*
 * Which definition of a function the process uses: ours, or that of the program or of a library
 * that is searched before this one. What the standard or the C library builds on another function
 * has to call the one in force.
 */
#ifndef FT_API_IN_FORCE_H
#define FT_API_IN_FORCE_H

#include "arena/thread.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

/* The functions that others are built on; the C++ operators by their mangled names. */
enum in_force {
    IN_FORCE_MALLOC,
    IN_FORCE_FREE,
    IN_FORCE_REALLOC,
    IN_FORCE_ALIGNED_ALLOC,
    IN_FORCE_NEW,
    IN_FORCE_NEW_ARRAY,
    IN_FORCE_DELETE,
    IN_FORCE_DELETE_ARRAY,
    IN_FORCE_NEW_ALIGNED,
    IN_FORCE_NEW_ARRAY_ALIGNED,
    IN_FORCE_DELETE_ALIGNED,
    IN_FORCE_DELETE_ARRAY_ALIGNED,
    IN_FORCE_FUNCTIONS
};

enum in_force_state { IN_FORCE_UNKNOWN, IN_FORCE_OURS, IN_FORCE_MIXED };

/*
 * Written once, with release: a thread that reads it with acquire sees everything that was found
 * out.
 */
extern _Atomic int in_force_state; /* enum in_force_state */

/* Finds out, and returns whether all of them are ours. */
bool in_force_look(void);

/* Returns whether all operators are known to be ours, as they are in nearly every process. */
static inline bool in_force_all_ours(void)
{
    /* Acquire: see in_force_state. */
    int state = atomic_load_explicit(&in_force_state, memory_order_acquire);

    return likely(state == IN_FORCE_OURS) || (state == IN_FORCE_UNKNOWN && in_force_look());
}

/*
 * For an operator whose fast path missed. If all definitions are ours, the fast paths of this
 * thread may serve from then on.
 */
static inline bool in_force_operators_ours(void)
{
    if (thread_to_new() != CACHE_NONE)
        return true;
    if (!in_force_all_ours())
        return false;
    thread_open_operators();
    return true;
}

/* Returns whether a definition other than ours is in force. */
bool in_force_replaced(enum in_force what);

/* These call whatever is in force. A function that is not replaced leads to ours. */
void *in_force_malloc(size_t size);
void in_force_free(void *pointer);
void *in_force_realloc(void *pointer, size_t size);
void *in_force_aligned_alloc(size_t align, size_t size);

void *in_force_new(size_t size);
void *in_force_new_array(size_t size);
void in_force_delete(void *pointer);
void in_force_delete_array(void *pointer);
void *in_force_new_aligned(size_t size, size_t align);
void *in_force_new_array_aligned(size_t size, size_t align);
void in_force_delete_aligned(void *pointer, size_t align);
void in_force_delete_array_aligned(void *pointer, size_t align);

#endif
