/*
 * malloc and calloc. Read the file downward, as a size travels. ft_malloc() pops a TINY chunk from
 * the thread's stack, api_malloc_small() a SMALL one. If a SMALL stack is empty,
 * malloc_small_slow() may take a chunk from the stack of a larger class. Otherwise, and if the size
 * is LARGE, api_malloc_slow() asks api_alloc_any(), which gets the chunk from the arena
 * (cache_alloc() refills the stack: bin -> slab -> heap -> os), or gives it a mapping of its own
 * (large_alloc()).
 */
#include "api/api.h"

#include "api/hardened.h"
#include "api/watched.h"
#include "base/control.h"
#include "large/large.h"

#include <errno.h>
#include <string.h>

API void *ft_calloc(size_t count, size_t size) SYMBOL(calloc)
    __attribute__((malloc, alloc_size(1, 2)));

void *ft_malloc(size_t size)
{
    void *chunk;

    if (unlikely(size > TINY_MAX))
        return api_malloc_small(size);
    chunk = tiny_take(tiny_stack_at(&thread_self.to_malloc, size), size);
    return likely(chunk != NULL) ? chunk : api_malloc_tiny_slow(size);
}

void *own_malloc(size_t size) OWN_NAME_OF(malloc);

static __attribute__((noinline)) void *malloc_small_slow(size_t size)
{
    void *chunk = size <= SMALL_MAX ? small_borrow(&thread_self.to_malloc, size) : NULL;

    return chunk != NULL ? chunk : api_malloc_slow(size);
}

/* For more than TINY_MAX bytes. Returns NULL if the stack is empty, or the size LARGE. */
static inline void *take_small_or_null(size_t size)
{
    return likely(size <= SMALL_MAX)
               ? small_take(small_stack_at(&thread_self.to_malloc, size), size)
               : NULL;
}

/*
 * Kept out of line, because inlining it would make the hit path of the TINY sizes save registers.
 */
__attribute__((noinline)) void *api_malloc_small(size_t size)
{
    void *chunk = take_small_or_null(size);

    return likely(chunk != NULL) ? chunk : malloc_small_slow(size);
}

static __attribute__((noinline)) void *malloc_any(size_t size)
{
    return hardened() ? hardened_malloc(size) : api_alloc_any(size, NULL);
}

static __attribute__((noinline)) void *malloc_slower(size_t size)
{
    return modes_malloc_slow() ? watched_malloc(size) : malloc_any(size);
}

static __attribute__((noinline)) void *malloc_for_stats(size_t size)
{
    void *chunk = watched_take_for_stats(EVENT_MALLOC, size);

    return chunk != NULL ? chunk : malloc_slower(size);
}

/*
 * A profile makes every call come here, so it is looked for first. Each of these ends in a tail
 * call, so that none saves registers that only the next one needs.
 */
__attribute__((noinline)) void *api_malloc_slow(size_t size)
{
    void *chunk = watched_take_counted(size);

    return likely(chunk != NULL) ? chunk : malloc_for_stats(size);
}

__attribute__((noinline)) void *api_malloc_tiny_slow(size_t size)
{
    void *chunk = watched_take_tiny(size);

    return likely(chunk != NULL) ? chunk : malloc_for_stats(size);
}

static __attribute__((noinline)) void *calloc_any(size_t size)
{
    bool clean;
    void *chunk = api_alloc_any(size, &clean);

    if (chunk != NULL && !clean)
        memset(chunk, 0, size);
    return chunk;
}

static __attribute__((noinline)) void *calloc_slow(size_t size)
{
    void *chunk = watched_take_counted(size);

    if (chunk == NULL)
        chunk = watched_take_for_stats(EVENT_CALLOC, size);
    if (chunk != NULL)
        return memset(chunk, 0, size);
    if (hardened())
        return hardened_calloc(size);
    return modes_malloc_slow() ? watched_calloc(size) : calloc_any(size);
}

/* Out of line for the reason of api_malloc_small(). */
static __attribute__((noinline)) void *calloc_small(size_t size)
{
    void *chunk = take_small_or_null(size);

    return likely(chunk != NULL) ? memset(chunk, 0, size) : calloc_slow(size);
}

void *ft_calloc(size_t count, size_t size)
{
    struct stack *stack;
    size_t total;
    void *chunk;

    if (__builtin_mul_overflow(count, size, &total))
        total = SIZE_MAX; /* which every allocator refuses */
    if (total > TINY_MAX)
        return calloc_small(total);
    stack = tiny_stack_at(&thread_self.to_malloc, total);
    chunk = stack_pop(stack);
    if (unlikely(chunk == NULL))
        return calloc_slow(total);
    tiny_mark_live((uintptr_t)chunk, stack->live, total);
    return memset(chunk, 0, total);
}

void *own_calloc(size_t count, size_t size) OWN_NAME_OF(calloc);

void *api_no_memory(void)
{
    errno = ENOMEM;
    return NULL;
}

__attribute__((noinline)) void *api_alloc_slow(size_t size)
{
    return hardened() ? hardened_alloc(size, 1) : api_alloc_any(size, NULL);
}

/* Unused heaps may be in the way of a LARGE chunk. */
static void *large_alloc_with_room(size_t size, bool *clean)
{
    void *chunk = large_alloc(size, 1, clean);
    struct cache *cache = chunk == NULL && size > SMALL_MAX ? cache_enter() : NULL;
    size_t released = 0;

    if (cache != NULL) {
        released = cache_release(cache);
        cache_leave(cache);
    }
    return released > 0 ? large_alloc(size, 1, clean) : chunk;
}

/*
 * Takes a LARGE chunk from the thread's own stash, or registers a new one with it, if the thread
 * has a cache of its own. A thread that makes no other calls gets its cache here, and notices here
 * that a mode was switched off.
 */
static void *alloc_stashed(size_t size, bool *clean)
{
    struct cache *cache = thread_self.home == NULL ? cache_enter() : NULL;
    void *chunk;

    if (cache != NULL)
        cache_leave(cache);
    thread_reopen();
    control_poll();
    cache = thread_self.cache;
    if (cache == CACHE_NONE || size > PTRDIFF_MAX)
        return NULL;
    chunk = large_stash_take(&cache->stash, size);
    *clean = false;
    if (chunk != NULL)
        return chunk;
    chunk = large_alloc(size, 1, clean);
    if (chunk != NULL)
        large_stash_hand_out(&cache->stash, (uintptr_t)chunk);
    return chunk;
}

static void *alloc_in_heap(size_t size, bool *clean)
{
    struct cache *cache = cache_enter();
    void *chunk;

    if (cache == NULL)
        return NULL;
    chunk = cache_alloc(cache, size_class_of(size), size, clean);
    cache_leave(cache);
    return chunk;
}

__attribute__((noinline)) void *api_alloc_any(size_t size, bool *clean)
{
    bool unused;
    bool *large_clean = clean != NULL ? clean : &unused;
    void *chunk = size <= SMALL_MAX ? alloc_in_heap(size, clean) : alloc_stashed(size, large_clean);

    /*
     * A heap needs much address space at once. Where that is short, a mapping of a few pages may
     * still fit.
     */
    if (chunk == NULL && size <= PTRDIFF_MAX)
        chunk = large_alloc_with_room(size, large_clean);
    return chunk != NULL ? chunk : api_no_memory();
}
