/*
 * What is known about an address: the chunk, its neighbours, who allocated and who freed it. For
 * ftm who.
 */
#ifndef FTM_WHO_H
#define FTM_WHO_H

#include "history.h"
#include "options.h"
#include "view.h"

struct sites;
struct symbols;

enum { NEIGHBOURS = 2 };

/* A chunk beside the one that was asked for. */
struct neighbour {
    uint64_t start;
    unsigned size;
    const char *state;
};

struct answer {
    uint64_t address;
    enum view_verdict verdict;
    struct view_chunk chunk;
    bool has_slab;
    uint64_t slab_start, slab_end;
    unsigned chunks, live, vacant, cached;
    struct neighbour before[NEIGHBOURS], after[NEIGHBOURS];
    unsigned before_count, after_count;
    struct past_call allocated, freed; /* `kind` is NULL if it is not known */
    uint64_t age;                      /* 0: not known */
};

struct who {
    struct target target;
    struct sites *sites;     /* NULL if there are none */
    struct symbols *symbols; /* NULL until somebody needs them */
};

void find_answer(const struct who *who, uint64_t address, struct answer *answer);

#endif
