/*
 * All that reads: mappings, threads, sections, chunks, slabs, arenas, history, sites, symbols.
 */
#include "read_all.h"

#include "debug/snapshot.h"
#include "history.h"
#include "sites.h"
#include "source.h"
#include "symbols.h"
#include "view.h"

#include <stddef.h>
#include <stdint.h>

/* Keeps the compiler from leaving out what is read. */
static volatile uint64_t sum;

static int take_thread(void *context, const struct source_thread *thread)
{
    (void)context;
    for (unsigned i = 0; i < thread->register_count; i++)
        sum += thread->registers[i];
    return 0;
}

static void read_source(struct source *source)
{
    const struct source_map *maps;
    size_t count, place, size;
    const void *payload;

    maps = source_maps(source, &count);
    for (size_t i = 0; i < count; i++)
        sum += maps[i].start + (uint64_t)maps[i].path[0];
    (void)source_each_thread(source, take_thread, NULL);
    for (unsigned type = 0; type <= SNAPSHOT_COMMAND; type++)
        for (place = 0; source_section(source, type, &place, &payload, &size);)
            for (size_t i = 0; i < size; i += 4096)
                sum += ((const unsigned char *)payload)[i];
    sum += (uint64_t)source_command(source)[0];
}

struct some {
    uint64_t addresses[4];
    unsigned count;
};

static int take_chunk(void *context, const struct view_chunk *chunk)
{
    struct some *some = context;

    if (some->count < sizeof some->addresses / sizeof some->addresses[0]) {
        some->addresses[some->count] = chunk->start + some->count % 3 * 8;
        some->count++;
    }
    sum += chunk->start + chunk->requested;
    return 0;
}

static int take_heap(void *context, const struct view_heap *heap)
{
    (void)context;
    for (unsigned i = 0; i < heap->bitmap_words; i++)
        sum += heap->vacant[i] + heap->guards[i];
    return 0;
}

static int take_slab(void *context, const struct view_slab *slab)
{
    (void)context;
    for (unsigned i = 0; i < slab->chunks; i++)
        sum += slab->kinds[i] + slab->vacant_bits[i / 64];
    return 0;
}

static int take_large(void *context, const struct view_large *large)
{
    (void)context;
    sum += large->start;
    return 0;
}

static int take_arena(void *context, const struct view_arena *arena)
{
    (void)context;
    sum += arena->caches;
    return 0;
}

static int take_call(void *context, const struct past_call *call)
{
    (void)context;
    for (unsigned i = 0; i < call->depth; i++)
        sum += call->frames[i];
    return 0;
}

static void take_slab_at(void *context, const struct view_slab *slab)
{
    (void)take_slab(context, slab);
}

static void read_addresses(struct view *view, const struct some *some)
{
    for (unsigned i = 0; i < some->count; i++) {
        struct past_call allocated, freed;
        struct view_chunk chunk;

        sum += (uint64_t)view_find(view, some->addresses[i], &chunk);
        (void)view_slab_at(view, some->addresses[i], take_slab_at, NULL);
        history_of(view, some->addresses[i], &allocated, &freed);
    }
}

static void read_sites(struct view *view, struct symbols *symbols)
{
    struct sites *sites = sites_present(view) ? sites_read(view) : NULL;
    struct frame frames[SYMBOLS_INLINED_MAX];

    for (size_t i = 0; sites != NULL && i < sites->count && i < 20; i++)
        for (unsigned j = 0; j < sites->items[i].depth && symbols != NULL; j++)
            sum += symbols_at(symbols, sites->items[i].pcs[j], frames, SYMBOLS_INLINED_MAX);
    sites_free(sites);
}

bool read_all(const char *path)
{
    struct source *source = source_open(path);
    struct view *view = source == NULL ? NULL : view_open(source);
    struct some some = {.count = 0};
    struct symbols *symbols;
    struct view_stats stats;
    bool opened = view != NULL;

    if (source != NULL)
        read_source(source);
    if (view != NULL) {
        (void)view_each_chunk(view, take_chunk, &some);
        (void)view_each_slab(view, take_heap, take_slab, NULL);
        (void)view_each_large(view, take_large, NULL);
        (void)view_each_arena(view, take_arena, NULL);
        (void)view_stats(view, &stats);
        (void)history_each(view, take_call, NULL);
        read_addresses(view, &some);
        symbols = symbols_open(source);
        read_sites(view, symbols);
        symbols_close(symbols);
    }
    view_close(view);
    source_close(source);
    return opened;
}
