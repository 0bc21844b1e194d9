/*
 * show_alloc_mem: the live chunks of all arenas, merged and sorted by address. They are collected
 * into memory mapped for the purpose: the lists of heaps under the structure lock, for reading, and
 * each heap while it is pinned. It is written when nothing is held any more, so a slow terminal
 * stops nobody.
 */
#include "ft_malloc.h"

#include "arena/arena.h"
#include "base/text.h"
#include "bins/empty.h"
#include "bins/heap_walk.h"
#include "debug/census.h"
#include "large/large.h"
#include "os/os.h"

#include <string.h>
#include <unistd.h>

/* A growing array in a mapping of its own. */
struct list {
    char *items;
    size_t item_size;
    size_t count;
    size_t size; /* of the mapping */
    bool failed;
};

/* A heap, which may be gone by now, or a LARGE chunk. */
struct place {
    uintptr_t base, end;
    enum zone zone;
    size_t first, count; /* of its chunks in the list */
};

struct listing {
    struct list places;
    struct list chunks;
};

/* Room for so many more items, or NULL. */
static void *list_room(struct list *list, size_t items)
{
    size_t needed = (list->count + items) * list->item_size;
    size_t size = list->size == 0 ? (size_t)64 << 10 : list->size;
    char *larger;

    while (size < needed)
        size *= 2;
    if (size > list->size && !list->failed) {
        larger = os_map(size);
        if (larger == NULL) {
            list->failed = true;
        } else {
            if (list->size > 0) {
                memcpy(larger, list->items, list->count * list->item_size);
                os_unmap(list->items, list->size);
            }
            list->items = larger;
            list->size = size;
        }
    }
    return list->failed ? NULL : list->items + list->count * list->item_size;
}

/* A new item, zero-filled, or NULL. */
static void *list_add(struct list *list)
{
    void *item = list_room(list, 1);

    list->count += item != NULL;
    return item;
}

static void list_end(struct list *list)
{
    if (list->size > 0)
        os_unmap(list->items, list->size);
}

static struct place *place_at(const struct list *places, size_t index)
{
    return (struct place *)(void *)places->items + index;
}

static void add_large(void *context, const struct large_info *info)
{
    struct listing *listing = context;
    struct place *place;
    struct census_chunk *chunk;

    if (!info->live)
        return;
    place = list_add(&listing->places);
    chunk = list_add(&listing->chunks);
    if (place == NULL || chunk == NULL)
        return;
    *place = (struct place){.base = info->start,
                            .end = info->start + (info->requested > 0 ? info->requested : 1),
                            .zone = ZONE_LARGE,
                            .first = listing->chunks.count - 1,
                            .count = 1};
    *chunk = (struct census_chunk){.start = info->start, .requested = info->requested};
}

/* Heap sort: in place, and never slow; there may be many thousands of LARGE chunks. */
static void sift_down(const struct list *places, size_t root, size_t end)
{
    struct place moving = *place_at(places, root);

    for (size_t child; (child = 2 * root + 1) < end; root = child) {
        if (child + 1 < end && place_at(places, child)->base < place_at(places, child + 1)->base)
            child++;
        if (place_at(places, child)->base <= moving.base)
            break;
        *place_at(places, root) = *place_at(places, child);
    }
    *place_at(places, root) = moving;
}

static void sort(const struct list *places)
{
    for (size_t root = places->count / 2; root-- > 0;)
        sift_down(places, root, places->count);
    for (size_t end = places->count; end-- > 1;) {
        struct place last = *place_at(places, end);

        *place_at(places, end) = *place_at(places, 0);
        *place_at(places, 0) = last;
        sift_down(places, 0, end);
    }
}

static void add_chunks(struct list *chunks, struct heap *heap)
{
    unsigned at = heap_first_unit(heap);
    uint64_t identity;
    struct slab *slab;

    while ((slab = census_next_slab(heap, &at, &identity)) != NULL) {
        struct census_chunk *room =
            list_room(chunks, size_classes[identity_class(identity)].chunks);

        if (room != NULL)
            chunks->count += census_slab(heap, slab, identity, room);
    }
}

static void add_heaps(struct listing *listing, struct heap_set *set, enum zone zone)
{
    for (struct heap *heap = heap_walk(set, NULL); heap != NULL; heap = heap_walk(set, heap)) {
        struct place *place = list_add(&listing->places);
        size_t first = listing->chunks.count;

        if (place == NULL)
            continue;
        add_chunks(&listing->chunks, heap);
        *place = (struct place){.base = heap->base,
                                .end = heap->base + (uintptr_t)heap_units(heap) * UNIT_SIZE,
                                .zone = zone,
                                .first = first,
                                .count = listing->chunks.count - first};
    }
}

static void add_region(void *context, uintptr_t start, size_t size)
{
    struct listing *listing = context;
    struct place *place = list_add(&listing->places);

    if (place != NULL)
        *place = (struct place){
            .base = start, .end = start + size, .zone = ZONE_TINY, .first = listing->chunks.count};
}

/* One of the region that was added last. */
static void add_empty(void *context, uintptr_t address)
{
    struct listing *listing = context;
    struct census_chunk *chunk = listing->places.failed ? NULL : list_add(&listing->chunks);

    if (chunk == NULL)
        return;
    *chunk = (struct census_chunk){.start = address};
    place_at(&listing->places, listing->places.count - 1)->count++;
}

static void collect(struct listing *listing)
{
    struct arena *arena;

    large_walk(add_large, listing);
    empty_walk(add_region, add_empty, listing);
    /* Acquire: each arena is complete. */
    for (arena = atomic_load_explicit(&arena_list, memory_order_acquire); arena != NULL;
         arena = arena->next) {
        add_heaps(listing, &arena->tiny, ZONE_TINY);
        add_heaps(listing, &arena->small, ZONE_SMALL);
    }
    sort(&listing->places);
}

static void put_chunk(struct text *text, uintptr_t start, size_t requested)
{
    text_hex_upper(text, start);
    text_string(text, " - ");
    text_hex_upper(text, start + requested);
    text_string(text, " : ");
    text_number(text, requested);
    text_string(text, " bytes\n");
}

static size_t put_place(struct text *text, const struct place *place, const struct list *chunks)
{
    static const char *const names[] = {"TINY : ", "SMALL : ", "LARGE : "};
    const struct census_chunk *chunk;
    size_t total = 0;

    if (place->count == 0)
        return 0;
    chunk = (const struct census_chunk *)(void *)chunks->items + place->first;
    text_string(text, names[place->zone]);
    text_hex_upper(text, place->base);
    text_string(text, "\n");
    for (size_t i = 0; i < place->count; i++) {
        put_chunk(text, chunk[i].start, chunk[i].requested);
        total += chunk[i].requested;
    }
    return total;
}

/*
 * Places that were seen one after the other may have addresses in common. What is live during the
 * whole call does not begin inside another, so of two the lower one is shown.
 */
static size_t put_places(struct text *text, const struct listing *listing)
{
    uintptr_t end = 0;
    size_t total = 0;

    for (size_t i = 0; i < listing->places.count; i++) {
        const struct place *place = place_at(&listing->places, i);

        if (place->base < end)
            continue;
        total += put_place(text, place, &listing->chunks);
        end = place->end;
    }
    return total;
}

void show_alloc_mem(void)
{
    struct listing listing = {.places.item_size = sizeof(struct place),
                              .chunks.item_size = sizeof(struct census_chunk)};
    struct text text = {.fd = STDOUT_FILENO};
    size_t total;

    collect(&listing);
    total = put_places(&text, &listing);
    text_string(&text, "Total : ");
    text_number(&text, total);
    text_string(&text, " bytes\n");
    text_flush(&text);
    if (listing.places.failed || listing.chunks.failed) {
        text.fd = STDERR_FILENO;
        text_string(&text, "ft_malloc: show_alloc_mem(): no memory for the whole list\n");
        text_flush(&text);
    }
    list_end(&listing.places);
    list_end(&listing.chunks);
}
