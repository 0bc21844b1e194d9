/*
 * Hardened mode: malloc, calloc, and the allocation that the other calls are built on.
 */
#include "api/hardened.h"

#include "api/watched.h"
#include "arena/remote.h"
#include "base/report_line.h"
#include "bins/empty.h"
#include "large/large.h"

#include <string.h>

static void mark_live(const struct stack *stack, uintptr_t chunk, size_t requested)
{
    if (stack->size_class < TINY_CLASSES) {
        hardened_mark_tiny(chunk, size_classes[stack->size_class].size - requested);
        return;
    }
    small_mark_live(chunk, stack->live, requested);
    atomic_signal_fence(memory_order_seq_cst); /* see hardened_mark_tiny() */
}

__attribute__((noinline)) void *hardened_take_written(struct stack *stack, uintptr_t chunk,
                                                      size_t requested)
{
    report_corruption("memory written to after free: chunk", chunk);
    mark_live(stack, chunk, requested);
    canary_set(chunk, requested, size_classes[stack->size_class].size);
    return pointer_to(chunk);
}

/* Takes a chunk from the stack, if there is one. */
static inline void *take(struct stack *stack, size_t requested)
{
    size_t usable = size_classes[stack->size_class].size;
    uintptr_t chunk = (uintptr_t)stack_pop(stack);

    if (unlikely(chunk == 0))
        return NULL;
    __builtin_prefetch(stack->top[-1], 1); /* see hardened_take_tiny() */
    if (unlikely(!canary_zero(chunk, usable)))
        return hardened_take_written(stack, chunk, requested);
    mark_live(stack, chunk, requested);
    canary_set(chunk, requested, usable);
    return pointer_to(chunk);
}

void *hardened_take_small(struct cache *cache, size_t size)
{
    return take(&cache->stacks.of[spaced_class(size + 1)], size);
}

void *hardened_take(struct cache *cache, unsigned size_class, size_t requested)
{
    struct stack *stack = &cache->stacks.of[size_class];

    if (stack_count(stack) == 0)
        remote_receive(cache, stack);
    if (stack_count(stack) == 0 && !stack_refill(stack, &cache->random))
        return NULL;
    return take(stack, requested);
}

static void *alloc_in_heap(size_t size, size_t align)
{
    unsigned size_class = size < SMALL_MAX && align <= CHUNK_ALIGN
                              ? hardened_class(size)
                              : api_aligned_class(align, size, size + 1);
    struct cache *cache = size_class == SIZE_CLASSES ? NULL : cache_enter();
    void *chunk;

    if (cache == NULL)
        return NULL;
    chunk = hardened_take(cache, size_class, size);
    if (unlikely(chunk == NULL)) {
        /* Without memory, the chunks in quarantine have to serve. */
        cache_release(cache);
        chunk = hardened_take(cache, size_class, size);
    }
    cache_leave(cache);
    return chunk;
}

/*
 * Returns a new LARGE chunk, or NULL. A chunk of whole pages has no canary, because a guard follows
 * at once.
 */
static void *with_canary(void *chunk, size_t size)
{
    struct large_info info;

    if (chunk != NULL && large_find((uintptr_t)chunk, &info) && size < info.usable)
        canary_set(info.start, size, info.usable);
    return chunk;
}

static void *alloc(size_t size, size_t align, bool *clean)
{
    void *chunk = size == 0 ? empty_alloc(align) : NULL;

    *clean = false;
    if (chunk == NULL)
        chunk = alloc_in_heap(size, align);
    if (chunk == NULL && size < PTRDIFF_MAX)
        chunk = with_canary(large_alloc(size, align, clean), size);
    return chunk != NULL ? chunk : api_no_memory();
}

void *hardened_alloc(size_t size, size_t align)
{
    bool clean;

    return alloc(size, align, &clean);
}

void *hardened_alloc_growing(size_t size)
{
    void *chunk = size >= PTRDIFF_MAX ? NULL : with_canary(large_alloc_growing_guarded(size), size);

    return chunk != NULL ? chunk : api_no_memory();
}

__attribute__((noinline)) void *hardened_malloc_slow(size_t size)
{
    return modes_malloc_slow() ? watched_malloc(size) : hardened_alloc(size, 1);
}

__attribute__((noinline)) void *hardened_alloc_clear(size_t size)
{
    bool clean;
    void *chunk = alloc(size, 1, &clean);

    if (chunk != NULL && !clean)
        memset(chunk, 0, size);
    return chunk;
}

__attribute__((noinline)) void *hardened_calloc_slow(size_t size)
{
    return modes_malloc_slow() ? watched_calloc(size) : hardened_alloc_clear(size);
}
