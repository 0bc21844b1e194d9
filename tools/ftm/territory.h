/*
 * What of a process's address space is the allocator's: heaps, LARGE mappings, and what it has for
 * itself. Nothing of it is a root of the program: a chunk is only kept alive by what is in the
 * program's own memory, or in another live chunk.
 */
#ifndef FTM_TERRITORY_H
#define FTM_TERRITORY_H

#include "ranges.h"

struct view;

struct territory {
    struct ranges heaps;   /* address space of TINY and SMALL heaps, guarded chunks among them */
    struct ranges large;   /* LARGE mappings, live or cached, with their headroom */
    struct ranges library; /* the mapped file of the library with its data */
    struct ranges own;     /* base/own.h: caches, tables, memory of the modes */
    struct ranges all;     /* of all four */
    struct ranges inner;   /* those of `own` that no reader needs: indices */
};

/* Returns false after a line on stderr. territory_free() ends what was read. */
bool territory_read(struct view *view, struct territory *territory);
void territory_free(struct territory *territory);

#endif
