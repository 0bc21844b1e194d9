/*
 * Room for links.
 */
#include "links.h"

#include "pool.h"

enum { FIRST_ROOM = 1 << 20 };

static size_t groups(size_t chunks)
{
    return (chunks >> LINKS_GROUP_SHIFT) + 1;
}

bool links_open(struct links *links, size_t chunks)
{
    *links = (struct links){.chunks = chunks, .room = FIRST_ROOM};
    links->first = pool_map(chunks * sizeof *links->first);
    links->groups = pool_map(groups(chunks) * sizeof *links->groups);
    links->items = pool_map(links->room * sizeof *links->items);
    return links->first != NULL && links->groups != NULL && links->items != NULL;
}

bool links_reserve(struct links *links, size_t words)
{
    size_t wanted = links->used + 2 * words;
    size_t room = links->room;
    uint32_t *larger;

    if (wanted <= room)
        return true;
    while (room < wanted)
        room *= 2;
    larger = pool_grow(links->items, links->room * sizeof *larger, room * sizeof *larger);
    if (larger == NULL)
        return false;
    links->items = larger;
    links->room = room;
    return true;
}

void links_close(struct links *links)
{
    pool_unmap(links->first, links->chunks * sizeof *links->first);
    pool_unmap(links->groups, groups(links->chunks) * sizeof *links->groups);
    pool_unmap(links->items, links->room * sizeof *links->items);
    *links = (struct links){.first = NULL};
}
