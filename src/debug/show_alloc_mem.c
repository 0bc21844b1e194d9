/*
 * show_alloc_mem: the live chunks of all arenas, merged and sorted by address. They are collected into memory mapped for
 * the purpose, those in heaps under the structure lock, for reading; it is written when the lock is released, so a slow
 * terminal stops nobody.
 */
#define _GNU_SOURCE 1 // NOLINT: the C library asks for this name
#include "ft_malloc.h"

#include "arena/arena.h"
#include "bins/empty.h"
#include "debug/census.h"
#include "debug/text.h"
#include "large/large.h"
#include "os/os.h"
#include "os/structure_lock.h"

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

/* A heap, or a LARGE chunk. The heap itself may be gone as soon as the structure lock is released. */
struct place {
    uintptr_t base, end;
    enum zone zone;
    struct heap *heap;
    size_t first, count; /* of its chunks in the list */
};

struct listing {
    struct list places;
    struct list chunks;
};

/* A new item, zero-filled, or NULL. */
static void *list_add(struct list *list)
{
    size_t needed = (list->count + 1) * list->item_size;

    if (needed > list->size && !list->failed) {
        size_t size = list->size == 0 ? (size_t)64 << 10 : list->size * 2;
        char *items = os_map(size);

        if (items == NULL) {
            list->failed = true;
        } else {
            if (list->size > 0) {
                memcpy(items, list->items, list->count * list->item_size);
                os_unmap(list->items, list->size);
            }
            list->items = items;
            list->size = size;
        }
    }
    return list->failed ? NULL : list->items + list->count++ * list->item_size;
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

static void add_heaps(struct list *places, struct heap *heap, enum zone zone)
{
    for (; heap != NULL; heap = heap->next) {
        struct place *place = list_add(places);

        if (place != NULL)
            *place = (struct place){.base = heap->base,
                                    .end = heap->base + (uintptr_t)heap_units(heap) * UNIT_SIZE,
                                    .zone = zone,
                                    .heap = heap};
    }
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

static void collect_chunks(struct list *chunks, struct place *place)
{
    struct census_chunk found[TINY_SLAB_CHUNKS_MAX];
    unsigned at = heap_first_unit(place->heap);
    uint64_t identity;
    struct slab *slab;

    place->first = chunks->count;
    while ((slab = census_next_slab(place->heap, &at, &identity)) != NULL) {
        unsigned count = census_slab(place->heap, slab, identity, found);

        for (unsigned i = 0; i < count; i++) {
            struct census_chunk *chunk = list_add(chunks);

            if (chunk != NULL)
                *chunk = found[i];
        }
    }
    place->count = chunks->count - place->first;
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
    structure_lock_read();
    /* Acquire: each arena is complete. */
    for (arena = atomic_load_explicit(&arena_list, memory_order_acquire); arena != NULL;
         arena = arena->next) {
        add_heaps(&listing->places, arena->tiny.heaps, ZONE_TINY);
        add_heaps(&listing->places, arena->small.heaps, ZONE_SMALL);
    }
    for (size_t i = 0; i < listing->places.count; i++)
        if (place_at(&listing->places, i)->heap != NULL)
            collect_chunks(&listing->chunks, place_at(&listing->places, i));
    structure_unlock();
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
 * Places that were seen one after the other may have addresses in common. What is live during the whole call does not
 * begin inside another, so of two the lower one is shown.
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
