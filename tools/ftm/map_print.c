/*
 * The map on a terminal: the sum, what pins slabs, and each heap as lines of cells.
 */
#include "groups.h"
#include "map.h"
#include "map_cells.h"
#include "out.h"
#include "sites_chunks.h"
#include "source.h"
#include "symbols.h"
#include "table.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static const char *const zones[ZONES] = {
    [ZONE_TINY] = "TINY", [ZONE_SMALL] = "SMALL", [ZONE_LARGE] = "LARGE"};

static void print_part(struct out *out, const char *name, uint64_t bytes, uint64_t whole,
                       const char *what)
{
    char size[SIZE_TEXT];

    out_format(out, "  %-18s %10s %5.1f %%  %s\n", name, size_text(bytes, size),
               percent_of(bytes, whole), what);
}

static void print_account(struct out *out, const struct map *map)
{
    const struct account *account = &map->account;
    uint64_t whole = account->live + account->slack + account->cached + account->unreturned +
                     account->own + account->other;
    char size[SIZE_TEXT], kernel[SIZE_TEXT];

    if (map->pages == NULL)
        out_format(out, "Written to: %s (which pages were in memory is not known)\n",
                   size_text(whole, size));
    else
        out_format(out, "In memory: %s; the kernel counts %s, %+.1f %%\n", size_text(whole, size),
                   size_text(account->kernel, kernel), percent_of(whole, account->kernel) - 100);
    print_part(out, "live", account->live, whole, "what the program asked for");
    print_part(out, "slack", account->slack, whole, "the rest of its chunks");
    print_part(out, "cached", account->cached, whole,
               "freed, and kept by threads to be used again");
    print_part(out, "not yet returned", account->unreturned, whole, "free, in slabs and heaps");
    print_part(out, "allocator's own", account->own, whole, "headers, tables, modes, its code");
    if (map->pages != NULL)
        print_part(out, "everything else", account->other, whole,
                   "code, data, stacks, mappings of the program");
    if (map->pages != NULL && pages_swap(map->pages) > 0)
        out_format(out, "  and %s are swapped out\n", size_text(pages_swap(map->pages), size));
}

static void print_place(struct out *out, const struct map *map, const struct map_pin *pin)
{
    char text[400], size[SIZE_TEXT];
    struct frame *frames;
    const struct frame *place;
    unsigned count;

    if (pin->site == NO_SITE) {
        out_format(out, "chunks of %s, from a stack that is not known\n",
                   size_text(view_class_size(map->target.view, pin->size_class), size));
        return;
    }
    count = site_frames(&map->sites->items[pin->site], map->symbols, &frames);
    place = count == 0 ? NULL : site_place(frames, count);
    if (place == NULL)
        (void)snprintf(text, sizeof text, "%s", site_unknown);
    else
        (void)frame_text(place, text, sizeof text);
    out_name(out, text);
    out_text(out, "\n");
    free(frames);
}

static void print_pins(struct out *out, const struct map *map, const struct map_options *options)
{
    uint64_t bytes = 0;
    char size[SIZE_TEXT], live[SIZE_TEXT];

    for (size_t i = 0; i < map->pin_count; i++)
        bytes += map->pins[i].bytes;
    out_format(out, "\nSlabs with at most %u %% of their chunks live keep %s:\n", map->nearly_empty,
               size_text(bytes, size));
    if (map->pin_count == 0)
        return;
    out_format(out, "%10s %8s %8s %10s  %s\n", "KEPT", "SLABS", "CHUNKS", "THESE HAVE", "WHERE");
    for (size_t i = 0; i < map->pin_count && i < options->pins; i++) {
        const struct map_pin *pin = &map->pins[i];

        out_format(out, "%10s %8" PRIu64 " %8" PRIu64 " %10s  ", size_text(pin->bytes, size),
                   pin->slabs, pin->chunks, size_text(pin->live, live));
        print_place(out, map, pin);
    }
    if (map->pin_count > options->pins)
        out_format(out, "and %zu more (--pins shows them)\n", map->pin_count - options->pins);
}

/* Prints the cells of a heap; lines on which there is nothing are left out. */
static void print_cells(struct out *out, const struct map *map, const struct map_heap *heap,
                        const struct map_options *options)
{
    unsigned cells = cells_count(map, heap, options);
    bool left_out = false;

    for (unsigned first = 0; first < cells; first += options->width) {
        unsigned end = first + options->width < cells ? first + options->width : cells;
        bool something = false;

        for (unsigned i = first; i < end && !something; i++)
            something = cell_at(map, heap, options, i).glyph != ' ';
        if (!something) {
            if (!left_out)
                out_text(out, "                *\n");
            left_out = true;
            continue;
        }
        left_out = false;
        out_format(out, "  0x%012" PRIX64 " ",
                   heap->base + (heap->end - heap->base) / cells * (uint64_t)first);
        for (unsigned i = first; i < end; i++)
            cell_print(out, cell_at(map, heap, options, i), options->color);
        cell_end(out, options->color);
    }
}

static bool is_wanted(const struct map_options *options, uint64_t start, uint64_t end)
{
    return options->heap == 0 || (options->heap >= start && options->heap < end);
}

static void print_heap(struct out *out, const struct map *map, const struct map_heap *heap,
                       const struct map_options *options)
{
    uint64_t live = 0;
    char size[SIZE_TEXT], resident[SIZE_TEXT], used[SIZE_TEXT];

    for (size_t i = 0; i < heap->slab_count; i++) {
        const struct map_slab *slab = &map->slabs[heap->first_slab + i];

        live += (uint64_t)slab->live * slab->chunk_size;
    }
    out_format(out,
               "\n%s heap 0x%" PRIX64 ", number %" PRIu64
               " of arena %u: %s, %s in memory, live %s in "
               "%zu slabs\n",
               zones[heap->zone], heap->base, heap->number, heap->arena,
               size_text(heap->end - heap->base, size), size_text(heap->resident, resident),
               size_text(live, used), heap->slab_count);
    print_cells(out, map, heap, options);
}

static void print_large(struct out *out, const struct map *map, const struct map_options *options)
{
    char asked[SIZE_TEXT], mapped[SIZE_TEXT], resident[SIZE_TEXT], age[NUMBER_TEXT];
    bool first = true;

    for (size_t i = 0; i < map->large_count; i++) {
        const struct map_large *large = &map->larges[i];

        if (!is_wanted(options, large->start, large->start + large->mapped))
            continue;
        if (first)
            out_format(out, "\n%-18s %-8s %10s %10s %10s  %s\n", "LARGE", "STATE", "REQUESTED",
                       "MAPPED", "IN MEMORY", "AGE");
        first = false;
        out_format(out, "0x%-16" PRIX64 " %-8s %10s %10s %10s  %s\n", large->start,
                   large->live      ? "live"
                   : large->vacated ? "vacated"
                                    : "cached",
                   size_text(large->requested, asked), size_text(large->mapped, mapped),
                   size_text(large->resident, resident),
                   large->age_ns == 0 ? "" : time_text(large->age_ns, age));
    }
}

bool map_print(const struct map *map, const struct map_options *options)
{
    struct out *out = out_begin();

    print_account(out, map);
    print_pins(out, map, options);
    if (!options->summary) {
        cells_legend(out, map, options);
        for (size_t i = 0; i < map->heap_count; i++)
            if (is_wanted(options, map->heaps[i].base, map->heaps[i].end))
                print_heap(out, map, &map->heaps[i], options);
        print_large(out, map, options);
    }
    return out_end(out);
}
