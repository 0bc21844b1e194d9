/*
 * The hardened calls.
 */
#include "api/harden.h"

#include "arena/hardened.h"
#include "debug/report.h"
#include "large/large.h"
#include "os/canary.h"

static void *alloc_in_heap(size_t size, size_t align)
{
    unsigned class = size < SMALL_MAX && align <= CHUNK_ALIGN ? hardened_class(size)
                                                              : api_aligned_class(align, size, size + 1);
    struct arena *arena = class == SIZE_CLASSES ? NULL : arena_enter();
    void *chunk;

    if (arena == NULL)
        return NULL;
    chunk = hardened_alloc(arena, class, size);
    arena_leave(arena);
    return chunk;
}

void *harden_alloc(size_t size, size_t align, bool *clean)
{
    void *chunk = alloc_in_heap(size, align);
    struct large_info info;

    *clean = false;
    if (chunk != NULL)
        return chunk;
    chunk = size < PTRDIFF_MAX ? large_alloc(size, align, clean) : NULL;
    if (chunk != NULL && large_find((uintptr_t)chunk, &info))
        canary_set(info.start, size, info.usable);
    return chunk;
}

static void free_large(const struct chunk *chunk, const char *function)
{
    hardened_check(chunk->start, chunk->requested, chunk->usable, function);
    if (large_free(chunk->start, false) != LARGE_FREED)
        report_misuse(function, chunk->start); /* another thread was quicker */
}

void harden_free(const struct chunk *chunk, const char *function)
{
    struct arena *arena;

    if (chunk->zone == ZONE_LARGE) {
        free_large(chunk, function);
        return;
    }
    arena = arena_enter_to_free();
    hardened_free(arena, chunk, function);
    if (arena != NULL)
        arena_leave(arena);
}

/* The old canary, and what a smaller request leaves behind: free memory is zero. */
static void wipe_from(const struct chunk *chunk, size_t offset)
{
    size_t end = chunk->requested + canary_length(chunk->requested, chunk->usable);

    memset((char *)chunk->start + offset, 0, end - offset); // NOLINT: an address becomes a pointer
}

bool harden_resize(const struct chunk *chunk, size_t size)
{
    bool stays;

    hardened_check(chunk->start, chunk->requested, chunk->usable, "realloc()");
    stays = chunk->zone == ZONE_LARGE
                ? size < chunk->usable && large_grow_within(chunk->start, size)
                : size < chunk->usable && size > chunk->usable / 2 && chunk_resize(chunk, size);
    if (!stays)
        return false;
    wipe_from(chunk, size < chunk->requested ? size : chunk->requested);
    canary_set(chunk->start, size, chunk->usable);
    return true;
}
