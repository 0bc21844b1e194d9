/*
 * The table in memory: sites in an array, found by the hash of their stacks, and live chunks.
 */
#include "sites.h"

#include "memory.h"
#include "sites_chunks.h"
#include "sites_own.h"

#include <stdlib.h>
#include <string.h>

struct sites_private {
    size_t item_room, chunk_room;
    uint32_t *slots; /* index of a site plus 1, by the hash of its stack; 0: empty */
    size_t slot_room;
    uint64_t *ids; /* ids and indexes of sites, two words each, in the order they were added */
    size_t id_count, id_room;
};

struct sites *sites_new(void)
{
    struct sites *sites = memory_new(1, sizeof(*sites));

    sites->own = memory_new(1, sizeof(*sites->own));
    sites->own->slot_room = 256;
    sites->own->slots = memory_new(sites->own->slot_room, sizeof(*sites->own->slots));
    sites->interval = 1;
    return sites;
}

void sites_free(struct sites *sites)
{
    if (sites == NULL)
        return;
    for (size_t i = 0; i < sites->count; i++)
        free((void *)sites->items[i].pcs);
    free(sites->own->slots);
    free(sites->own->ids);
    free(sites->own);
    free(sites->items);
    free(sites->chunks);
    free(sites->command);
    free(sites);
}

static uint64_t stack_hash(const uint64_t *pcs, unsigned depth)
{
    uint64_t hash = depth;

    for (unsigned i = 0; i < depth; i++) {
        hash = (hash ^ pcs[i]) * 0x9e3779b97f4a7c15U;
        hash ^= hash >> 29;
    }
    return hash;
}

/* The slot of the site with that stack, or the empty one that it should get. */
static uint32_t *find_slot(const struct sites *sites, const uint64_t *pcs, unsigned depth)
{
    const struct sites_private *own = sites->own;
    size_t slot = stack_hash(pcs, depth) & (own->slot_room - 1);

    for (; own->slots[slot] != 0; slot = (slot + 1) & (own->slot_room - 1)) {
        const struct site *site = &sites->items[own->slots[slot] - 1];

        if (site->depth == depth &&
            (depth == 0 || memcmp(site->pcs, pcs, depth * sizeof(*pcs)) == 0))
            break;
    }
    return &own->slots[slot];
}

static void double_slots(struct sites *sites)
{
    struct sites_private *own = sites->own;

    free(own->slots);
    own->slot_room *= 2;
    own->slots = memory_new(own->slot_room, sizeof(*own->slots));
    for (size_t i = 0; i < sites->count; i++)
        *find_slot(sites, sites->items[i].pcs, sites->items[i].depth) = (uint32_t)i + 1;
}

struct site *sites_add(struct sites *sites, const uint64_t *pcs, unsigned depth, bool truncated)
{
    uint32_t *slot = find_slot(sites, pcs, depth);
    struct site *site;
    uint64_t *copy;

    if (*slot != 0) {
        sites->items[*slot - 1].truncated |= truncated;
        return &sites->items[*slot - 1];
    }
    if (sites->count * 2 >= sites->own->slot_room) {
        double_slots(sites);
        slot = find_slot(sites, pcs, depth);
    }
    sites->items =
        memory_grow(sites->items, &sites->own->item_room, sites->count, sizeof(*sites->items));
    copy = memory_new(depth, sizeof(*copy));
    if (depth > 0)
        memcpy(copy, pcs, depth * sizeof(*copy));
    site = &sites->items[sites->count++];
    *site = (struct site){.depth = depth, .truncated = truncated, .pcs = copy};
    *slot = (uint32_t)sites->count;
    return site;
}

void sites_name(struct sites *sites, uint64_t id, const struct site *site)
{
    struct sites_private *own = sites->own;

    own->ids = memory_grow(own->ids, &own->id_room, own->id_count, 2 * sizeof(*own->ids));
    own->ids[2 * own->id_count] = id;
    own->ids[2 * own->id_count + 1] = (uint64_t)(site - sites->items);
    own->id_count++;
}

const struct site *sites_by_id(const struct sites *sites, uint64_t id)
{
    const uint64_t *ids = sites->own->ids;
    size_t low = 0, high = sites->own->id_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (ids[2 * middle] < id)
            low = middle + 1;
        else
            high = middle;
    }
    return low < sites->own->id_count && ids[2 * low] == id ? &sites->items[ids[2 * low + 1]]
                                                            : NULL;
}

void sites_add_chunk(struct sites *sites, const struct site_chunk *chunk)
{
    sites->chunks = memory_grow(sites->chunks, &sites->own->chunk_room, sites->chunk_count,
                                sizeof(*sites->chunks));
    sites->chunks[sites->chunk_count++] = *chunk;
}

static int compare_chunks(const void *one, const void *other)
{
    const struct site_chunk *a = one, *b = other;

    return a->address < b->address ? -1 : a->address > b->address;
}

void sites_sort_chunks(struct sites *sites)
{
    if (sites->chunk_count > 0)
        qsort(sites->chunks, sites->chunk_count, sizeof(*sites->chunks), compare_chunks);
}

const struct site_chunk *sites_chunk(const struct sites *sites, uint64_t address)
{
    size_t low = sites_chunk_from(sites, address);

    return low < sites->chunk_count && sites->chunks[low].address == address ? &sites->chunks[low]
                                                                             : NULL;
}

void site_sum(struct site *sum, const struct site *site)
{
    sum->allocations += site->allocations;
    sum->bytes += site->bytes;
    sum->live += site->live;
    sum->live_bytes += site->live_bytes;
    sum->peak += site->peak;
    sum->peak_bytes += site->peak_bytes;
    sum->most += site->most;
    sum->most_bytes += site->most_bytes;
    sum->freed += site->freed;
    sum->freed_bytes += site->freed_bytes;
    sum->lifetime_ns += site->lifetime_ns;
    sum->temporary += site->temporary;
    sum->temporary_bytes += site->temporary_bytes;
}
