/*
 * The allocator's address space, from the view and from base/own.h's list.
 */
#include "territory.h"

#include "source.h"
#include "view.h"

#include <elf.h>
#include <string.h>

enum { PIECES_MAX = 1 << 16, ENTRIES_MAX = 1 << 16, PAGE = 4096 };

static int add_heap(void *context, const struct view_heap *heap)
{
    struct territory *territory = context;

    ranges_add(&territory->heaps, heap->base, heap->size);
    return 0;
}

static int add_large(void *context, const struct view_large *large)
{
    struct territory *territory = context;
    uint64_t size = large->reserved > large->mapped ? large->reserved : large->mapped;

    ranges_add(&territory->large, large->start, size);
    return 0;
}

static uint64_t address_of(const void *pointer)
{
    return (uint64_t)(uintptr_t)pointer;
}

/* The pool of guarded chunks (bins/guard_pool.h), if there is one. */
static void add_guard_pool(struct view *view, struct territory *territory)
{
    uint64_t base, size;

    if (view_guard_space(view, &base, &size))
        ranges_add(&territory->heaps, base, size);
}

/* Adds the entries of a piece of the list. Returns the address of the next piece, or 0. */
static uint64_t add_piece(struct view *view, struct territory *territory, uint64_t piece)
{
    const struct ft_malloc_layout *layout = view_layout(view);
    struct source *source = view_source(view);
    uint64_t next, entries, entry[2], inner;
    uint32_t room;

    if (!source_read(source, piece + layout->own_next, &next, sizeof next) ||
        !source_read(source, piece + layout->own_room, &room, sizeof room) ||
        !source_read(source, piece + layout->own_entries, &entries, sizeof entries))
        return 0;
    for (uint32_t i = 0; i < room && i < ENTRIES_MAX; i++) {
        if (!source_read(source, entries + (uint64_t)i * layout->own_entry_bytes, entry,
                         sizeof entry))
            break;
        ranges_add(&territory->own, entry[0], entry[1]);
        inner = 0;
        if (layout->own_inner != 0 &&
            source_read(source, entries + (uint64_t)i * layout->own_entry_bytes + layout->own_inner,
                        &inner, sizeof inner) &&
            inner != 0)
            ranges_add(&territory->inner, entry[0], entry[1]);
    }
    return next;
}

static void add_own(struct view *view, struct territory *territory)
{
    const struct ft_malloc_layout *layout = view_layout(view);
    uint64_t piece = address_of(layout->own);

    /* The list may be a circle in a broken file. */
    for (unsigned pieces = 0; piece != 0 && pieces < PIECES_MAX; pieces++)
        piece = add_piece(view, territory, piece);
}

/*
 * The first descriptors of LARGE chunks are part of the library's data, and hold addresses of
 * chunks. In a program that the library is linked into, nothing else tells where these data are.
 */
static void add_descriptors(struct view *view, struct territory *territory)
{
    const struct ft_malloc_layout *layout = view_layout(view);
    uint32_t used = 0;

    (void)source_read(view_source(view), address_of(layout->large_first_used), &used, sizeof used);
    ranges_add(&territory->own, address_of(layout->large_first),
               (uint64_t)used * layout->large_bytes);
    ranges_add(&territory->own, address_of(layout->large_gone),
               (uint64_t)layout->gone_count * layout->gone_bytes);
}

/* Returns whether the mapped file is the library, and not a program that it is linked into. */
static bool is_library(const char *path)
{
    const char *name = strrchr(path, '/');

    return name != NULL && strncmp(name + 1, "libft_malloc", strlen("libft_malloc")) == 0;
}

/*
 * Adds all segments of the mapped file. The last one is longer than the file's part of it: behind
 * that are the zero-filled data, in an anonymous mapping, which may go on with other memory.
 */
static void add_segments(struct source *source, struct territory *territory, uint64_t base)
{
    Elf64_Ehdr header;

    if (!source_read(source, base, &header, sizeof header) ||
        memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 || header.e_phentsize != sizeof(Elf64_Phdr))
        return;
    for (unsigned i = 0; i < header.e_phnum; i++) {
        Elf64_Phdr segment;

        if (!source_read(source, base + header.e_phoff + i * sizeof segment, &segment,
                         sizeof segment))
            return;
        if (segment.p_type == PT_LOAD && segment.p_vaddr < UINT64_C(1) << 40 &&
            segment.p_memsz < UINT64_C(1) << 40) {
            uint64_t start = base + segment.p_vaddr / PAGE * PAGE;
            uint64_t end = base + segment.p_vaddr + segment.p_memsz;

            ranges_add(&territory->library, start, (end + PAGE - 1) / PAGE * PAGE - start);
        }
    }
}

static void add_library(struct view *view, struct territory *territory)
{
    struct source *source = view_source(view);
    const struct source_map *here = source_map_at(source, view_layout_address(view));
    const struct source_map *maps;
    size_t count;

    if (here == NULL || !is_library(here->path))
        return;
    maps = source_maps(source, &count);
    for (size_t i = 0; i < count; i++) {
        if (strcmp(maps[i].path, here->path) != 0)
            continue;
        ranges_add(&territory->library, maps[i].start, maps[i].end - maps[i].start);
        if (maps[i].offset == 0)
            add_segments(source, territory, maps[i].start);
    }
}

static void add_all(struct territory *territory, const struct ranges *ranges)
{
    for (size_t i = 0; i < ranges->count; i++)
        ranges_add(&territory->all, ranges->list[i].start,
                   ranges->list[i].end - ranges->list[i].start);
}

bool territory_read(struct view *view, struct territory *territory)
{
    struct ranges *const sets[] = {&territory->heaps, &territory->large, &territory->library,
                                   &territory->own};

    *territory = (struct territory){.heaps = {.list = NULL}};
    if (view_each_slab(view, add_heap, NULL, territory) != 0 ||
        view_each_large(view, add_large, territory) != 0) {
        territory_free(territory);
        return false;
    }
    add_guard_pool(view, territory);
    add_own(view, territory);
    add_descriptors(view, territory);
    add_library(view, territory);
    for (size_t i = 0; i < sizeof sets / sizeof *sets; i++) {
        ranges_join(sets[i]);
        add_all(territory, sets[i]);
    }
    ranges_join(&territory->inner);
    ranges_join(&territory->all);
    return true;
}

void territory_free(struct territory *territory)
{
    ranges_free(&territory->heaps);
    ranges_free(&territory->large);
    ranges_free(&territory->library);
    ranges_free(&territory->own);
    ranges_free(&territory->inner);
    ranges_free(&territory->all);
}
