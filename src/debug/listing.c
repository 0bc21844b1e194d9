/*
 * Collecting, sorting, and reading the list.
 */
#include "debug/listing.h"

#include "bins/guard_pool.h"
#include "debug/walk.h"
#include "os/os.h"

#include <string.h>

/* A heap, which may be gone by now, a region of empty chunks, or a LARGE or guarded chunk. */
struct place {
    uintptr_t base, end;
    enum zone zone;
    bool alone; /* it is a chunk */
    /* Of the only chunk; else its chunks in the list. */
    uintptr_t start;
    size_t requested, usable;
    size_t first, count;
};

/* Returns room for so many more items, or NULL if there is no memory. */
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

static void list_end(struct list *list)
{
    if (list->size > 0)
        os_unmap(list->items, list->size);
}

static struct place *place_at(const struct list *places, size_t index)
{
    return (struct place *)(void *)places->items + index;
}

static void add_place(struct listing *listing, const struct place *place)
{
    struct place *room = list_room(&listing->places, 1);

    if (room == NULL)
        return;
    *room = *place;
    room->first = listing->chunks.count;
    listing->places.count++;
}

/* Adds that many chunks to the list and to the place that was added last. */
static void add_chunks(struct listing *listing, unsigned count)
{
    listing->chunks.count += count;
    place_at(&listing->places, listing->places.count - 1)->count += count;
}

static void add_heap(void *context, struct heap *heap)
{
    add_place(context, &(struct place){
                           .base = heap->base,
                           .end = heap->base + (uintptr_t)heap_units(heap) * UNIT_SIZE,
                           .zone = heap->set->small ? ZONE_SMALL : ZONE_TINY,
                       });
}

static void add_slab(void *context, const struct walk_slab *slab)
{
    struct listing *listing = context;
    struct walk_chunk *room =
        listing->places.failed ? NULL : list_room(&listing->chunks, slab->shape->chunks);

    if (room != NULL)
        add_chunks(listing, walk_live(slab, room));
}

static void add_region(void *context, uintptr_t start, size_t size)
{
    add_place(context, &(struct place){.base = start, .end = start + size, .zone = ZONE_TINY});
}

static void add_empty(void *context, uintptr_t address)
{
    struct listing *listing = context;
    struct walk_chunk *room = listing->places.failed ? NULL : list_room(&listing->chunks, 1);

    if (room == NULL)
        return;
    *room = (struct walk_chunk){.start = address};
    add_chunks(listing, 1);
}

static void add_alone(struct listing *listing, uintptr_t base, const struct listed_chunk *chunk)
{
    add_place(listing, &(struct place){
                           .base = base,
                           .end = chunk->start + (chunk->requested > 0 ? chunk->requested : 1),
                           .zone = chunk->zone,
                           .alone = true,
                           .start = chunk->start,
                           .requested = chunk->requested,
                           .usable = chunk->usable,
                       });
}

static void add_large(void *context, const struct large_info *info)
{
    add_alone(context, info->start,
              &(struct listed_chunk){.zone = ZONE_LARGE,
                                     .start = info->start,
                                     .requested = info->requested,
                                     .usable = info->usable});
}

static void add_guarded(void *context, const struct chunk *chunk)
{
    add_alone(context, chunk->start >> GUARD_SLOT_SHIFT << GUARD_SLOT_SHIFT,
              &(struct listed_chunk){.zone = chunk->zone,
                                     .start = chunk->start,
                                     .requested = chunk->requested,
                                     .usable = chunk->usable});
}

/*
 * Heap sort, because it works in place and is never slow; there may be many thousands of LARGE
 * chunks.
 */
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

bool listing_collect(struct listing *listing)
{
    static const struct walk_visitor visitor = {
        .heap = add_heap,
        .slab = add_slab,
        .region = add_region,
        .empty = add_empty,
        .large = add_large,
        .guarded = add_guarded,
    };

    *listing = (struct listing){.places.item_size = sizeof(struct place),
                                .chunks.item_size = sizeof(struct walk_chunk)};
    walk_all(&visitor, listing);
    sort(&listing->places);
    return !listing->places.failed && !listing->chunks.failed;
}

void listing_end(struct listing *listing)
{
    list_end(&listing->places);
    list_end(&listing->chunks);
}

typedef int visit_listed(void *context, const struct listed_chunk *chunk);

static int visit_place(const struct listing *listing, const struct place *place,
                       visit_listed *visit, void *context)
{
    const struct walk_chunk *chunk =
        (const struct walk_chunk *)(const void *)listing->chunks.items + place->first;
    struct listed_chunk listed = {.zone = place->zone,
                                  .place = place->base,
                                  .start = place->start,
                                  .requested = place->requested,
                                  .usable = place->usable};
    int result = 0;

    if (place->alone)
        return visit(context, &listed);
    for (size_t i = 0; i < place->count && result == 0; i++) {
        listed.start = chunk[i].start;
        listed.requested = chunk[i].requested;
        listed.usable = chunk[i].usable;
        result = visit(context, &listed);
    }
    return result;
}

/*
 * Places that were visited one after the other may overlap. A chunk that is live during the whole
 * call never begins inside another place, so of two places that overlap the lower one is visited.
 */
int listing_each(const struct listing *listing, visit_listed *visit, void *context)
{
    uintptr_t end = 0;
    int result = 0;

    for (size_t i = 0; i < listing->places.count && result == 0; i++) {
        const struct place *place = place_at(&listing->places, i);

        if (place->base < end)
            continue;
        result = visit_place(listing, place, visit, context);
        end = place->end;
    }
    return result;
}
