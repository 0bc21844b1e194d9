/*
 * realloc() from and to guarded chunks. A guarded chunk has no room beyond its size, so it moves.
 */
#include "api/guarded.h"

#include "api/hardened.h"
#include "arena/lookup.h"
#include "bins/guard_pool.h"
#include "debug/guard.h"
#include "debug/report.h"

#include <errno.h>
#include <string.h>

/* Restores errno, because the caller gets memory after all. */
static void *stay(const struct chunk *chunk, size_t size, int saved_errno)
{
    guard_pool_shrink(chunk->start, size);
    errno = saved_errno;
    return pointer_to(chunk->start);
}

void *guarded_realloc(const struct chunk *chunk, size_t size, void *frame)
{
    int saved_errno = errno;
    void *moved = api_alloc_slow(size);

    if (moved == NULL)
        return size <= chunk->requested ? stay(chunk, size, saved_errno) : NULL;
    memcpy(moved, pointer_to(chunk->start), size < chunk->requested ? size : chunk->requested);
    if (!guard_free(chunk->start, "realloc()", frame))
        report_misuse("realloc()", chunk->start); /* another thread has freed it meanwhile */
    return moved;
}

/* In hardened mode the rest of the chunk is the canary; else the program may have used it. */
static size_t bytes_of(const struct chunk *chunk)
{
    return hardened() ? hardened_usable_size(chunk) : chunk->usable;
}

void *guarded_move(void *pointer, size_t size, void *frame)
{
    struct chunk chunk;
    size_t bytes;
    void *moved;

    if (!lookup_live((uintptr_t)pointer, &chunk))
        return NULL;
    moved = guard_take(size, 1, frame);
    if (moved == NULL)
        return NULL;
    bytes = bytes_of(&chunk);
    memcpy(moved, pointer, size < bytes ? size : bytes);
    if (hardened())
        hardened_free_found(&chunk, "realloc()");
    else
        api_free_unseen(pointer);
    return moved;
}
