/*
 * The sums.
 */
#include "debug/census.h"

#include "debug/walk.h"

/* The live chunks of a slab. */
struct sum {
    unsigned chunks;
    size_t slack;
};

/*
 * Without a branch, here and below, because nobody can predict which chunks are live. Acquire: see
 * walk_same_slab().
 */
static struct sum sum_tiny(uintptr_t address, const struct size_class *shape)
{
    const _Atomic uint8_t *state = tiny_state(address);
    unsigned step = shape->size / CHUNK_ALIGN;
    struct sum sum = {.chunks = 0};

    for (unsigned index = 0; index < shape->chunks; index++, state += step) {
        uint8_t seen = atomic_load_explicit(state, memory_order_acquire);
        unsigned live = tiny_lives(seen);

        sum.chunks += live;
        sum.slack += live * tiny_slack(seen);
    }
    return sum;
}

static struct sum sum_small(uintptr_t address, const struct size_class *shape)
{
    struct sum sum = {.chunks = 0};

    for (unsigned index = 0; index < shape->chunks; index++, address += shape->size) {
        uint32_t seen = atomic_load_explicit(small_state(address), memory_order_acquire);
        unsigned live = small_lives(seen);

        sum.chunks += live;
        sum.slack += live * small_slack(seen);
    }
    return sum;
}

static struct census_zone *zone_of(struct census *census, const struct heap *heap)
{
    return &census->zone[heap->set->small ? ZONE_SMALL : ZONE_TINY];
}

static void count_slab(void *context, const struct walk_slab *slab)
{
    struct census_zone *zone = zone_of(context, slab->heap);
    const struct size_class *shape = slab->shape;
    struct sum sum =
        slab->heap->set->small ? sum_small(slab->start, shape) : sum_tiny(slab->start, shape);

    if (!walk_same_slab(slab))
        sum = (struct sum){.chunks = 0};
    zone->chunks += sum.chunks;
    zone->usable += (size_t)sum.chunks * shape->size;
    zone->requested += (size_t)sum.chunks * shape->size - sum.slack;
    zone->slabs += (size_t)shape->units * UNIT_SIZE;
    zone->vacant += shape->chunks - sum.chunks;
}

static void count_arena(void *context, struct arena *arena)
{
    struct census *census = context;

    (void)arena;
    census->arenas++;
}

static void count_heap(void *context, struct heap *heap)
{
    struct census_zone *zone = zone_of(context, heap);

    zone->heaps++;
    zone->mapped += (size_t)heap_units(heap) * UNIT_SIZE;
}

static void count_large(void *context, const struct large_info *info)
{
    struct census *census = context;
    struct census_zone *zone = &census->zone[ZONE_LARGE];

    zone->heaps++;
    zone->chunks++;
    zone->requested += info->requested;
    zone->usable += info->usable;
    zone->slabs += info->usable;
    zone->mapped += info->usable;
}

static void count_empty(void *context, uintptr_t address)
{
    struct census *census = context;

    (void)address;
    census->zone[ZONE_TINY].chunks++;
}

static void count_guarded(void *context, const struct chunk *chunk)
{
    struct census *census = context;
    struct census_zone *zone = &census->zone[chunk->zone];

    zone->chunks++;
    zone->requested += chunk->requested;
    zone->usable += chunk->usable;
    zone->slabs += chunk->usable;
    zone->mapped += chunk->usable;
}

void census_take(struct census *census)
{
    static const struct walk_visitor visitor = {
        .arena = count_arena,
        .heap = count_heap,
        .slab = count_slab,
        .empty = count_empty,
        .large = count_large,
        .guarded = count_guarded,
    };

    *census = (struct census){.arenas = 0};
    walk_all(&visitor, census);
    census->cached = large_cached_bytes();
}
