/*
 * A source with its table of sites and its symbols: what the commands about profiles begin with.
 */
#ifndef FTM_OPENED_H
#define FTM_OPENED_H

#include <stdbool.h>

struct sites;
struct source;
struct symbols;
struct view;

struct opened {
    struct source *source;
    struct view *view;
    struct sites *sites;
    struct symbols *symbols;
};

/* Returns false after a line on stderr, with nothing left open. */
bool opened_begin(struct opened *opened, const char *name);
void opened_end(struct opened *opened);

#endif
