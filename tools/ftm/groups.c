/*
 * Groups are found by their keys, which are kept once each, through a hash table.
 */
#include "groups.h"

#include "memory.h"
#include "progress.h"
#include "sites_own.h"
#include "symbols.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { KEY_MAX = 4096 };

struct groups_private {
    struct names *names;
    size_t room;
    uint32_t *slots; /* index of a group plus 1, by its key; 0: empty */
    size_t slot_room;
};

struct groups *groups_new(void)
{
    struct groups *groups = memory_new(1, sizeof(*groups));

    groups->own = memory_new(1, sizeof(*groups->own));
    groups->own->names = names_new();
    groups->own->slot_room = 256;
    groups->own->slots = memory_new(groups->own->slot_room, sizeof(*groups->own->slots));
    return groups;
}

void groups_free(struct groups *groups)
{
    if (groups == NULL)
        return;
    names_free(groups->own->names);
    free(groups->own->slots);
    free(groups->own);
    free(groups->items);
    free(groups);
}

/* A key is kept once, so two keys are equal if their addresses are. */
static uint32_t *find_slot(const struct groups *groups, const char *key)
{
    const struct groups_private *own = groups->own;
    size_t slot = ((uintptr_t)key >> 4) * 0x9e3779b97f4a7c15U >> 16 & (own->slot_room - 1);

    while (own->slots[slot] != 0 && groups->items[own->slots[slot] - 1].key != key)
        slot = (slot + 1) & (own->slot_room - 1);
    return &own->slots[slot];
}

static void double_slots(struct groups *groups)
{
    struct groups_private *own = groups->own;

    free(own->slots);
    own->slot_room *= 2;
    own->slots = memory_new(own->slot_room, sizeof(*own->slots));
    for (size_t i = 0; i < groups->count; i++)
        *find_slot(groups, groups->items[i].key) = (uint32_t)i + 1;
}

struct group *groups_at(struct groups *groups, const char *key)
{
    const char *kept = names_keep(groups->own->names, key, strlen(key));
    uint32_t *slot = find_slot(groups, kept);

    if (*slot != 0)
        return &groups->items[*slot - 1];
    if (groups->count * 2 >= groups->own->slot_room) {
        double_slots(groups);
        slot = find_slot(groups, kept);
    }
    groups->items =
        memory_grow(groups->items, &groups->own->room, groups->count, sizeof(*groups->items));
    groups->items[groups->count] = (struct group){.key = kept};
    *slot = (uint32_t)++groups->count;
    return &groups->items[groups->count - 1];
}

uint64_t site_bytes(const struct site *site, enum site_value value)
{
    switch (value) {
    case VALUE_PEAK:
        return site->peak_bytes;
    case VALUE_ALLOCATED:
        return site->bytes;
    case VALUE_TEMPORARY:
        return site->temporary_bytes;
    case VALUE_LIVE:
        break;
    }
    return site->live_bytes;
}

uint64_t site_count(const struct site *site, enum site_value value)
{
    switch (value) {
    case VALUE_PEAK:
        return site->peak;
    case VALUE_ALLOCATED:
        return site->allocations;
    case VALUE_TEMPORARY:
        return site->temporary;
    case VALUE_LIVE:
        break;
    }
    return site->live;
}

void group_add(struct group *group, const struct site *site, enum site_value value)
{
    if (group->sites++ == 0 || site_bytes(site, value) > group->largest) {
        group->largest = site_bytes(site, value);
        group->sum.id = site->id;
        group->sum.depth = site->depth;
        group->sum.pcs = site->pcs;
        group->sum.truncated = site->truncated;
    }
    site_sum(&group->sum, site);
}

/* The texts of all frames. They contain no addresses, so they are the same in another run. */
static char *stack_text(const struct frame *frames, unsigned count)
{
    static char text[KEY_MAX];
    char *key = NULL;
    size_t size = 0;
    FILE *stream = open_memstream(&key, &size);

    if (stream == NULL || count == 0) {
        if (stream != NULL)
            fclose(stream);
        free(key);
        return memory_text(site_unknown, strlen(site_unknown));
    }
    for (unsigned i = 0; i < count; i++) {
        frame_text(&frames[i], text, sizeof(text));
        fprintf(stream, "%s%s", i > 0 ? "\n" : "", text);
    }
    fclose(stream);
    return key;
}

/* The key of the site's group, to be freed. */
static char *key_of_site(const struct site *site, struct symbols *symbols, enum group_by by)
{
    static char text[KEY_MAX];
    struct frame *frames;
    unsigned count = site_frames(site, symbols, &frames);
    const struct frame *place = site_place(frames, count);
    char *key;

    if (by == BY_STACK) {
        key = stack_text(frames, count);
    } else {
        snprintf(text, sizeof(text), "%s", site_unknown);
        if (place != NULL && by == BY_SITE)
            frame_text(place, text, sizeof(text));
        else if (place != NULL && place->module != NULL)
            snprintf(text, sizeof(text), "%s", place->module);
        key = memory_text(text, strlen(text));
    }
    free(frames);
    return key;
}

/* The sizes of a group are up to the number: 1 to 16, 17 to 32, and so on in powers of two. */
static uint64_t size_group(uint64_t size)
{
    uint64_t most = 16;

    while (most < size && most < UINT64_C(1) << 63)
        most *= 2;
    return most;
}

static void group_chunks(const struct sites *sites, struct groups *groups, enum group_by by)
{
    for (size_t i = 0; i < sites->chunk_count; i++) {
        const struct site_chunk *chunk = &sites->chunks[i];
        uint64_t number = by == BY_THREAD ? chunk->thread : size_group(chunk->size);
        struct site figures = {.live = chunk->count, .live_bytes = chunk->bytes};
        struct group *group;
        char key[64];

        if (chunk->site < sites->count) {
            figures.depth = sites->items[chunk->site].depth;
            figures.pcs = sites->items[chunk->site].pcs;
        }
        snprintf(key, sizeof(key), "%s %" PRIu64, by == BY_THREAD ? "thread" : "up to", number);
        group = groups_at(groups, key);
        group->order = number;
        group_add(group, &figures, VALUE_LIVE);
    }
}

struct groups *groups_of(const struct sites *sites, struct symbols *symbols, enum group_by by,
                         enum site_value value)
{
    struct groups *groups = groups_new();
    struct progress progress;

    if (by == BY_THREAD || by == BY_SIZE) {
        group_chunks(sites, groups, by);
        return groups;
    }
    progress_begin(&progress, "reading symbols", sites->count);
    for (size_t i = 0; i < sites->count; i++) {
        char *key = key_of_site(&sites->items[i], symbols, by);

        group_add(groups_at(groups, key), &sites->items[i], value);
        free(key);
        progress_step(&progress, i + 1);
    }
    progress_end(&progress);
    return groups;
}

static enum site_value sort_value;

static int compare_groups(const void *one, const void *other)
{
    const struct group *a = one, *b = other;
    uint64_t ours = site_bytes(&a->sum, sort_value), theirs = site_bytes(&b->sum, sort_value);

    if (ours != theirs)
        return ours > theirs ? -1 : 1;
    if (a->order != b->order)
        return a->order < b->order ? -1 : 1;
    return strcmp(a->key, b->key);
}

void groups_sort(struct groups *groups, enum site_value value)
{
    uint32_t *slots = groups->own->slots;

    sort_value = value;
    if (groups->count > 0)
        qsort(groups->items, groups->count, sizeof(*groups->items), compare_groups);
    memset(slots, 0, groups->own->slot_room * sizeof(*slots));
    for (size_t i = 0; i < groups->count; i++)
        *find_slot(groups, groups->items[i].key) = (uint32_t)i + 1;
}
