/*
 * The map as JSON.
 */
#include "groups.h"
#include "map.h"
#include "out.h"
#include "sites_chunks.h"
#include "source.h"
#include "table.h"

static const char *const zones[ZONES] = {
    [ZONE_TINY] = "TINY", [ZONE_SMALL] = "SMALL", [ZONE_LARGE] = "LARGE"};

static void json_account(struct json *json, const struct map *map)
{
    const struct account *account = &map->account;

    json_object(json, "memory");
    json_bool(json, "pages_known", map->pages != NULL);
    json_number(json, "live", account->live);
    json_number(json, "slack", account->slack);
    json_number(json, "cached", account->cached);
    json_number(json, "not_yet_returned", account->unreturned);
    json_number(json, "own", account->own);
    json_number(json, "other", account->other);
    json_number(json, "kernel_rss", account->kernel);
    json_number(json, "kernel_swap", map->pages == NULL ? 0 : pages_swap(map->pages));
    json_close(json);
}

static void json_slab(struct json *json, const struct map_slab *slab)
{
    json_object(json, NULL);
    json_address(json, "start", slab->start);
    json_number(json, "unit", slab->unit);
    json_number(json, "units", slab->units);
    json_number(json, "chunk_size", slab->chunk_size);
    json_number(json, "chunks", slab->chunks);
    json_number(json, "live", slab->live);
    json_number(json, "cached", slab->cached);
    json_number(json, "vacant", slab->vacant);
    json_number(json, "requested", slab->requested);
    json_number(json, "resident", slab->resident);
    json_number(json, "age_ns", slab->age_ns);
    json_close(json);
}

static void json_heap(struct json *json, const struct map *map, const struct map_heap *heap)
{
    json_object(json, NULL);
    json_address(json, "base", heap->base);
    json_string(json, "zone", zones[heap->zone]);
    json_number(json, "arena", heap->arena);
    json_number(json, "number", heap->number);
    json_number(json, "bytes", heap->end - heap->base);
    json_number(json, "resident", heap->resident);
    json_array(json, "slabs");
    for (size_t i = 0; i < heap->slab_count; i++)
        json_slab(json, &map->slabs[heap->first_slab + i]);
    json_close(json);
    json_array(json, "free_units");
    for (unsigned unit = heap->first_unit; unit < heap->units; unit++) {
        uint64_t size = (heap->end - heap->base) / heap->units;
        uint64_t resident =
            map_resident(map, heap->base + unit * size, heap->base + (unit + 1) * size);

        if (!map_bit(heap->vacant, unit) || resident == 0)
            continue;
        json_object(json, NULL);
        json_number(json, "unit", unit);
        json_number(json, "resident", resident);
        json_bool(json, "aged", map_bit(heap->aged, unit));
        json_close(json);
    }
    json_close(json);
    json_close(json);
}

static void json_large(struct json *json, const struct map_large *large)
{
    json_object(json, NULL);
    json_address(json, "start", large->start);
    json_string(json, "state", large->live ? "live" : large->vacated ? "vacated" : "cached");
    json_number(json, "requested", large->requested);
    json_number(json, "mapped", large->mapped);
    json_number(json, "reserved", large->reserved);
    json_number(json, "resident", large->resident);
    json_number(json, "age_ns", large->age_ns);
    json_close(json);
}

static void json_pin(struct json *json, const struct map *map, const struct map_pin *pin)
{
    json_object(json, NULL);
    json_number(json, "bytes", pin->bytes);
    json_number(json, "slabs", pin->slabs);
    json_number(json, "chunks", pin->chunks);
    json_number(json, "live", pin->live);
    json_number(json, "chunk_size", view_class_size(map->target.view, pin->size_class));
    if (pin->site != NO_SITE)
        json_stack(json, &map->sites->items[pin->site], map->symbols);
    json_close(json);
}

bool map_print_json(const struct map *map, const struct map_options *options)
{
    struct out *out = out_begin();
    struct json json;

    json_begin(&json, out);
    json_object(&json, NULL);
    json_number(&json, "pid", (uint64_t)source_pid(map->target.source));
    json_account(&json, map);
    json_number(&json, "nearly_empty_percent", map->nearly_empty);
    json_array(&json, "pinned");
    for (size_t i = 0; i < map->pin_count; i++)
        json_pin(&json, map, &map->pins[i]);
    json_close(&json);
    if (!options->summary) {
        json_array(&json, "heaps");
        for (size_t i = 0; i < map->heap_count; i++)
            json_heap(&json, map, &map->heaps[i]);
        json_close(&json);
        json_array(&json, "large");
        for (size_t i = 0; i < map->large_count; i++)
            json_large(&json, &map->larges[i]);
        json_close(&json);
    }
    json_close(&json);
    return out_end(out);
}
