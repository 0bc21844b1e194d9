/*
 * Sites added up: by stack, by the place that allocates, by library, by thread, or by size.
 */
#ifndef FTM_GROUPS_H
#define FTM_GROUPS_H

#include "sites.h"

struct frame;
struct symbols;

enum group_by { BY_STACK, BY_SITE, BY_LIBRARY, BY_THREAD, BY_SIZE };

/* Which of a site's figures is meant. */
enum site_value { VALUE_LIVE, VALUE_PEAK, VALUE_ALLOCATED, VALUE_TEMPORARY };

struct group {
    const char *key;
    struct site sum;  /* its stack is that of the site with the most of it */
    uint64_t largest; /* the value of that site */
    uint64_t sites;   /* how many there are in it */
    uint64_t order;   /* of a thread or size: what to sort by if the values are equal */
};

struct groups {
    struct group *items;
    size_t count;
    struct groups_private *own;
};

struct groups *groups_new(void);
void groups_free(struct groups *groups);

/* The group with that key, which is added if it is new; valid until the next call. */
struct group *groups_at(struct groups *groups, const char *key);

/* Adds the site to the group. */
void group_add(struct group *group, const struct site *site, enum site_value value);

/*
 * Adds up all sites. Threads and sizes are known of live chunks only, so these groups have no other
 * figures than live and live_bytes.
 */
struct groups *groups_of(const struct sites *sites, struct symbols *symbols, enum group_by by,
                         enum site_value value);

/* The largest first. */
void groups_sort(struct groups *groups, enum site_value value);

uint64_t site_bytes(const struct site *site, enum site_value value);
uint64_t site_count(const struct site *site, enum site_value value);

/*
 * All frames of a stack, inlined ones included, innermost first, without the allocator's own.
 * Returns how many; *frames is to be freed.
 */
unsigned site_frames(const struct site *site, struct symbols *symbols, struct frame **frames);

/* How many of the innermost return addresses are in the allocator itself. */
unsigned site_own_depth(const struct site *site, struct symbols *symbols);

/*
 * The frame that stands for a stack: the innermost one that is not part of an allocator, of the C++
 * library, or of a function that only passes malloc() on (xmalloc and the like).
 */
const struct frame *site_place(const struct frame *frames, unsigned count);

/* The text of a stack that has no frames. */
extern const char site_unknown[];

#endif
