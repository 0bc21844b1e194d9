/*
 * The quarantine of a cache's chunks, and the random order of its stacks.
 */
#include "arena/chunk_quarantine.h"

#include "base/own.h"
#include "base/secret.h"
#include "bins/beside.h"
#include "os/os.h"

enum { QUARANTINE_CHUNKS = 512, QUARANTINE_BYTES = 512 << 10 };

/* A ring: the last `count` chunks before place number `next`. They are in state FREE. */
struct quarantine {
    uintptr_t chunks[QUARANTINE_CHUNKS];
    uint8_t classes[QUARANTINE_CHUNKS];
    unsigned next;
    unsigned count;
    size_t bytes;
};

/* The hit paths of hardened mode come without the lock, which they hardly ever need. */
static __attribute__((noinline)) void put_into_full(struct cache *cache, struct stack *stack,
                                                    uintptr_t chunk)
{
    bool locked = arena_locked_here(cache->arena);
    void **place, *other;

    if (!locked) {
        arena_lock(cache->arena);
        cache_use(cache);
    }
    stack_free_full(stack, pointer_to(chunk));
    if (!locked)
        arena_unlock(cache->arena);
    if (stack_count(stack) < 2)
        return;
    place = stack->slots + ((secret_random(&cache->random) >> 32) * stack_count(stack) >> 32);
    other = *place;
    *place = stack->top[-1];
    stack->top[-1] = other;
}

/*
 * The stack is always in random order: a chunk that is freed takes a random place, and the chunk
 * from that place is pushed on top. So it is random which chunk is handed out next, and yet known
 * in advance, so that the processor can fetch it.
 */
static inline void put_into_stack(struct cache *cache, unsigned size_class, uintptr_t chunk)
{
    struct stack *stack = &cache->stacks.of[size_class];
    void **top, **place;

    if (unlikely(stack->top >= stack->end)) {
        put_into_full(cache, stack, chunk);
        return;
    }
    top = stack->top;
    place = stack->slots + ((secret_random(&cache->random) >> 32) * (stack_count(stack) + 1) >> 32);
    stack->top = top + 1;
    *top = *place;
    *place = pointer_to(chunk);
}

static __attribute__((noinline)) void release_oldest(struct cache *cache,
                                                     struct quarantine *quarantine)
{
    unsigned at = (quarantine->next - quarantine->count--) % QUARANTINE_CHUNKS;

    quarantine->bytes -= size_classes[quarantine->classes[at]].size;
    put_into_stack(cache, quarantine->classes[at], quarantine->chunks[at]);
}

static __attribute__((noinline)) bool make_quarantine(struct cache *cache)
{
    cache->quarantine = own_map(sizeof(struct quarantine));
    return cache->quarantine != NULL;
}

/* Without memory for a quarantine, chunks do not wait. */
static __attribute__((noinline)) void put_first(struct cache *cache, uintptr_t address,
                                                unsigned size_class)
{
    if (make_quarantine(cache))
        chunk_quarantine_add(cache, address, size_class);
    else
        put_into_stack(cache, size_class, address);
}

void chunk_quarantine_add(struct cache *cache, uintptr_t address, unsigned size_class)
{
    struct quarantine *quarantine = cache->quarantine;
    unsigned at, oldest_class;
    uintptr_t oldest;

    if (unlikely(quarantine == NULL)) {
        put_first(cache, address, size_class);
        return;
    }
    at = quarantine->next++ % QUARANTINE_CHUNKS;
    oldest = quarantine->chunks[at];
    oldest_class = quarantine->classes[at];
    quarantine->chunks[at] = address;
    quarantine->classes[at] = (uint8_t)size_class;
    quarantine->bytes += size_classes[size_class].size;
    if (likely(quarantine->count == QUARANTINE_CHUNKS)) {
        quarantine->bytes -= size_classes[oldest_class].size;
        put_into_stack(cache, oldest_class, oldest);
    } else {
        quarantine->count++;
    }
    while (unlikely(quarantine->bytes > QUARANTINE_BYTES))
        release_oldest(cache, quarantine);
}

void chunk_quarantine_flush(struct cache *cache)
{
    while (cache->quarantine != NULL && cache->quarantine->count > 0)
        release_oldest(cache, cache->quarantine);
}

void chunk_quarantine_forget(struct cache *cache)
{
    if (cache->quarantine == NULL)
        return;
    cache->quarantine->count = 0;
    cache->quarantine->bytes = 0;
}

void chunk_quarantine_receive(struct cache *cache, const struct chunk *chunk)
{
    /*
     * The thread that freed the chunk could not check its neighbours: it does not own them, and
     * would have seen states in the middle of a change.
     */
    if (chunk->zone != ZONE_TINY ||
        beside_tiny(chunk->start, chunk->usable, tiny_state(chunk->start)))
        beside_check(chunk->start, chunk->usable);
    chunk_mark(chunk, STATE_FREE);
    chunk_quarantine_add(cache, chunk->start, chunk->size_class);
}
