/*
 * Reading the map: one visit of all slabs, with the account kept along the way.
 */
#include "map.h"

#include "command.h"
#include "map_pins.h"
#include "memory.h"
#include "sites_chunks.h"
#include "source.h"
#include "symbols.h"

#include <stdlib.h>
#include <string.h>

static struct map_heap *last_heap(struct map *map)
{
    return &map->heaps[map->heap_count - 1];
}

/*
 * Without pages: what the library has written to. A unit that is in no slab is in memory if it is
 * dirty; of a slab nobody knows, so all of it is.
 */
static uint64_t written(const struct map *map, uint64_t start, uint64_t end)
{
    const struct map_heap *heap = map->heap_count == 0 ? NULL : &map->heaps[map->heap_count - 1];
    uint64_t bytes = 0;

    if (heap == NULL || start < heap->base || end > heap->end)
        return end - start;
    for (uint64_t at = start; at < end;) {
        unsigned unit = (unsigned)((at - heap->base) * heap->units / (heap->end - heap->base));
        uint64_t size = (heap->end - heap->base) / heap->units;
        uint64_t next = heap->base + (uint64_t)(unit + 1) * size;

        next = next < end ? next : end;
        if (unit < heap->first_unit || !map_bit(heap->vacant, unit) ||
            (map_bit(heap->dirty, unit) && !map_bit(heap->reserved, unit)))
            bytes += next - at;
        at = next;
    }
    return bytes;
}

uint64_t map_resident(const struct map *map, uint64_t start, uint64_t end)
{
    return map->pages == NULL ? written(map, start, end) : pages_resident(map->pages, start, end);
}

static int add_heap(void *context, const struct view_heap *heap)
{
    struct map *map = context;
    size_t words = heap->bitmap_words;
    uint64_t *bits = memory_new(4 * words + 1, sizeof *bits);
    struct map_heap *added;

    map->heaps = memory_grow(map->heaps, &map->heap_room, map->heap_count, sizeof *map->heaps);
    added = &map->heaps[map->heap_count++];
    *added = (struct map_heap){
        .base = heap->base,
        .end = heap->end,
        .size = heap->size,
        .number = heap->number,
        .zone = heap->zone,
        .arena = heap->arena,
        .units = heap->units,
        .first_unit = heap->first_unit,
        .vacant = memcpy(bits, heap->vacant, words * sizeof *bits),
        .dirty = memcpy(bits + words, heap->dirty, words * sizeof *bits),
        .aged = memcpy(bits + 2 * words, heap->aged, words * sizeof *bits),
        .reserved = memcpy(bits + 3 * words, heap->reserved, words * sizeof *bits),
        .page_live = memory_new((heap->end - heap->base) / map->page + 1, sizeof(uint32_t)),
        .first_slab = map->slab_count,
    };
    added->resident = map_resident(map, heap->base, heap->end);
    return 0;
}

struct slab_use {
    uint64_t live, cached; /* bytes in memory */
};

static bool is_live(const struct map *map, const struct view_slab *slab, unsigned chunk)
{
    return slab->kinds[chunk] == view_layout(map->target.view)->state_live;
}

/* Looks at each chunk, because pages between them are not in memory. */
static struct slab_use look_at_chunks(const struct map *map, const struct view_slab *slab)
{
    struct slab_use use = {.live = 0};

    for (unsigned i = 0; i < slab->chunks; i++) {
        uint64_t start = slab->start + (uint64_t)i * slab->chunk_size;
        bool vacant = (slab->vacant_bits[i / 64] >> i % 64 & 1) != 0;

        if (is_live(map, slab, i))
            use.live += map_resident(map, start, start + slab->chunk_size);
        else if (!vacant && slab->kinds[i] != view_layout(map->target.view)->state_none)
            use.cached += map_resident(map, start, start + slab->chunk_size);
    }
    return use;
}

/* Adds the slab's memory to the account. */
static void account_slab(struct map *map, const struct view_slab *slab, uint64_t end,
                         uint64_t resident)
{
    struct account *account = &map->account;
    uint64_t size = slab->chunk_size, asked = 0;
    struct slab_use use = {.live = slab->live * size, .cached = slab->cached * size};

    if (resident < end - slab->start)
        use = look_at_chunks(map, slab);
    /* Who asked for how much is known of all live chunks together. */
    if (slab->live > 0)
        asked = (uint64_t)((double)slab->requested / slab->live / (double)size * (double)use.live);
    asked = asked < use.live ? asked : use.live;
    account->live += asked;
    account->slack += use.live - asked;
    account->cached += use.cached;
    account->unreturned += resident - use.live - use.cached;
}

/* Adds the live chunks' bytes to the pages that they are in. */
static void spread_live(const struct map *map, struct map_heap *heap, const struct view_slab *slab)
{
    for (unsigned i = 0; i < slab->chunks; i++) {
        uint64_t at = slab->start - heap->base + (uint64_t)i * slab->chunk_size;
        uint64_t end = at + slab->chunk_size;

        while (is_live(map, slab, i) && at < end && at < heap->end - heap->base) {
            uint64_t page = at / map->page, next = (page + 1) * map->page;

            next = next < end ? next : end;
            heap->page_live[page] += (uint32_t)(next - at);
            at = next;
        }
    }
}

static uint64_t mean_age(const struct map *map, uint64_t start, uint64_t end)
{
    uint64_t sum = 0, count = 0;

    if (map->sites == NULL)
        return 0;
    for (size_t i = sites_chunk_from(map->sites, start);
         i < map->sites->chunk_count && map->sites->chunks[i].address < end; i++) {
        sum += map->sites->chunks[i].age_ns / 1024;
        count++;
    }
    return count == 0 ? 0 : sum / count * 1024;
}

static int add_slab(void *context, const struct view_slab *slab)
{
    struct map *map = context;
    struct map_heap *heap = last_heap(map);
    uint64_t unit = (heap->end - heap->base) / heap->units;
    uint64_t end = slab->start + slab->units * unit;

    map->slabs = memory_grow(map->slabs, &map->slab_room, map->slab_count, sizeof *map->slabs);
    map->slabs[map->slab_count++] = (struct map_slab){
        .start = slab->start,
        .requested = slab->requested,
        .resident = map_resident(map, slab->start, end),
        .age_ns = mean_age(map, slab->start, end),
        .unit = slab->unit,
        .units = slab->units,
        .size_class = slab->size_class,
        .chunk_size = slab->chunk_size,
        .chunks = slab->chunks,
        .live = slab->live,
        .vacant = slab->vacant,
        .cached = slab->cached,
    };
    heap->slab_count++;
    account_slab(map, slab, end, map->slabs[map->slab_count - 1].resident);
    spread_live(map, heap, slab);
    map_pins_add(map, slab, &map->slabs[map->slab_count - 1]);
    return 0;
}

static int add_large(void *context, const struct view_large *large)
{
    struct map *map = context;
    uint64_t resident = map_resident(map, large->start, large->start + large->mapped), asked;

    map->larges = memory_grow(map->larges, &map->large_room, map->large_count, sizeof *map->larges);
    map->larges[map->large_count++] = (struct map_large){
        .start = large->start,
        .requested = large->requested,
        .mapped = large->mapped,
        .reserved = large->reserved,
        .resident = resident,
        .age_ns = mean_age(map, large->start, large->start + 1),
        .live = large->live,
        .vacated = large->vacated,
    };
    if (!large->live) {
        map->account.cached += large->vacated && map->pages == NULL ? 0 : resident;
        return 0;
    }
    asked = large->requested < large->mapped ? large->requested : large->mapped;
    asked = map_resident(map, large->start, large->start + asked);
    map->account.live += asked;
    map->account.slack += resident - asked;
    return 0;
}

/* A guarded chunk has whole pages, of which the rest is slack. */
static int add_guarded(void *context, const struct view_chunk *chunk)
{
    struct map *map = context;
    uint64_t end = chunk->start + chunk->requested;
    uint64_t start = chunk->start & ~(uint64_t)(map->page - 1);
    uint64_t live = map_resident(map, chunk->start, end);

    end = (end + map->page - 1) & ~(uint64_t)(map->page - 1);
    map->account.live += live;
    map->account.slack += map_resident(map, start, end) - live;
    return 0;
}

/* Returns what is in memory of all ranges together. */
static uint64_t resident_in(const struct map *map, const struct ranges *ranges)
{
    uint64_t bytes = 0;

    for (size_t i = 0; i < ranges->count; i++)
        bytes += map_resident(map, ranges->list[i].start, ranges->list[i].end);
    return bytes;
}

/* What is left of the allocator's memory, and of all memory. */
static void finish_account(struct map *map)
{
    struct account *account = &map->account;
    uint64_t ours, free_units = 0, used;

    for (size_t i = 0; i < map->heap_count; i++) {
        const struct map_heap *heap = &map->heaps[i];
        uint64_t unit = (heap->end - heap->base) / heap->units;

        for (unsigned at = heap->first_unit; at < heap->units; at++)
            if (map_bit(heap->vacant, at))
                free_units +=
                    map_resident(map, heap->base + at * unit, heap->base + (at + 1) * unit);
    }
    account->unreturned += free_units;
    used = account->live + account->slack + account->cached + account->unreturned;
    if (map->pages == NULL) {
        for (size_t i = 0; i < map->heap_count; i++)
            account->own += map->heaps[i].first_unit *
                            ((map->heaps[i].end - map->heaps[i].base) / map->heaps[i].units);
        account->own += resident_in(map, &map->territory.own);
        return;
    }
    ours = resident_in(map, &map->territory.all);
    account->own = ours > used ? ours - used : 0;
    account->kernel = pages_rss(map->pages);
    used = pages_counted(map->pages);
    account->other = used > ours ? used - ours : 0;
}

static bool read_all(struct map *map)
{
    struct source *source = map->target.source;

    if (sites_present(map->target.view)) {
        map->sites = sites_read(map->target.view);
        map->symbols = map->sites == NULL ? NULL : symbols_open(source);
        if (map->symbols == NULL)
            return false;
    }
    if (!territory_read(map->target.view, &map->territory))
        return false;
    if (source_kind(source) == SOURCE_LIVE) {
        map->pages = pages_open(source_pid(source));
        if (map->pages == NULL)
            return false;
        map->page = (unsigned)pages_size(map->pages);
    }
    if (view_each_slab(map->target.view, add_heap, add_slab, map) != 0 ||
        view_each_large(map->target.view, add_large, map) != 0 ||
        view_each_guarded(map->target.view, add_guarded, map) != 0)
        return false;
    finish_account(map);
    map_pins_finish(map);
    return true;
}

bool map_read(const char *name, unsigned nearly_empty, struct map *map)
{
    *map = (struct map){.nearly_empty = nearly_empty, .page = 4096};
    if (!target_open(name, &map->target))
        return false;
    if (read_all(map))
        return true;
    map_free(map);
    return false;
}

void map_free(struct map *map)
{
    for (size_t i = 0; i < map->heap_count; i++) {
        free(map->heaps[i].vacant);
        free(map->heaps[i].page_live);
    }
    free(map->heaps);
    free(map->slabs);
    free(map->larges);
    free(map->pins);
    territory_free(&map->territory);
    pages_close(map->pages);
    if (map->symbols != NULL)
        symbols_close(map->symbols);
    if (map->sites != NULL)
        sites_free(map->sites);
    target_close(&map->target);
}

const struct map_slab *map_slab_at(const struct map *map, const struct map_heap *heap,
                                   unsigned unit)
{
    size_t low = heap->first_slab, high = low + heap->slab_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (map->slabs[middle].unit + map->slabs[middle].units <= unit)
            low = middle + 1;
        else
            high = middle;
    }
    return low < heap->first_slab + heap->slab_count && map->slabs[low].unit <= unit
               ? &map->slabs[low]
               : NULL;
}
