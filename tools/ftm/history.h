/*
 * The last calls of each thread (FT_MALLOC_HISTORY), and who allocated and freed guarded chunks
 * (FT_MALLOC_GUARD), as a source has them.
 */
#ifndef FTM_HISTORY_H
#define FTM_HISTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ranges;
struct view;

enum { PAST_DEPTH_MAX = 64 };

struct past_call {
    const char *kind;      /* "malloc", "calloc", "realloc", "aligned" or "free" */
    bool allocates, frees; /* realloc does both */
    uint64_t order;        /* orders the calls of all threads */
    uint64_t time;         /* nanoseconds, on the clock of the library */
    uint64_t pointer, old; /* what was returned, and what was given to the call */
    uint64_t size;
    uint32_t thread;
    bool truncated;
    unsigned depth;
    uint64_t frames[PAST_DEPTH_MAX]; /* return addresses, the innermost first */
};

/*
 * Calls `visit` for each call that is known, of all threads, in no order, until it returns another
 * value than 0. Returns that value, or 0; also if there is no history.
 */
int history_each(struct view *view, int (*visit)(void *context, const struct past_call *call),
                 void *context);

/* Adds the memory that entries of calls are in. */
void history_ranges(struct view *view, struct ranges *ranges);

/*
 * Calls `put` with copies of that memory, in which an entry that its thread was writing has the
 * sequence 0: who reads a copy cannot look twice.
 */
void history_copy(struct view *view,
                  void (*put)(void *context, uint64_t address, const void *bytes, size_t size),
                  void *context);

/*
 * What is known of the chunk that starts at the address: the last call that returned it, and the
 * last one that freed it after that. Sets `kind` to NULL in one that is not known.
 */
void history_of(struct view *view, uint64_t address, struct past_call *allocated,
                struct past_call *freed);

/* How long ago that was, or 0 if the source cannot tell. */
uint64_t history_age(struct view *view, uint64_t time);

#endif
