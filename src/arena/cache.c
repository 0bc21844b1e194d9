/*
 * Makes caches, and serves the requests that their stacks do not serve.
 */
#include "arena/cache.h"

#include "arena/chunk_quarantine.h"
#include "arena/remote.h"
#include "base/clock.h"
#include "base/own.h"
#include "base/secret.h"
#include "os/os.h"

static_assert(sizeof(struct arena) % _Alignof(struct cache) == 0, "a cache may follow an arena");

size_t cache_least_size(void)
{
    return round_up(sizeof(struct cache), 64);
}

size_t cache_size(void)
{
    return cache_least_size() + LONG_SLOTS * sizeof(void *);
}

void cache_attach(struct cache *cache, struct arena *arena, size_t ready)
{
    cache->arena = arena;
    cache->tiny_tag = arena->tiny_tag;
    cache->small_tag = arena->small_tag;
    stacks_init(&cache->stacks, (void **)(void *)((char *)cache + cache_least_size()),
                (ready - cache_least_size()) / sizeof(void *), &arena->bins,
                cache != cache_first(arena));
    /*
     * A thread that has an arena for itself may use much, and then a shared chunk in a stack would
     * keep one more heap.
     */
    cache->stacks.shares = arena->id == 1 || cache != cache_first(arena);
    cache->random = secret_word ^ secret_scramble((uintptr_t)cache + clock_now());
    own_heaps_clear(&cache->own_tiny);
    own_heaps_clear(&cache->own_small);
    /* relaxed: the arena's lock orders it */
    cache->next = atomic_load_explicit(&arena->caches, memory_order_relaxed);
    /* Release: whoever walks the list finds the cache complete. */
    atomic_store_explicit(&arena->caches, cache, memory_order_release);
}

struct cache *cache_create(struct arena *arena)
{
    size_t ready = cache_least_size();
    struct cache *cache = own_map_part(cache_size(), &ready);

    if (cache == NULL)
        return NULL;
    arena_lock(arena);
    cache_attach(cache, arena, ready);
    arena_unlock(arena);
    return cache;
}

/*
 * A cache without a thread has an empty own-heap table, and nobody looks into that of a common one.
 */
static bool alone(const struct cache *cache)
{
    /* Relaxed: whoever uses another cache has to get the lock before it knows a heap. */
    const struct cache *other = atomic_load_explicit(&cache->arena->caches, memory_order_relaxed);

    for (; other != NULL; other = other->next)
        if (other != cache && atomic_load_explicit(&other->in_use, memory_order_relaxed))
            return false;
    return true;
}

void cache_use(struct cache *cache)
{
    bins_enter(&cache->arena->bins, &cache->own_tiny, &cache->own_small, alone(cache),
               HEAP_ALLOWANCE);
}

/*
 * Refills an empty stack from the slabs. With `clean` it may take the chunk straight from a slab,
 * which knows whether the memory is zero.
 */
static void *alloc_from_slab(struct stack *stack, bool *clean)
{
    void *chunk = clean != NULL ? stack_take_clean(stack) : NULL;

    if (chunk != NULL)
        *clean = true;
    else if (stack_refill(stack, NULL))
        chunk = stack_pop(stack);
    return chunk;
}

/* Takes a chunk from the stack of another class, unless it is the same. Stores which one served. */
static void *take_from(struct stack **stack, struct stack *other)
{
    if (other == *stack || (stack_count(other) == 0 && !stack_refill(other, NULL)))
        return NULL;
    *stack = other;
    return stack_pop(other);
}

/*
 * Takes a chunk of a larger class that serves this one. Stores in *stack which one that is.
 */
static void *borrow(struct stack **stack, size_t requested)
{
    void *chunk = take_from(stack, stack_shared(*stack, requested));

    return chunk != NULL ? chunk : take_from(stack, stack_lender(*stack, false));
}

/* With `lend`, a chunk of a larger class will do if that spares fresh memory. */
static void *alloc(struct cache *cache, struct stack *stack, size_t requested, bool lend,
                   bool *clean)
{
    void *chunk = stack_pop(stack);

    if (clean != NULL)
        *clean = false;
    if (chunk == NULL) {
        remote_receive(cache, stack);
        chunk = stack_pop(stack);
    }
    if (chunk == NULL && lend)
        chunk = borrow(&stack, requested);
    if (chunk == NULL)
        chunk = alloc_from_slab(stack, clean);
    if (unlikely(chunk == NULL)) {
        cache_release(cache);
        chunk = alloc_from_slab(stack, clean);
        if (chunk == NULL && lend)
            chunk = take_from(&stack, stack_lender(stack, true));
    }
    if (chunk != NULL)
        stack_mark_live(stack, (uintptr_t)chunk, requested);
    return chunk;
}

void *cache_alloc(struct cache *cache, unsigned size_class, size_t requested, bool *clean)
{
    return alloc(cache, &cache->stacks.of[size_class], requested, true, clean);
}

void *cache_alloc_aligned(struct cache *cache, unsigned size_class, size_t requested)
{
    return alloc(cache, &cache->stacks.of[size_class], requested, false, NULL);
}

void cache_free_chunk(struct cache *cache, uintptr_t address)
{
    struct chunk chunk;

    if (chunk_find(address, heap_map_tag(address), &chunk) == CHUNK_LIVE)
        cache_free(cache, &chunk);
}

void cache_flush(struct cache *cache)
{
    chunk_quarantine_flush(cache);
    stacks_flush(&cache->stacks);
}

void cache_flush_idle(struct arena *arena)
{
    /* Relaxed, both: the arena's lock orders them. */
    struct cache *cache = atomic_load_explicit(&arena->caches, memory_order_relaxed);

    for (; cache != NULL; cache = cache->next)
        if (!atomic_load_explicit(&cache->in_use, memory_order_relaxed))
            stacks_flush(&cache->stacks);
    arena->thinned_at = 0;
}

void cache_thin(struct cache *cache)
{
    stacks_thin(&cache->stacks);
    if (cache->arena->thinned_at == 0)
        cache->arena->thinned_at = clock_now();
}

void cache_flush_thinned(struct arena *arena)
{
    static const uint64_t age = (uint64_t)8 * CLOCK_TENTH;

    if (arena->thinned_at != 0 && clock_now() - arena->thinned_at > age && !arena_is_damaged(arena))
        cache_flush_idle(arena);
}

void cache_forget(struct cache *cache)
{
    remote_drop(cache);
    for (unsigned i = 0; i < OUTGOING; i++)
        cache->outgoing[i].parcel = NULL;
    cache->parcels = NULL;
    cache->parcel_count = 0;
    own_heaps_clear(&cache->own_tiny);
    own_heaps_clear(&cache->own_small);
    chunk_quarantine_forget(cache);
    stacks_reset(&cache->stacks);
}

size_t cache_release(struct cache *cache)
{
    remote_receive_all(cache);
    cache_flush(cache);
    return arena_release(cache->arena);
}
