/*
 * Which chunks the words of a chunk point to: what marking needs of the program's memory, in a
 * fraction of its size. The links of a chunk are added one after the other, and then never change.
 */
#ifndef FTM_LINKS_H
#define FTM_LINKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { LINKS_INSIDE = 1, LINKS_LAST = 2, LINKS_GROUP_SHIFT = 10 };

struct links {
    /* For each chunk: 1 + where its links begin behind those of its group, or 0. */
    uint32_t *first;
    uint64_t *groups; /* where the links of each group of chunks begin */
    size_t chunks;
    /*
     * Four times the number of a chunk, with LINKS_INSIDE added if the pointer is not to its start:
     * then the offset follows. LINKS_LAST is added to the last one of a chunk.
     */
    uint32_t *items;
    size_t used, room;
    size_t begin, last; /* of the chunk that gets links: where they begin, and the last one */
};

struct link {
    uint32_t target;
    bool inside;
    uint32_t offset; /* in words; 0: not a whole number of them, or too many */
};

/* The most chunks that links can lead to. */
#define LINKS_CHUNKS_MAX (UINT32_MAX / 4)

/* Return false without memory. */
bool links_open(struct links *links, size_t chunks);
bool links_reserve(struct links *links, size_t words); /* before so many words are looked at */
void links_close(struct links *links);

/* Chunks get their links in the order of their numbers, each of them between these two calls. */
static inline void links_begin(struct links *links, size_t chunk)
{
    if (chunk % (1 << LINKS_GROUP_SHIFT) == 0)
        links->groups[chunk >> LINKS_GROUP_SHIFT] = links->used;
    links->last = SIZE_MAX;
    links->begin = links->used;
}

/* Returns false if a group has more links than there are numbers. */
static inline bool links_end(struct links *links, size_t chunk)
{
    uint64_t begin = links->begin - links->groups[chunk >> LINKS_GROUP_SHIFT];

    if (links->last == SIZE_MAX)
        return true;
    links->items[links->last] |= LINKS_LAST;
    links->first[chunk] = (uint32_t)begin + 1;
    return begin < UINT32_MAX;
}

static inline void links_add(struct links *links, uint32_t target)
{
    links->last = links->used;
    links->items[links->used++] = target << 2;
}

static inline void links_add_inside(struct links *links, uint32_t target, uint64_t bytes)
{
    links->last = links->used;
    links->items[links->used++] = target << 2 | LINKS_INSIDE;
    links->items[links->used++] =
        bytes % 8 == 0 && bytes / 8 <= UINT32_MAX ? (uint32_t)(bytes / 8) : 0;
}

/* Returns the first link of a chunk, or NULL. */
static inline const uint32_t *links_of(const struct links *links, size_t chunk)
{
    if (links->first[chunk] == 0)
        return NULL;
    return links->items + links->groups[chunk >> LINKS_GROUP_SHIFT] + links->first[chunk] - 1;
}

/* Takes the link, and returns the next one, or NULL behind the last one. */
static inline const uint32_t *links_next(const uint32_t *item, struct link *link)
{
    bool last = (*item & LINKS_LAST) != 0;

    *link = (struct link){.target = *item >> 2, .inside = (*item & LINKS_INSIDE) != 0};
    if (link->inside)
        link->offset = *++item;
    return last ? NULL : item + 1;
}

#endif
