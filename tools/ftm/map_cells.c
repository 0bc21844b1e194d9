/*
 * Cells: what a unit or page shows by occupancy, class, age, or how much of it is in memory.
 */
#include "map_cells.h"

#include "table.h"

#include <string.h>

enum { GREY = 240, HEADER = 25, UNKNOWN = 245, SECOND = 1000000000 };

/* From nearly empty to full: red, yellow, green, in the terminal's 256 colours. */
static const uint8_t scale[11] = {240, 196, 202, 208, 214, 220, 190, 154, 118, 82, 46};
static const char digits[] = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";

struct place {
    uint64_t start, end;
    unsigned unit;
};

static unsigned unit_size(const struct map_heap *heap)
{
    return (unsigned)((heap->end - heap->base) / heap->units);
}

unsigned cells_count(const struct map *map, const struct map_heap *heap,
                     const struct map_options *options)
{
    return options->pages ? (unsigned)((heap->end - heap->base) / map->page) : heap->units;
}

/* '0' for none, '1' to '9' for tenths, '#' for all. */
static struct cell share(uint64_t part, uint64_t whole)
{
    unsigned tenth = part == 0 ? 0 : (unsigned)(part * 10 / whole);

    if (part > 0 && tenth == 0)
        tenth = 1;
    tenth = tenth > 10 ? 10 : tenth;
    return (struct cell){(char)(tenth == 10 ? '#' : digits[tenth]), scale[tenth]};
}

static uint64_t live_bytes(const struct map *map, const struct map_heap *heap,
                           const struct place *place)
{
    uint64_t bytes = 0;

    for (uint64_t at = place->start; at < place->end; at += map->page)
        bytes += heap->page_live[(at - heap->base) / map->page];
    return bytes;
}

/* By how many seconds, in powers of ten. */
static struct cell age_cell(uint64_t age_ns)
{
    unsigned power = 0;

    if (age_ns == 0)
        return (struct cell){'?', UNKNOWN};
    for (uint64_t seconds = age_ns / SECOND; seconds > 0 && power < 9; seconds /= 10)
        power++;
    return (struct cell){digits[power], (uint8_t)(51 - power * 5 + (power > 5) * 10)};
}

static struct cell slab_cell(const struct map *map, const struct map_heap *heap,
                             const struct map_slab *slab, const struct place *place, enum map_by by)
{
    switch (by) {
    case MAP_CLASS:
        return (struct cell){digits[slab->size_class % (sizeof digits - 1)],
                             (uint8_t)(17 + slab->size_class * 37 % 214)};
    case MAP_AGE:
        return age_cell(slab->age_ns);
    default:
        return share(live_bytes(map, heap, place), place->end - place->start);
    }
}

struct cell cell_at(const struct map *map, const struct map_heap *heap,
                    const struct map_options *options, unsigned number)
{
    uint64_t size = options->pages ? map->page : unit_size(heap);
    struct place place = {.start = heap->base + number * size,
                          .end = heap->base + (number + 1) * size};
    const struct map_slab *slab;

    place.unit = (unsigned)((place.start - heap->base) / unit_size(heap));
    if (options->by == MAP_RESIDENT) {
        struct cell cell = share(map_resident(map, place.start, place.end), size);

        return cell.glyph == '0' ? (struct cell){' ', GREY} : cell;
    }
    if (place.unit < heap->first_unit)
        return (struct cell){'h', HEADER};
    slab = map_slab_at(map, heap, place.unit);
    if (slab != NULL)
        return slab_cell(map, heap, slab, &place, options->by);
    if (map_resident(map, place.start, place.end) == 0)
        return (struct cell){' ', GREY};
    return (struct cell){map_bit(heap->aged, place.unit) ? ',' : '.', GREY};
}

static void class_legend(struct out *out, const struct map *map)
{
    bool seen[256] = {false};
    unsigned printed = 0;
    char size[SIZE_TEXT];

    for (size_t i = 0; i < map->slab_count; i++)
        seen[map->slabs[i].size_class % 256] = true;
    for (unsigned i = 0; i < 256; i++)
        if (seen[i]) {
            out_format(out, "%s%c %s", printed % 8 == 0 ? "\n  " : ", ",
                       digits[i % (sizeof digits - 1)],
                       size_text(view_class_size(map->target.view, i), size));
            printed++;
        }
    out_text(out, "\n");
}

void cells_legend(struct out *out, const struct map *map, const struct map_options *options)
{
    static const char *const shows[] = {
        [MAP_OCCUPANCY] = "0 to 9, #: how much of it is live",
        [MAP_CLASS] = "the size of its chunks",
        [MAP_AGE] =
            "mean age of its live chunks: 0 below 1 s, 1 below 10 s, 2 below 100 s; ? unknown",
        [MAP_RESIDENT] = "1 to 9, #: how much of it is in memory",
    };
    char size[SIZE_TEXT];
    unsigned unit = map->heap_count == 0 ? 0 : unit_size(&map->heaps[0]);

    out_format(out, "\nA cell is %s. %s", size_text(options->pages ? map->page : unit, size),
               shows[options->by]);
    if (options->by == MAP_CLASS)
        class_legend(out, map);
    if (options->by != MAP_RESIDENT)
        out_text(out, "\nh: header of the heap; . free but in memory; , free for a tick or more; "
                      "blank: not in memory");
    out_text(out, "\n");
}

void cell_print(struct out *out, struct cell cell, bool color)
{
    if (color)
        out_format(out, "\033[38;5;%um%c", cell.color, cell.glyph);
    else
        out_bytes(out, &cell.glyph, 1);
}

void cell_end(struct out *out, bool color)
{
    out_text(out, color ? "\033[0m\n" : "\n");
}
