/*
 * A source with its table of sites and its symbols: what the commands about profiles begin with.
 */
#ifndef FTM_PROFILED_H
#define FTM_PROFILED_H

#include <stdbool.h>

struct sites;
struct source;
struct symbols;
struct view;

struct profiled {
    struct source *source;
    struct view *view;
    struct sites *sites;
    struct symbols *symbols;
};

/* Returns false after a line on stderr, with nothing left open. */
bool profiled_begin(struct profiled *profiled, const char *name);
void profiled_end(struct profiled *profiled);

#endif
