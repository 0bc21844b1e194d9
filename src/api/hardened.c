/*
 * Hardened mode: free in all its forms, and realloc.
 */
#include "api/hardened.h"

#include "api/guarded.h"
#include "api/watched.h"
#include "arena/fork.h"
#include "arena/lookup.h"
#include "arena/remote.h"
#include "base/report_line.h"
#include "bins/empty.h"
#include "debug/guard.h"
#include "debug/profile.h"
#include "debug/report.h"
#include "large/large.h"

#include <errno.h>
#include <string.h>

void hardened_check(const struct chunk *chunk, const char *function)
{
    const struct reported_chunk told = {
        .start = chunk->start, .zone = chunk->zone, .requested = chunk->requested};

    /* A chunk that ends where a guard begins has no canary. */
    if (chunk->requested == chunk->usable ||
        likely(canary_intact(chunk->start, chunk->requested, chunk->usable)))
        return;
    report_overflow(function, &told);
    canary_mend(chunk->start, chunk->requested, chunk->usable);
}

__attribute__((noinline)) void hardened_free_overflowed(struct cache *cache, uintptr_t address,
                                                        size_t requested, size_t usable)
{
    const struct reported_chunk told = {.start = address,
                                        .zone = usable <= TINY_MAX ? ZONE_TINY : ZONE_SMALL,
                                        .requested = requested};

    report_overflow("free()", &told);
    canary_mend(address, requested, usable);
    hardened_free_quick(cache, address, false, 0);
}

void hardened_free_longer(struct cache *cache, uintptr_t address, size_t requested,
                          unsigned size_class)
{
    uint8_t seen = atomic_load_explicit(tiny_chunk_state(address),
                                        /* relaxed: the caller holds the chunk */
                                        memory_order_relaxed);

    canary_wipe(address, requested, size_classes[size_class].size);
    /* Release: a chunk in state FREE is zero, also in the child of a fork. */
    tiny_turn(address, seen, STATE_LIVE, STATE_FREE, memory_order_release);
    chunk_quarantine_add(cache, address, size_class);
}

bool hardened_free_small(struct cache *cache, uintptr_t address, bool sized, size_t size)
{
    uint32_t seen = atomic_load_explicit(small_chunk_state(address),
                                         /* relaxed: the caller holds the chunk */
                                         memory_order_relaxed);
    size_t requested, usable;

    if (unlikely(!small_lives_at(seen, address)))
        return false;
    usable = size_classes[small_state_class(seen)].size;
    requested = usable - small_slack(seen);
    if (sized && unlikely(size != requested))
        return false;
    if (unlikely(!canary_intact(address, requested, usable))) {
        hardened_free_overflowed(cache, address, requested, usable);
        return true;
    }
    beside_check(address, usable);
    canary_wipe(address, requested, usable);
    /* Release: a chunk in state FREE is zero, also in the child of a fork. */
    small_turn(address, seen, STATE_LIVE, STATE_FREE, memory_order_release);
    chunk_quarantine_add(cache, address, small_state_class(seen));
    return true;
}

void hardened_give(struct cache *cache, const struct chunk *chunk, const char *function)
{
    hardened_check(chunk, function);
    beside_check(chunk->start, chunk->usable);
    canary_wipe(chunk->start, chunk->requested, chunk->usable);
    if (unlikely(arena_is_damaged(cache->arena)) && arena_keep_for_repair(chunk))
        return;
    chunk_mark(chunk, STATE_FREE);
    chunk_quarantine_add(cache, chunk->start, chunk->size_class);
}

/* For a live chunk of an arena that is not the caller's. The caller holds no lock. */
static void give_to_other(struct cache *cache, const struct chunk *chunk, const char *function)
{
    hardened_check(chunk, function);
    canary_wipe(chunk->start, chunk->requested, chunk->usable);
    remote_free(cache, chunk);
}

static void free_large(const struct chunk *chunk, const char *function)
{
    hardened_check(chunk, function);
    if (large_free(chunk->start, false) != LARGE_FREED)
        report_misuse(function, chunk->start); /* another thread has freed it meanwhile */
}

void hardened_free_found(const struct chunk *chunk, const char *function)
{
    struct cache *cache;
    bool home;

    profile_freed_elsewhere(chunk->start);
    if (unlikely(chunk->guarded)) {
        if (!guard_free(chunk->start, function, __builtin_frame_address(0)))
            report_misuse(function, chunk->start); /* another thread has freed it meanwhile */
        return;
    }
    if (chunk->usable == 0) {
        if (!empty_free(chunk->start))
            report_misuse(function, chunk->start); /* another thread has freed it meanwhile */
        return;
    }
    if (chunk->zone == ZONE_LARGE) {
        free_large(chunk, function);
        return;
    }
    cache = cache_enter_to_free();
    home = cache != NULL && chunk->arena == cache->arena;
    if (home)
        hardened_give(cache, chunk, function);
    if (cache != NULL)
        cache_leave(cache);
    if (!home)
        give_to_other(cache, chunk, function);
}

/* Frees the chunk at the pointer, or reports it. Keeps errno. */
void hardened_free_any(void *pointer)
{
    int saved_errno = errno;
    struct chunk chunk;

    if (pointer == NULL)
        return;
    if (lookup_live((uintptr_t)pointer, &chunk))
        hardened_free_found(&chunk, "free()");
    else
        report_misuse("free()", (uintptr_t)pointer);
    errno = saved_errno;
}

__attribute__((noinline)) void hardened_free_slow(void *pointer)
{
    if (modes_free_slow()) {
        watched_free(pointer);
    } else {
        thread_reopen();
        hardened_free_any(pointer);
    }
}

void hardened_free_told(void *pointer, const size_t *size, const size_t *align,
                        const char *function)
{
    struct chunk chunk;

    if (!api_find_told(pointer, function, &chunk))
        return;
    api_check_told(&chunk, size, align, function);
    hardened_free_any(pointer);
}

/* Changes the size in place. Returns how many bytes the chunk then has, or 0 if it has to move. */
static size_t resize(const struct chunk *chunk, size_t size)
{
    if (chunk->zone != ZONE_LARGE)
        return size < chunk->usable && size > chunk->usable / 2 && chunk_resize(chunk, size)
                   ? chunk->usable
                   : 0;
    if (size < SMALL_MAX && size < chunk->requested)
        return 0;
    return large_resize_guarded(chunk->start, size);
}

static bool resize_in_place(const struct chunk *chunk, size_t size)
{
    size_t usable, from, end;

    hardened_check(chunk, "realloc()");
    usable = resize(chunk, size);
    if (usable == 0)
        return false;
    /*
     * Clears the old canary and what a smaller request leaves behind, because free memory is zero.
     */
    from = size < chunk->requested ? size : chunk->requested;
    end = chunk->requested + canary_length(chunk->requested, chunk->usable);
    if (end > usable)
        end = usable;
    if (from < end)
        memset((char *)pointer_to(chunk->start) + from, 0, end - from);
    if (size < usable)
        canary_set(chunk->start, size, usable);
    return true;
}

/* Copies only what was requested, because the canary is behind it. */
static void *move(void *pointer, const struct chunk *chunk, size_t size)
{
    bool goes_on = size >= SMALL_MAX && size > chunk->usable && chunk->usable > SMALL_MAX / 2;
    void *moved = goes_on ? hardened_alloc_growing(size) : hardened_take_hit(size);

    if (moved == NULL && !goes_on)
        moved = hardened_alloc(size, 1);
    if (moved == NULL)
        return NULL;
    memcpy(moved, pointer, size < chunk->requested ? size : chunk->requested);
    if (!hardened_free_hit(pointer, false, 0))
        hardened_free_any(pointer);
    return moved;
}

void *hardened_realloc(void *pointer, size_t size)
{
    struct chunk chunk;

    if (!lookup_live((uintptr_t)pointer, &chunk)) {
        report_misuse("realloc()", (uintptr_t)pointer);
        return NULL;
    }
    if (size == 0) {
        hardened_free_any(pointer);
        return NULL;
    }
    if (unlikely(chunk.guarded))
        return guarded_realloc(&chunk, size, __builtin_frame_address(0));
    return resize_in_place(&chunk, size) ? pointer : move(pointer, &chunk, size);
}

size_t hardened_usable_size(const struct chunk *chunk)
{
    return chunk->requested; /* the canary is behind the requested bytes */
}
