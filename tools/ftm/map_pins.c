/*
 * Pins: one for each slab and each stack with chunks in it; then those of equal stacks together.
 */
#include "map_pins.h"

#include "memory.h"
#include "sites_chunks.h"

#include <stdlib.h>

static size_t site_of(const struct map *map, uint64_t address)
{
    return map->sites == NULL ? NO_SITE : sites_site_at(map->sites, address);
}

/* Returns the pin for the site among those of this slab, which begin at `first`. */
static struct map_pin *pin_of(struct map *map, size_t first, size_t site, unsigned size_class)
{
    for (size_t i = first; i < map->pin_count; i++)
        if (map->pins[i].site == site)
            return &map->pins[i];
    map->pins = memory_grow(map->pins, &map->pin_room, map->pin_count, sizeof *map->pins);
    map->pins[map->pin_count] =
        (struct map_pin){.site = site, .size_class = size_class, .slabs = 1};
    return &map->pins[map->pin_count++];
}

void map_pins_add(struct map *map, const struct view_slab *slab, const struct map_slab *facts)
{
    size_t first = map->pin_count;
    uint64_t used = (uint64_t)slab->live * slab->chunk_size, pinned;

    if (slab->live == 0 || (uint64_t)slab->live * 100 > (uint64_t)slab->chunks * map->nearly_empty)
        return;
    pinned = facts->resident > used ? facts->resident - used : 0;
    for (unsigned i = 0; i < slab->chunks; i++) {
        uint64_t start = slab->start + (uint64_t)i * slab->chunk_size;
        struct map_pin *pin;

        if (slab->kinds[i] != view_layout(map->target.view)->state_live)
            continue;
        pin = pin_of(map, first, site_of(map, start), slab->size_class);
        pin->chunks++;
        pin->bytes += pinned / slab->live;
        pin->live += slab->chunk_size;
    }
}

static int by_key(const void *one, const void *other)
{
    const struct map_pin *a = one, *b = other;

    if (a->site != b->site)
        return a->site < b->site ? -1 : 1;
    if (a->site != NO_SITE)
        return 0;
    return (a->size_class > b->size_class) - (a->size_class < b->size_class);
}

static int by_bytes(const void *one, const void *other)
{
    const struct map_pin *a = one, *b = other;

    if (a->bytes != b->bytes)
        return a->bytes > b->bytes ? -1 : 1;
    return by_key(one, other);
}

void map_pins_finish(struct map *map)
{
    size_t kept = 0;

    if (map->pin_count == 0)
        return;
    qsort(map->pins, map->pin_count, sizeof *map->pins, by_key);
    for (size_t i = 1; i < map->pin_count; i++) {
        struct map_pin *last = &map->pins[kept];

        if (by_key(last, &map->pins[i]) != 0) {
            map->pins[++kept] = map->pins[i];
            continue;
        }
        last->chunks += map->pins[i].chunks;
        last->slabs += map->pins[i].slabs;
        last->bytes += map->pins[i].bytes;
        last->live += map->pins[i].live;
    }
    map->pin_count = kept + 1;
    qsort(map->pins, map->pin_count, sizeof *map->pins, by_bytes);
}
