/*
 * The stack table of a source: who allocated how much, by distinct stack. sites_read() takes it
 * from a process, a core or a snapshot that ran with FT_MALLOC_PROFILE or FT_MALLOC_RECORD; tests
 * make their own with sites_new() and sites_add().
 */
#ifndef FTM_SITES_H
#define FTM_SITES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct view;

/* Numbers of chunks and bytes. Those of a sampled profile are estimates of the whole program's. */
struct site {
    uint64_t id;
    unsigned depth;
    bool truncated;      /* the walk of the stack ended before its beginning */
    const uint64_t *pcs; /* return addresses, the innermost first */
    uint64_t allocations, bytes;
    uint64_t live, live_bytes;
    uint64_t peak, peak_bytes; /* when the program's live bytes were highest */
    uint64_t most, most_bytes; /* when this site's live bytes were highest */
    uint64_t freed, freed_bytes;
    uint64_t lifetime_ns;                /* of the freed chunks, added up */
    uint64_t temporary, temporary_bytes; /* freed by the thread's next call */
};

/* A live chunk that the table knows. */
struct site_chunk {
    uint64_t address, size;
    uint64_t count, bytes; /* what it stands for: 1 and its size if every call is recorded */
    uint64_t age_ns;
    uint64_t site; /* index in sites->items */
    uint32_t thread;
};

struct sites {
    struct site *items;
    size_t count;
    struct site_chunk *chunks; /* sorted by address */
    size_t chunk_count;
    uint64_t interval;           /* mean bytes between two samples; 1 if every call is recorded */
    uint64_t samples, truncated; /* stacks that were walked, and those cut short */
    uint64_t overflowed;         /* calls whose stacks found no room in the table */
    uint64_t dropped;            /* calls that found no memory at all */
    uint64_t start_ns;           /* since the epoch; 0 if it is not known */
    uint64_t duration_ns;        /* from start_ns to now, or to when the source was written */
    uint64_t peak_ns;            /* when the peak was, since start_ns */
    char *command;               /* NULL if it is not known */
    int pid;
    struct sites_private *own;
};

/* Returns NULL, after a line on stderr, if the source has no stack table. */
struct sites *sites_read(struct view *view);

/* Whether it has one: whether a mode that takes stacks is on, or was. */
bool sites_present(struct view *view);

/* An empty table. */
struct sites *sites_new(void);

/*
 * Returns the site with this stack, which is added if it is new. The pointer is valid until the
 * next call.
 */
struct site *sites_add(struct sites *sites, const uint64_t *pcs, unsigned depth, bool truncated);

/* Adds a live chunk. They need not come in order; sites_sort_chunks() comes last. */
void sites_add_chunk(struct sites *sites, const struct site_chunk *chunk);

void sites_sort_chunks(struct sites *sites);

void sites_free(struct sites *sites);

/* What is known about the live chunk at the address, or NULL. */
const struct site_chunk *sites_chunk(const struct sites *sites, uint64_t address);

/* Returns the site with that id, or NULL. */
const struct site *sites_by_id(const struct sites *sites, uint64_t id);

#endif
