/*
 * One look at all chunks of a source: what is reachable at that time. For leaks.c alone.
 */
#ifndef FTM_LEAK_PASS_H
#define FTM_LEAK_PASS_H

#include "leaks.h"
#include "progress.h"
#include "roots.h"
#include "territory.h"
#include "vtables.h"

struct stop;

struct leak_pass {
    struct target target;
    struct stop *stop;
    struct vtables vtables;
    struct territory territory;
    struct roots roots;
    struct mark *mark;
    struct mark_chunk *chunks;
    size_t count, room;
    size_t left_out;
    uint64_t bytes; /* of all chunks */
    /* What process_rests() said of a live process before its memory was read. */
    bool rested;
    uint64_t switches;
    struct progress progress;
};

/*
 * What an earlier pass said of each chunk. A chunk that it did not see, or saw reachable, is a root
 * of the next pass: its owner was moving the pointer when one of the two looked.
 */
struct leak_memory {
    struct mark_chunk *chunks;
    uint8_t *kinds;
    size_t count, room;
};

/* Looks, and marks from the roots. Returns false after a line on stderr. */
bool leak_pass_begin(struct leak_pass *pass, const char *name, const struct leaks_options *options,
                     const struct leak_memory *before);

/* Returns whether some chunk was not reached, or only by a pointer into it. */
bool leak_pass_suspects(const struct leak_pass *pass);

/* Returns whether the process did not run since its memory was first read. */
bool leak_pass_undisturbed(const struct leak_pass *pass);

/* Lets the process go on if it was stopped. */
void leak_pass_release(struct leak_pass *pass);

/* Keeps what the next pass needs, instead of what was kept before. */
void leak_pass_remember(struct leak_pass *pass, struct leak_memory *memory);
void leak_memory_free(struct leak_memory *memory);

/* Ends the pass; `keep_target` leaves the source open. */
void leak_pass_end(struct leak_pass *pass, bool keep_target);

#endif
