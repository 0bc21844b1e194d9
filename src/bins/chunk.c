/*
 * Looks up chunks by their addresses, for slow paths and for reports of misuse.
 */
#include "bins/chunk.h"

static unsigned read_state(struct chunk *chunk)
{
    if (chunk->zone == ZONE_TINY) {
        /*
         * Relaxed: the holder of a chunk received it together with its state; for anyone else, any
         * answer is as good.
         */
        uint8_t seen = atomic_load_explicit(tiny_state(chunk->start), memory_order_relaxed);

        chunk->requested = chunk->usable - tiny_slack(seen);
        return tiny_kind(seen);
    } else {
        uint32_t seen = atomic_load_explicit(small_state(chunk->start), memory_order_relaxed);

        chunk->requested = chunk->usable - small_slack(seen);
        return small_kind(seen);
    }
}

/* The slab that may hold the address, or NULL if it is in the header or in no slab. */
static struct slab *find_slab(const struct heap *heap, uintptr_t address, enum zone zone)
{
    size_t first = zone == ZONE_SMALL ? SMALL_FIRST_UNIT : TINY_FIRST_UNIT;

    if (address < heap->base + first * UNIT_SIZE)
        return NULL;
    return zone == ZONE_SMALL ? small_slab(address) : tiny_slab(address);
}

enum verdict chunk_find(uintptr_t address, uint16_t tag, struct chunk *chunk)
{
    struct heap *heap = heap_at(address, tag);
    const struct size_class *shape;
    uintptr_t slab_start;
    uint64_t identity;

    *chunk = (struct chunk){.zone = tag & TAG_SMALL ? ZONE_SMALL : ZONE_TINY, .arena = heap->arena};
    chunk->slab = find_slab(heap, address, chunk->zone);
    if (chunk->slab == NULL)
        return CHUNK_NONE;
    /* Acquire: what is read of the slab afterwards is not older than the identity. */
    identity = atomic_load_explicit(&chunk->slab->identity, memory_order_acquire);
    if ((identity & 1) == 0)
        return CHUNK_NONE;
    chunk->size_class = identity_class(identity);
    shape = &size_classes[chunk->size_class];
    slab_start = heap->base + (uintptr_t)identity_unit(identity) * UNIT_SIZE;
    chunk->index = chunk_index(shape, (uint32_t)(address - slab_start));
    /*
     * The inverse is rounded up, so just below a chunk's start, the index can already be that
     * chunk's.
     */
    if (chunk->index * shape->size > address - slab_start)
        chunk->index--;
    if (chunk->index >= shape->chunks)
        return CHUNK_NONE;
    chunk->start = slab_start + (uintptr_t)chunk->index * shape->size;
    chunk->usable = shape->size;
    chunk->kind = read_state(chunk);
    if (chunk->kind == STATE_NONE)
        return CHUNK_NONE;
    if (address != chunk->start)
        return chunk->kind == STATE_LIVE ? CHUNK_INTERIOR : CHUNK_NONE;
    return chunk->kind == STATE_LIVE ? CHUNK_LIVE : CHUNK_FREED;
}

/* Relaxed, here and below: for a report, any answer is as good. */
static bool gone_tiny(uintptr_t address, struct chunk *chunk)
{
    uint8_t seen = atomic_load_explicit(tiny_state(address), memory_order_relaxed);

    chunk->size_class = (unsigned)tiny_class_around(address);
    chunk->requested = tiny_slack(seen);
    return tiny_kind(seen) == STATE_FREE && chunk->size_class < TINY_CLASSES;
}

static bool gone_small(uintptr_t address, struct chunk *chunk)
{
    uint32_t seen = atomic_load_explicit(small_state(address), memory_order_relaxed);

    chunk->size_class = small_state_class(seen);
    chunk->requested = small_slack(seen);
    return small_is_at(seen, STATE_FREE, address) && chunk->size_class < SIZE_CLASSES;
}

bool chunk_find_gone(uintptr_t address, struct chunk *chunk)
{
    bool small = chunk->zone == ZONE_SMALL;
    uintptr_t base = address & ~(uintptr_t)((small ? SMALL_HEAP_SIZE : TINY_HEAP_SIZE) - 1);

    if (address % CHUNK_ALIGN != 0 ||
        address < base + (small ? SMALL_FIRST_UNIT : TINY_FIRST_UNIT) * UNIT_SIZE ||
        !(small ? gone_small(address, chunk) : gone_tiny(address, chunk)))
        return false;
    chunk->start = address;
    chunk->usable = size_classes[chunk->size_class].size;
    chunk->requested = chunk->usable - chunk->requested;
    return true;
}

void chunk_mark(const struct chunk *chunk, unsigned kind)
{
    size_t slack = chunk->usable - chunk->requested;

    if (chunk->zone == ZONE_TINY)
        tiny_rewrite(chunk->start, chunk->kind, kind, slack);
    else
        small_rewrite(chunk->start, chunk->kind, kind, chunk->size_class, slack);
}

bool chunk_resize(const struct chunk *chunk, size_t requested)
{
    struct chunk resized = *chunk;
    size_t slack_max = chunk->zone == ZONE_TINY ? tiny_slack_max() : SMALL_SLACK_MAX;

    if (requested > chunk->usable || chunk->usable - requested > slack_max)
        return false;
    resized.requested = requested;
    chunk_mark(&resized, STATE_LIVE);
    return true;
}
