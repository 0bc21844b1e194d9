/*
 * The walk itself, and the sums over it.
 */
#include "debug/census.h"

#include "arena/arena.h"
#include "bins/empty.h"
#include "bins/heap_walk.h"
#include "large/large.h"

struct slab *census_next_slab(struct heap *heap, unsigned *at, uint64_t *identity)
{
    while (*at < heap_units(heap)) {
        unsigned unit = (*at)++;
        uintptr_t address = heap->base + (uintptr_t)unit * UNIT_SIZE;
        struct slab *slab = heap->set->small ? small_slab(address) : tiny_slab(address);

        if (slab == NULL)
            continue;
        /* Acquire: the states that are read next are not older. */
        *identity = atomic_load_explicit(&slab->identity, memory_order_acquire);
        if ((*identity & 1) == 0 || identity_unit(*identity) != unit)
            continue;
        *at = unit + size_classes[identity_class(*identity)].units;
        return slab;
    }
    return NULL;
}

/* Acquire: a state of the slab's next life shows that life's identity to the load after it. */
static size_t live_size(bool small, uintptr_t address, size_t size)
{
    if (small) {
        uint32_t seen = atomic_load_explicit(small_state(address), memory_order_acquire);

        return small_lives(seen) ? size - small_slack(seen) : SIZE_MAX;
    } else {
        uint8_t seen = atomic_load_explicit(tiny_state(address), memory_order_acquire);

        return tiny_lives(seen) ? size - tiny_slack(seen) : SIZE_MAX;
    }
}

unsigned census_slab(struct heap *heap, struct slab *slab, uint64_t identity,
                     struct census_chunk *out)
{
    const struct size_class *shape = &size_classes[identity_class(identity)];
    uintptr_t address = heap->base + (uintptr_t)identity_unit(identity) * UNIT_SIZE;
    unsigned count = 0;

    for (unsigned index = 0; index < shape->chunks; index++, address += shape->size) {
        size_t requested = live_size(heap->set->small, address, shape->size);

        if (requested != SIZE_MAX)
            out[count++] = (struct census_chunk){.start = address, .requested = requested};
    }
    /*
     * Another identity: some of these states belong to another slab, and nothing here was live
     * throughout.
     */
    return atomic_load_explicit(&slab->identity, memory_order_relaxed) == identity ? count : 0;
}

/* The live chunks of a slab. */
struct sum {
    unsigned chunks;
    size_t slack;
};

/*
 * Acquire, here and below: as in live_size(). Without a branch: which chunks are live nobody can
 * predict.
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

static void sum_slab(const struct heap *heap, const struct slab *slab, uint64_t identity,
                     struct census_zone *zone)
{
    const struct size_class *shape = &size_classes[identity_class(identity)];
    uintptr_t address = heap->base + (uintptr_t)identity_unit(identity) * UNIT_SIZE;
    struct sum sum = heap->set->small ? sum_small(address, shape) : sum_tiny(address, shape);

    /* See census_slab(). */
    if (atomic_load_explicit(&slab->identity, memory_order_relaxed) != identity)
        sum = (struct sum){.chunks = 0};
    zone->chunks += sum.chunks;
    zone->usable += (size_t)sum.chunks * shape->size;
    zone->requested += (size_t)sum.chunks * shape->size - sum.slack;
    zone->slabs += (size_t)shape->units * UNIT_SIZE;
    zone->vacant += shape->chunks - sum.chunks;
}

static void sum_heaps(struct heap_set *set, struct census_zone *zone)
{
    for (struct heap *heap = heap_walk(set, NULL); heap != NULL; heap = heap_walk(set, heap)) {
        unsigned at = heap_first_unit(heap);
        uint64_t identity;
        struct slab *slab;

        zone->heaps++;
        while ((slab = census_next_slab(heap, &at, &identity)) != NULL)
            sum_slab(heap, slab, identity, zone);
    }
}

static void sum_large(void *context, const struct large_info *info)
{
    struct census_zone *zone = context;

    if (!info->live)
        return;
    zone->heaps++;
    zone->chunks++;
    zone->requested += info->requested;
    zone->usable += info->usable;
    zone->slabs += info->usable;
}

static void no_region(void *context, uintptr_t start, size_t size)
{
    (void)context, (void)start, (void)size;
}

static void sum_empty(void *context, uintptr_t address)
{
    struct census_zone *zone = context;

    (void)address;
    zone->chunks++;
}

void census_take(struct census *census)
{
    *census = (struct census){.arenas = 0};
    /* Acquire: each arena is complete. */
    for (struct arena *arena = atomic_load_explicit(&arena_list, memory_order_acquire);
         arena != NULL; arena = arena->next) {
        census->arenas++;
        sum_heaps(&arena->tiny, &census->zone[ZONE_TINY]);
        sum_heaps(&arena->small, &census->zone[ZONE_SMALL]);
    }
    empty_walk(no_region, sum_empty, &census->zone[ZONE_TINY]);
    large_walk(sum_large, &census->zone[ZONE_LARGE]);
    census->cached = large_cached_bytes();
}
