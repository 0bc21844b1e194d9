/*
 * A table of virtual functions is in a mapped file, and one of its first words is the address of
 * code.
 */
#include "vtables.h"

#include "source.h"

#include <stddef.h>

static bool is_number(uint64_t word)
{
    return word >> 32 == 0;
}

/* Notes the part of address space around the address in which no file is mapped. */
static void note_gap(struct vtables *vtables, struct source *source, uint64_t address)
{
    size_t count;
    const struct source_map *maps = source_maps(source, &count);
    uint64_t *start = &vtables->gaps[is_number(address) ? 0 : 1].start;
    uint64_t *end = &vtables->gaps[is_number(address) ? 0 : 1].end;

    *start = 0;
    *end = UINT64_MAX;
    for (size_t i = 0; i < count; i++) {
        if (maps[i].path[0] != '/')
            continue;
        if (maps[i].start > address) {
            *end = maps[i].start;
            return;
        }
        *start = maps[i].end;
    }
}

static bool leads_to_code(struct source *source, uint64_t address)
{
    uint64_t entries[3];

    if (!source_read(source, address, entries, sizeof entries))
        return false;
    for (unsigned i = 0; i < sizeof entries / sizeof *entries; i++) {
        const struct source_map *map = source_map_at(source, entries[i]);

        if (map != NULL && (map->flags & MAP_EXECUTE) != 0)
            return true;
    }
    return false;
}

bool vtables_have(struct vtables *vtables, struct source *source, uint64_t address)
{
    uint64_t slot = address / sizeof(uint64_t) % VTABLES_KNOWN;
    unsigned gap = is_number(address) ? 0 : 1;
    const struct source_map *map;

    if (address % sizeof(uint64_t) != 0 ||
        (address >= vtables->gaps[gap].start && address < vtables->gaps[gap].end))
        return false;
    if (vtables->known[slot] == address + 1 || vtables->refuted[slot] == address + 1)
        return vtables->known[slot] == address + 1;
    map = source_map_at(source, address);
    if (map == NULL || map->path[0] != '/') {
        note_gap(vtables, source, address);
        return false;
    }
    if (leads_to_code(source, address)) {
        vtables->known[slot] = address + 1;
        return true;
    }
    vtables->refuted[slot] = address + 1;
    return false;
}
