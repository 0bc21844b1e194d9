/*
 * realloc, reallocarray and malloc_usable_size. A chunk stays where it is if its size class stays,
 * or if moving it would save less than half of it (for TINY: less than its state can express).
 */
#include "api/api.h"

#include "api/guarded.h"
#include "api/hardened.h"
#include "api/in_force.h"
#include "api/watched.h"
#include "arena/lookup.h"
#include "base/options.h"
#include "debug/report.h"
#include "large/large.h"
#include "os/os.h"

#include <stdint.h>
#include <string.h>

API void *ft_reallocarray(void *pointer, size_t count, size_t size) SYMBOL(reallocarray)
    __attribute__((alloc_size(2, 3)));
API size_t ft_malloc_usable_size(void *pointer) SYMBOL(malloc_usable_size);

static bool among(const uintptr_t *addresses, uintptr_t address)
{
    for (unsigned n = 0; n < FLIPS; n++)
        if (addresses[n] == address)
            return true;
    return false;
}

/* Counts once only, because the address may be another chunk's later. */
static bool forget(uintptr_t *addresses, uintptr_t address)
{
    for (unsigned n = 0; n < FLIPS; n++)
        if (addresses[n] == address) {
            addresses[n] = 0;
            return true;
        }
    return false;
}

static void remember(uintptr_t *addresses, unsigned *next, uintptr_t address)
{
    if (!among(addresses, address))
        addresses[(*next)++ % FLIPS] = address;
}

/* Remembers what realloc() did to the chunk, except for TINY chunks, which are cheap to copy. */
static void note_resized(const struct chunk *chunk, uintptr_t address, size_t size)
{
    struct flips *flips = &thread_self.cache->flips;

    if (chunk->zone == ZONE_TINY || thread_self.cache == CACHE_NONE || address == 0)
        return;
    if (size < chunk->requested)
        remember(flips->shrunk, &flips->next_shrunk, address);
    else if (forget(flips->shrunk, chunk->start) || forget(flips->flipping, chunk->start))
        remember(flips->flipping, &flips->next_flipping, address);
}

/*
 * A chunk that flips keeps its room while it uses a quarter of it. So it neither moves nor makes a
 * system call.
 */
static bool shrink_flipping(const struct chunk *chunk, size_t size)
{
    static const size_t room_most = 4 << 20;

    if (chunk->zone == ZONE_TINY || size >= chunk->requested || size < chunk->usable / 4 ||
        chunk->usable - size > room_most || !among(thread_self.cache->flips.flipping, chunk->start))
        return false;
    return chunk->zone == ZONE_LARGE ? large_shrink_within(chunk->start, size)
                                     : chunk_resize(chunk, size);
}

static bool resize_in_place(const struct chunk *chunk, size_t size)
{
    if (shrink_flipping(chunk, size))
        return true;
    if (chunk->zone == ZONE_LARGE)
        return (size > SMALL_MAX || size >= chunk->requested) && large_resize(chunk->start, size);
    if (size > chunk->usable ||
        (size <= chunk->usable / 2 && size_class_of(size) != chunk->size_class))
        return false;
    return chunk_resize(chunk, size);
}

/* Whether a chunk of this size may get more room than it needs, and is remembered for that. */
static bool may_be_roomy(size_t size)
{
    return size > TINY_MAX && size <= SMALL_MAX / 2 && thread_self.cache != CACHE_NONE;
}

/*
 * Allocates a chunk for one that grows by small steps and is copied at least the second time: with
 * a quarter more than it needs, the next step or two do not copy it. Only SMALL states can express
 * so much slack. Returns NULL if this does not pay.
 */
static void *alloc_roomy(const struct chunk *chunk, size_t size)
{
    enum { STEP_PART = 4 };
    struct flips *flips = &thread_self.cache->flips;
    struct cache *cache;
    void *roomy;

    if (!may_be_roomy(size) || size - chunk->usable > chunk->usable / STEP_PART ||
        !forget(flips->grown, chunk->start))
        return NULL;
    cache = cache_enter();
    if (cache == NULL)
        return NULL;
    roomy = cache_alloc_aligned(cache, any_class(size + size / 4), size);
    cache_leave(cache);
    return roomy;
}

/* Remembers a chunk that another one moves to because it grows, for alloc_roomy(). */
static void note_grown(const void *moved, size_t size)
{
    struct flips *flips = &thread_self.cache->flips;

    if (may_be_roomy(size))
        remember(flips->grown, &flips->next_grown, (uintptr_t)moved);
}

/*
 * Allocates room for a chunk that moves because it grows, where it can go on growing. A mapping
 * that waits in the cache costs nothing. A new mapping is worth its system calls from four times
 * that size on.
 */
static void *move_to_grow(const struct chunk *chunk, size_t size, bool *clean)
{
    enum { REUSE_FROM = 16 << 10, MAP_FROM = 64 << 10 };
    void *moved = chunk->usable < REUSE_FROM ? NULL : large_reuse_growing(size);

    if (moved == NULL && size > SMALL_MAX && chunk->usable > SMALL_MAX / 2)
        moved = large_alloc_growing(size, clean);
    else if (moved == NULL && chunk->usable >= MAP_FROM)
        moved = large_try_growing(size);
    else if (moved == NULL)
        moved = alloc_roomy(chunk, size);
    if (moved == NULL)
        moved = api_alloc(size);
    note_grown(moved, size);
    return moved;
}

static void *move(void *pointer, const struct chunk *chunk, size_t size)
{
    bool grows = size > chunk->usable, clean = false;
    void *moved = grows ? move_to_grow(chunk, size, &clean) : api_alloc(size);

    if (moved == NULL && grows)
        return api_no_memory();
    if (moved == NULL) {
        /* There is enough room where the chunk is, but no way to express the smaller size. */
        if (chunk->zone == ZONE_LARGE)
            large_resize(chunk->start, size);
        else if (!chunk_resize(chunk, size))
            chunk_resize(chunk, chunk->usable - TINY_SLACK_MAX);
        return pointer;
    }
    if (chunk->zone == ZONE_LARGE && clean && chunk->usable >= LARGE_MOVE_FROM &&
        large_move(chunk->start, moved))
        return moved;
    /* Copies everything that malloc_usable_size() allowed, not only what was requested. */
    if (clean)
        large_copy_written(moved, pointer, chunk->usable);
    else
        memcpy(moved, pointer, grows ? chunk->usable : size);
    /* A chunk that outgrew its mapping will hardly need one of this size again. */
    if (chunk->zone == ZONE_LARGE && grows)
        large_free(chunk->start, false);
    else
        api_free_unseen(pointer);
    return moved;
}

/*
 * Returns true if a chunk with this room has no reason to move to another class: it holds the size,
 * uses more than half of its room then, and its state can tell the slack. See resize_in_place().
 */
static inline bool fits_well(size_t room, size_t size, size_t slack_max)
{
    return size <= room && room - size <= slack_max && size > room / 2;
}

/*
 * Fast path, without a look-up: a chunk of the caller's own arena stays where it is. Returns false
 * in any other case.
 */
static inline bool resize_own(struct cache *cache, uintptr_t address, size_t size)
{
    if (heap_owned(&cache->own_tiny, address, TINY_HEAP_SHIFT)) {
        const struct stack *stack = &cache->stacks.of[tiny_chunk_class(address)];

        /* Relaxed, here and below: the caller holds the chunk. */
        if (!tiny_lives(atomic_load_explicit(tiny_chunk_state(address), memory_order_relaxed)) ||
            (!fits_well(tiny_base_size(stack->live), size, TINY_SLACK_MAX) &&
             (size - 1 >= TINY_MAX || stack != cache_tiny_stack(cache, size))))
            return false;
        tiny_mark_live(address, stack->live, size);
        return true;
    }
    if (heap_owned(&cache->own_small, address, SMALL_HEAP_SHIFT)) {
        uint32_t seen = atomic_load_explicit(small_chunk_state(address), memory_order_relaxed);
        unsigned size_class = small_state_class(seen);

        if (!small_lives_at(seen, address) ||
            (!fits_well(size_classes[size_class].size, size, SMALL_SLACK_MAX) &&
             (size <= TINY_MAX || size > SMALL_MAX || size_class != spaced_class(size))))
            return false;
        small_mark_live(address, cache->stacks.of[size_class].live, size);
        return true;
    }
    return false;
}

/*
 * Fast path, if resize_own() returned false: moves a TINY chunk of the caller's own arena to one
 * that its stacks hold. Returns NULL in any other case, also if a mode watches frees, because the
 * thread's frees then use another cache.
 */
static inline void *move_own_tiny(struct cache *cache, void *pointer, size_t size)
{
    uintptr_t address = (uintptr_t)pointer;
    size_t room;
    void *moved;

    if (!heap_owned(&cache->own_tiny, address, TINY_HEAP_SHIFT) || size - 1 >= TINY_MAX ||
        cache != thread_to_free() ||
        !tiny_lives(atomic_load_explicit(tiny_chunk_state(address), memory_order_relaxed)))
        return NULL;
    moved = tiny_take(cache_tiny_stack(cache, size), size);
    if (moved == NULL)
        return NULL;
    room = tiny_base_size(cache->stacks.of[tiny_chunk_class(address)].live);
    /* Copies everything that malloc_usable_size() allowed. */
    memcpy(moved, pointer, size < room ? size : room);
    api_free(pointer);
    return moved;
}

/* Service, for a process that is not hardened. */
static void *realloc_any(void *pointer, size_t size)
{
    struct chunk chunk;
    void *resized;

    if (!lookup_live((uintptr_t)pointer, &chunk)) {
        report_misuse("realloc()", (uintptr_t)pointer);
        return NULL;
    }
    if (size == 0) {
        api_free_unseen(pointer);
        return NULL;
    }
    if (unlikely(chunk.guarded))
        return guarded_realloc(&chunk, size, __builtin_frame_address(0));
    resized = resize_in_place(&chunk, size) ? pointer : move(pointer, &chunk, size);
    note_resized(&chunk, (uintptr_t)resized, size);
    return resized;
}

void *api_realloc_to(void *pointer, size_t size, void *moved)
{
    struct chunk chunk;

    if (!lookup_live((uintptr_t)pointer, &chunk)) {
        api_free_any(moved);
        return NULL;
    }
    memcpy(moved, pointer, size < chunk.usable ? size : chunk.usable);
    api_free_unseen(pointer);
    return moved;
}

void *api_realloc(void *pointer, size_t size)
{
    if (pointer == NULL)
        return api_alloc_slow(size);
    return hardened() ? hardened_realloc(pointer, size) : realloc_any(pointer, size);
}

/*
 * Returns whether realloc() of the chunk need only be counted: the new one is no sample, and nor is
 * the old one, because no sample is in a heap of the thread's own arena.
 */
static inline bool only_counted(struct cache *cache, uintptr_t address, size_t size)
{
    return size - 1 < SMALL_MAX && watched_may_count(size) &&
           (heap_owned(&cache->own_tiny, address, TINY_HEAP_SHIFT) ||
            heap_owned(&cache->own_small, address, SMALL_HEAP_SHIFT));
}

static __attribute__((noinline)) void *realloc_watched(void *pointer, size_t size)
{
    void *chunk = pointer == NULL ? watched_take_counted(size) : NULL;

    if (chunk != NULL)
        return chunk;
    return only_counted(thread_counted(), (uintptr_t)pointer, size)
               ? watched_realloc_counted(pointer, size)
               : watched_realloc(pointer, size);
}

static __attribute__((noinline)) void *realloc_slow(void *pointer, size_t size)
{
    if (api_allocations_watched())
        return realloc_watched(pointer, size);
    return api_realloc(pointer, size);
}

void *ft_realloc(void *pointer, size_t size)
{
    void *moved;

    if (pointer == NULL) {
        pointer = api_take(thread_to_malloc(), size);
        return likely(pointer != NULL) ? pointer : realloc_slow(NULL, size);
    }
    if (resize_own(thread_to_malloc(), (uintptr_t)pointer, size) ||
        (size > SMALL_MAX && !options_every_call_slow() &&
         large_grow_within((uintptr_t)pointer, size)))
        return pointer;
    moved = move_own_tiny(thread_to_malloc(), pointer, size);
    return moved != NULL ? moved : realloc_slow(pointer, size);
}

void *own_realloc(void *pointer, size_t size) OWN_NAME_OF(realloc);

void *ft_reallocarray(void *pointer, size_t count, size_t size)
{
    size_t total;

    if (__builtin_mul_overflow(count, size, &total))
        return api_allocations_watched() ? watched_realloc(pointer, SIZE_MAX) : api_no_memory();
    /*
     * The C library's reallocarray() calls realloc(), so it serves programs that have a realloc()
     * of their own.
     */
    if (unlikely(in_force_replaced(IN_FORCE_REALLOC)))
        return in_force_realloc(pointer, total);
    return own_realloc(pointer, total);
}

/*
 * Returns the usable size of a live chunk of the caller's own arena, without a look-up; 0 for any
 * other pointer.
 */
static inline size_t usable_of_own(struct cache *cache, uintptr_t address)
{
    if (heap_owned(&cache->own_tiny, address, TINY_HEAP_SHIFT)) {
        /* Relaxed, here and below: the caller holds the chunk. */
        bool live =
            tiny_lives(atomic_load_explicit(tiny_chunk_state(address), memory_order_relaxed));

        return live ? size_classes[tiny_chunk_class(address)].size : 0;
    }
    if (heap_owned(&cache->own_small, address, SMALL_HEAP_SHIFT)) {
        uint32_t seen = atomic_load_explicit(small_chunk_state(address), memory_order_relaxed);

        return small_lives_at(seen, address) ? size_classes[small_state_class(seen)].size : 0;
    }
    return 0;
}

size_t ft_malloc_usable_size(void *pointer)
{
    size_t usable = usable_of_own(thread_self.cache, (uintptr_t)pointer);
    struct chunk chunk;

    /* Servers ask with each call, to know how much they use. */
    if (likely(usable != 0))
        return usable;
    if (pointer == NULL)
        return 0;
    if (!lookup_live((uintptr_t)pointer, &chunk)) {
        report_misuse("malloc_usable_size()", (uintptr_t)pointer);
        return 0;
    }
    return hardened() ? hardened_usable_size(&chunk) : chunk.usable;
}
