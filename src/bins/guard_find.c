/*
 * What is at an address in the pool. Slots change while they are read; a reading counts if the
 * slot's life was the same before and after it.
 */
#include "bins/guard_pool.h"

#include "os/os.h"

static void load_call(const struct guard_call *call, struct caller *caller)
{
    uint64_t where = guard_load(&call->where);
    unsigned depth = (unsigned)where & (GUARD_TRUNCATED - 1);

    caller->time = guard_load(&call->time);
    caller->thread = (uint32_t)(where >> GUARD_THREAD_SHIFT);
    caller->truncated = (where & GUARD_TRUNCATED) != 0;
    caller->depth = (uint16_t)(depth < GUARD_DEPTH ? depth : GUARD_DEPTH);
    for (unsigned n = 0; n < caller->depth; n++)
        caller->frames[n] = (uintptr_t)guard_load(&call->frames[n]);
}

/* Returns the slot's state, and describes its last chunk. */
static enum guard_state read_slot(const struct guard_slot *slot, struct chunk *chunk)
{
    uint64_t life, again;

    do {
        life = guard_load(&slot->life);
        *chunk = (struct chunk){.start = (uintptr_t)guard_load(&slot->start),
                                .requested = (size_t)guard_load(&slot->requested),
                                .guarded = true};
        again = guard_load(&slot->life);
    } while (life != again);
    chunk->usable = chunk->requested;
    chunk->zone = zone_of_size(chunk->requested);
    return (enum guard_state)(life & GUARD_STATE_MASK);
}

enum verdict guard_pool_find(uintptr_t address, struct chunk *chunk)
{
    const struct guard_slot *slot = guard_slot_around(guard_pool_now(), address);
    struct chunk found;

    if (slot == NULL)
        return CHUNK_FOREIGN;
    switch (read_slot(slot, &found)) {
    case GUARD_LIVE:
        *chunk = found;
        if (address == found.start)
            return CHUNK_LIVE;
        return address - found.start < found.requested ? CHUNK_INTERIOR : CHUNK_NONE;
    case GUARD_CLOSING:
    case GUARD_FREED:
        *chunk = found;
        return address == found.start ? CHUNK_FREED : CHUNK_NONE;
    case GUARD_LOST:
        if (address != found.start)
            return CHUNK_FOREIGN;
        *chunk = found;
        return CHUNK_GONE;
    default:
        *chunk = (struct chunk){.start = address, .zone = ZONE_LARGE};
        return CHUNK_NONE;
    }
}

enum guard_state guard_pool_callers(uintptr_t address, struct caller *allocated,
                                    struct caller *freed)
{
    const struct guard_slot *slot = guard_slot_around(guard_pool_now(), address);
    uint64_t life, again;

    if (slot == NULL)
        return GUARD_UNUSED;
    do {
        life = guard_load(&slot->life);
        if (allocated != NULL)
            load_call(&slot->allocated, allocated);
        if (freed != NULL)
            load_call(&slot->freed, freed);
        again = guard_load(&slot->life);
    } while (life != again);
    return (enum guard_state)(life & GUARD_STATE_MASK);
}

void guard_pool_walk(void (*visit)(void *context, const struct chunk *chunk), void *context)
{
    struct guard_pool *pool = guard_pool_now();
    struct chunk chunk;

    for (uint64_t n = 0; pool != NULL && n < pool->slots; n++)
        if (read_slot(&pool->slot[n], &chunk) == GUARD_LIVE)
            visit(context, &chunk);
}
