/*
 * malloc and calloc. Read the file downward, as a size travels. ft_malloc() pops a TINY chunk from
 * the thread's stack, api_malloc_small() a SMALL one. If the stack is empty or the size is LARGE,
 * api_malloc_slow() asks api_alloc_any(), which gets the chunk from the arena (arena_alloc()
 * refills the stack: bin -> slab -> heap -> os), or gives it a mapping of its own (large_alloc()).
 */
#include "api/api.h"

#include "api/hardened.h"
#include "debug/event.h"
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
    chunk = tiny_take(thread_self.arena, size);
    return likely(chunk != NULL) ? chunk : api_malloc_slow(size);
}

void *own_malloc(size_t size) OWN_NAME_OF(malloc);

/*
 * Kept out of line, because inlining it would make the hit path of the TINY sizes save registers.
 */
__attribute__((noinline)) void *api_malloc_small(size_t size)
{
    void *chunk = likely(size <= SMALL_MAX) ? small_take(thread_self.arena, size) : NULL;

    return likely(chunk != NULL) ? chunk : api_malloc_slow(size);
}

__attribute__((noinline)) void *api_malloc_slow(size_t size)
{
    void *chunk;

    if (hardened())
        return hardened_malloc(size);
    chunk = api_alloc_any(size, NULL);
    event_emit(EVENT_MALLOC, chunk, NULL, size);
    return chunk;
}

static __attribute__((noinline)) void *calloc_slow(size_t size)
{
    bool clean;
    void *chunk;

    if (hardened())
        return hardened_calloc(size);
    chunk = api_alloc_any(size, &clean);
    if (chunk != NULL && !clean)
        memset(chunk, 0, size);
    event_emit(EVENT_CALLOC, chunk, NULL, size);
    return chunk;
}

void *ft_calloc(size_t count, size_t size)
{
    struct bin *bin;
    size_t total;
    void *chunk;

    if (__builtin_mul_overflow(count, size, &total))
        total = SIZE_MAX; /* which every allocator refuses */
    if (total > TINY_MAX)
        return calloc_slow(total);
    bin = arena_tiny_bin(thread_self.arena, total);
    chunk = bin_pop(bin);
    if (unlikely(chunk == NULL))
        return calloc_slow(total);
    tiny_mark_live((uintptr_t)chunk, bin->live, total);
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
    struct arena *arena = chunk == NULL && size > SMALL_MAX ? arena_enter() : NULL;
    size_t released = 0;

    if (arena != NULL) {
        released = arena_release(arena);
        arena_leave(arena);
    }
    return released > 0 ? large_alloc(size, 1, clean) : chunk;
}

/*
 * Takes a LARGE chunk from the thread's own stash, or registers a new one with it, if the thread
 * has an arena of its own and calls are not counted.
 */
static void *alloc_stashed(size_t size, bool *clean)
{
    struct arena *arena = thread_self.home == NULL ? arena_enter() : NULL;
    void *chunk;

    /* A thread that makes no other calls gets its arena here. */
    if (arena != NULL)
        arena_leave(arena);
    arena = thread_self.arena;
    if (arena == ARENA_NONE || size > PTRDIFF_MAX)
        return NULL;
    chunk = large_stash_take(&arena->stash, size);
    *clean = false;
    if (chunk != NULL)
        return chunk;
    chunk = large_alloc(size, 1, clean);
    if (chunk != NULL)
        large_stash_hand_out(&arena->stash, (uintptr_t)chunk);
    return chunk;
}

static void *alloc_in_heap(size_t size, bool *clean)
{
    struct arena *arena = arena_enter();
    void *chunk;

    if (arena == NULL)
        return NULL;
    chunk = arena_alloc(arena, size_class_of(size), size, clean);
    arena_leave(arena);
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
