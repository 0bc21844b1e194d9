/*
 * What each thread's last walk came by. Most of a stack stays as it is between two calls, so the
 * next walk needs the rules only of the frames that changed. What is kept is a hint: a walk checks
 * each word of the stack that it would have read otherwise.
 */
#ifndef FT_DEBUG_LIBRARY_LAST_WALK_H
#define FT_DEBUG_LIBRARY_LAST_WALK_H

#include <stdbool.h>
#include <stdint.h>

/* Where a walk is: at a call that returns to `pc`, with the registers that its function has. */
struct place {
    uintptr_t pc, stack, pointer;
};

/* A frame, and how the walk went on from there. */
struct walked {
    struct place at;
    uint64_t module;          /* frame_module() */
    const uintptr_t *returns; /* where its return address is; NULL: the tables say it has none */
    const uintptr_t *saved;   /* where its caller's frame pointer is; NULL: it is the same */
    bool by_pointer;          /* `returns` and `saved` were told from the frame pointer */
    bool first;               /* the thread's first function */
    bool needs_pointer;       /* with another frame pointer, the walk would have gone elsewhere */
    bool to_check;            /* its caller needs the frame pointer, or is in another module */
};

enum { LAST_FRAMES = 128, NEW_FRAMES = 64 };

struct last_walk {
    unsigned depth;
    unsigned added; /* NEW_FRAMES + 1: too many */
    /* The thread's outermost frame first. Each was called by the one before it. */
    struct walked frames[LAST_FRAMES];
    /* Those of the walk that goes on, innermost first. */
    struct walked fresh[NEW_FRAMES];
};

/* Called once, before any walk. */
void last_walk_begin(void);

/* Returns the calling thread's, or NULL if it has none: it ends, or there is no memory. */
struct last_walk *last_walk_get(void);

/* Adds a frame to those of the walk that goes on. */
static inline void last_walk_add(struct last_walk *last, const struct walked *frame)
{
    if (last == (void *)0 || last->added > NEW_FRAMES)
        return;
    if (last->added < NEW_FRAMES)
        last->fresh[last->added] = *frame;
    last->added++;
}

/* The walk has ended: it came by the new frames, and then by the outermost `kept` ones. */
void last_walk_end(struct last_walk *last, unsigned kept);

#endif
