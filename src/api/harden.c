/*
 * The hardened calls.
 */
#include "api/harden.h"

#include "arena/hardened.h"
#include "base/canary.h"
#include "bins/empty.h"
#include "debug/report.h"
#include "large/large.h"

static void *alloc_in_heap(size_t size, size_t align)
{
    unsigned size_class = size < SMALL_MAX && align <= CHUNK_ALIGN
                              ? hardened_class(size)
                              : api_aligned_class(align, size, size + 1);
    struct arena *arena = size_class == SIZE_CLASSES ? NULL : arena_enter();
    void *chunk;

    if (arena == NULL)
        return NULL;
    chunk = hardened_alloc(arena, size_class, size);
    if (unlikely(chunk == NULL)) {
        /* Without memory, what is in quarantine has to do. */
        arena_release(arena);
        chunk = hardened_alloc(arena, size_class, size);
    }
    arena_leave(arena);
    return chunk;
}

/* A LARGE chunk of whole pages has none: a guard follows at once. */
static void set_canary(uintptr_t start, size_t size, size_t usable)
{
    if (size < usable)
        canary_set(start, size, usable);
}

/* A new LARGE chunk, or NULL. */
static void *with_canary(void *chunk, size_t size)
{
    struct large_info info;

    if (chunk != NULL && large_find((uintptr_t)chunk, &info))
        set_canary(info.start, size, info.usable);
    return chunk;
}

void *harden_alloc(size_t size, size_t align, bool *clean)
{
    void *chunk = size == 0 ? empty_alloc(align) : NULL;

    *clean = false;
    if (chunk == NULL)
        chunk = alloc_in_heap(size, align);
    if (chunk != NULL || size >= PTRDIFF_MAX)
        return chunk;
    return with_canary(large_alloc(size, align, clean), size);
}

void *harden_alloc_growing(size_t size)
{
    void *chunk =
        size >= PTRDIFF_MAX ? NULL : with_canary(large_alloc_growing_hardened(size), size);

    if (chunk == NULL)
        return api_no_memory();
    api_count(CALL_MALLOC, size);
    return chunk;
}

static void free_large(const struct chunk *chunk, const char *function)
{
    hardened_check(chunk, function);
    if (large_free(chunk->start, false) != LARGE_FREED)
        report_misuse(function, chunk->start); /* another thread was quicker */
}

void harden_free(const struct chunk *chunk, const char *function)
{
    struct arena *arena;

    if (chunk->usable == 0) {
        if (!empty_free(chunk->start))
            report_misuse(function, chunk->start); /* another thread was quicker */
        return;
    }
    if (chunk->zone == ZONE_LARGE) {
        free_large(chunk, function);
        return;
    }
    arena = arena_enter_to_free();
    hardened_free(arena, chunk, function);
    if (arena != NULL)
        arena_leave(arena);
    if (chunk->arena != arena)
        api_count(CALL_REMOTE, 0);
}

/* Changes the size; Returns how many bytes the chunk then has; 0: it has to move. */
static size_t resize(const struct chunk *chunk, size_t size)
{
    if (chunk->zone != ZONE_LARGE)
        return size < chunk->usable && size > chunk->usable / 2 && chunk_resize(chunk, size)
                   ? chunk->usable
                   : 0;
    if (size < SMALL_MAX && size < chunk->requested)
        return 0;
    return large_resize_hardened(chunk->start, size);
}

bool harden_resize(const struct chunk *chunk, size_t size)
{
    size_t usable, from, end;

    hardened_check(chunk, "realloc()");
    usable = resize(chunk, size);
    if (usable == 0)
        return false;
    /* The old canary, and what a smaller request leaves behind: free memory is zero. */
    from = size < chunk->requested ? size : chunk->requested;
    end = chunk->requested + canary_length(chunk->requested, chunk->usable);
    if (end > usable)
        end = usable;
    if (from < end)
        memset((char *)pointer_to(chunk->start) + from, 0, end - from);
    set_canary(chunk->start, size, usable);
    return true;
}
