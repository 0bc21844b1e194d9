/*
 * Which memory of a process a snapshot needs.
 */
#include "snapshot_ranges.h"

#include "source.h"
#include "territory.h"
#include "view.h"

#include <string.h>

enum { ELF_HEADERS = 1024 };

static void add_part(struct ranges *ranges, const struct source_map *map, uint64_t start,
                     uint64_t size)
{
    if (start >= map->start && start < map->end)
        ranges_add(ranges, start, size < map->end - start ? size : map->end - start);
}

/*
 * Of a mapping with code, a reader only needs the constants that may be in it: the layout, the size
 * classes, and the headers of the file, which tell how long the library is.
 */
static void add_constants(struct view *view, struct ranges *ranges, const struct source_map *map)
{
    const struct ft_malloc_layout *layout = view_layout(view);

    if (map->offset == 0)
        add_part(ranges, map, map->start, ELF_HEADERS);
    add_part(ranges, map, view_layout_address(view), layout->size);
    add_part(ranges, map, (uint64_t)(uintptr_t)layout->size_classes,
             (uint64_t)layout->class_count * layout->class_stride);
}

static void add_mapping(struct view *view, struct ranges *ranges, const struct source_map *map)
{
    if ((map->flags & (MAP_EXECUTE | MAP_WRITE)) == MAP_EXECUTE)
        add_constants(view, ranges, map);
    else
        ranges_add(ranges, map->start, map->end - map->start);
}

/*
 * The mappings of the file that has the layout, and the anonymous memory behind each: the library's
 * constants and variables, or those of a program that was linked with it.
 */
static void add_module(struct view *view, struct ranges *ranges)
{
    struct source *source = view_source(view);
    const struct source_map *own = source_map_at(source, view_layout_address(view));
    size_t count;
    const struct source_map *maps = source_maps(source, &count);
    bool inside = false;
    uint64_t end = 0;

    for (size_t i = 0; own != NULL && i < count; i++) {
        bool same = strcmp(maps[i].path, own->path) == 0 && own->path[0] != '\0';
        bool behind = inside && maps[i].start == end && maps[i].path[0] == '\0';

        inside = same || behind || &maps[i] == own;
        end = maps[i].end;
        if (inside && (maps[i].flags & MAP_READ) != 0)
            add_mapping(view, ranges, &maps[i]);
    }
}

static void add_between(void *ranges, uint64_t start, uint64_t end)
{
    ranges_add(ranges, start, end - start);
}

/* What the library mapped for itself, without its indices. */
static void add_own(struct view *view, struct ranges *ranges)
{
    struct territory territory;

    if (!territory_read(view, &territory))
        return;
    for (size_t i = 0; i < territory.own.count; i++)
        ranges_outside(&territory.inner, territory.own.list[i].start, territory.own.list[i].end,
                       add_between, ranges);
    territory_free(&territory);
}

struct headers {
    struct view *view;
    struct ranges *ranges;
};

static int add_header(void *context, const struct view_heap *heap)
{
    const struct headers *headers = context;
    uint64_t size = (uint64_t)heap->first_unit * view_layout(headers->view)->unit_size;

    ranges_add(headers->ranges, heap->base, size);
    return 0;
}

static int skip_slab(void *context, const struct view_slab *slab)
{
    (void)context;
    (void)slab;
    return 0;
}

/*
 * Returns whether map `i` may have something that its file does not: memory that can be written to,
 * memory that the program made read-only later, and what the dynamic linker filled in and made
 * read-only, which is in front of a file's variables and has the tables of virtual functions. The
 * kernel's own mappings cannot be read, and devices are not to be.
 */
static bool has_contents(const struct source_map *maps, size_t count, size_t i)
{
    const struct source_map *map = &maps[i], *next = i + 1 < count ? map + 1 : NULL;

    if ((map->flags & MAP_READ) == 0 || map->path[0] == '[')
        return (map->flags & (MAP_READ | MAP_WRITE)) == (MAP_READ | MAP_WRITE);
    if (strncmp(map->path, "/dev/", 5) == 0)
        return (map->flags & MAP_WRITE) != 0 &&
               (strncmp(map->path, "/dev/zero", 9) == 0 || strncmp(map->path, "/dev/shm/", 9) == 0);
    return (map->flags & MAP_WRITE) != 0 || map->path[0] == '\0' ||
           (next != NULL && next->start == map->end && strcmp(next->path, map->path) == 0 &&
            (next->flags & MAP_WRITE) != 0);
}

void snapshot_ranges(struct view *view, bool contents, struct ranges *ranges)
{
    struct headers headers = {view, ranges};
    size_t count;
    const struct source_map *maps = source_maps(view_source(view), &count);

    add_module(view, ranges);
    add_own(view, ranges);
    (void)view_each_slab(view, add_header, skip_slab, &headers);
    for (size_t i = 0; contents && i < count; i++)
        if (has_contents(maps, count, i))
            ranges_add(ranges, maps[i].start, maps[i].end - maps[i].start);
    ranges_join(ranges);
}
