/*
 * free and its relatives. Read the file downward, as a pointer travels. ft_free() pushes a TINY
 * chunk of the thread's own arena on its stack, api_free_small() a SMALL one. For every other
 * pointer api_free_elsewhere() asks remote_free_known() whether it is a chunk of another arena in a
 * heap that the thread knows. If not, free_unknown() asks the heap map whose it is: a chunk of
 * another arena is collected for that by remote_free_aligned(), and a LARGE chunk may be kept in
 * the thread's stash. A pointer that none of them frees is looked up by api_free_any(), which frees
 * or reports it. A thread whose fast paths are off calls api_free_slow() instead of free_unknown().
 */
#include "api/api.h"

#include "api/hardened.h"
#include "api/in_force.h"
#include "api/watched.h"
#include "arena/apart.h"
#include "arena/fork.h"
#include "arena/lookup.h"
#include "arena/remote.h"
#include "debug/guard.h"
#include "debug/profile.h"
#include "debug/report.h"
#include "large/large.h"

#include <errno.h>

API void ft_cfree(void *pointer) SYMBOL(cfree);
API void ft_free_sized(void *pointer, size_t size) SYMBOL(free_sized);
API void ft_free_aligned_sized(void *pointer, size_t align, size_t size) SYMBOL(free_aligned_sized);

void ft_free(void *pointer)
{
    api_free(pointer);
}

void own_free(void *pointer) OWN_NAME_OF(free);

/* Frees a SMALL chunk of the thread's own arena. */
__attribute__((noinline)) void api_free_small(void *pointer, struct cache *cache)
{
    if (unlikely(!heap_owned(&cache->own_small, (uintptr_t)pointer, SMALL_HEAP_SHIFT)))
        api_free_elsewhere(pointer, cache);
    else if (unlikely(!small_free(cache, pointer, false, 0)))
        api_free_any(pointer);
}

/* Frees a chunk in a heap of the thread's arena that is not in the own-heap tables. */
static bool free_in_new_heap(struct cache *cache, void *pointer, uint16_t tag)
{
    bool freed = tag == cache->tiny_tag ? tiny_free(cache, pointer, false, 0)
                                        : small_free(cache, pointer, false, 0);

    /* Only a live chunk tells that the heap is not about to go. */
    if (freed && tag == cache->tiny_tag)
        own_heaps_enter(&cache->own_tiny, (uintptr_t)pointer, TINY_HEAP_SHIFT);
    else if (freed)
        own_heaps_enter(&cache->own_small, (uintptr_t)pointer, SMALL_HEAP_SHIFT);
    return freed;
}

/* Frees a LARGE chunk that this thread allocated. */
static bool free_stashed(struct cache *cache, void *pointer)
{
    profile_freed_elsewhere((uintptr_t)pointer);
    return large_stash_free(&cache->stash, (uintptr_t)pointer);
}

/* Frees a chunk that is in no heap that the thread knows, for a thread with a cache. */
static void free_unknown(void *pointer, struct cache *cache)
{
    bool aligned = (uintptr_t)pointer % CHUNK_ALIGN == 0;
    uint16_t tag = aligned ? heap_map_tag((uintptr_t)pointer) : TAG_NONE;
    bool freed;

    if (likely((tag & ~TAG_SMALL) != cache->tiny_tag && tag != TAG_NONE))
        freed = remote_free_aligned(cache, (uintptr_t)pointer, tag);
    else if (tag == TAG_NONE)
        freed = free_stashed(cache, pointer);
    else if (unlikely(arena_is_damaged(cache->arena)))
        /* After a fork, not all heaps of this arena are known yet. */
        freed = false;
    else
        freed = free_in_new_heap(cache, pointer, tag);
    if (!freed)
        api_free_any(pointer);
}

/* CACHE_NONE knows no heap, so all frees of a thread whose fast path is off come here. */
static __attribute__((noinline)) void free_not_known(void *pointer, struct cache *cache)
{
    if (unlikely(cache == CACHE_NONE))
        api_free_slow(pointer);
    else if (pointer != NULL) /* looking NULL up would make a page of the heap map memory */
        free_unknown(pointer, cache);
}

/* Frees a chunk that is in no heap of the own-heap tables. */
__attribute__((noinline)) void api_free_elsewhere(void *pointer, struct cache *cache)
{
    if (unlikely(!remote_free_known(cache, (uintptr_t)pointer, false, 0)))
        free_not_known(pointer, cache);
}

__attribute__((noinline)) bool api_free_sized_elsewhere(void *pointer, size_t size,
                                                        struct cache *cache)
{
    return remote_free_known(cache, (uintptr_t)pointer, true, size);
}

static void free_sample(const struct chunk *chunk)
{
    profile_freed(chunk->start);
    apart_free(chunk);
}

/* Frees a live chunk of a heap of the threads. */
static void free_in_heap(const struct chunk *chunk)
{
    struct cache *cache = cache_enter_to_free();
    bool home = cache != NULL && chunk->arena == cache->arena;

    if (home && likely(!arena_is_damaged(cache->arena) || !arena_keep_for_repair(chunk)))
        cache_free(cache, chunk);
    if (cache != NULL)
        cache_leave(cache);
    if (!home)
        remote_free(cache, chunk);
}

/* large_free() looks the chunk up once, under the registry's lock. */
static void free_outside_heaps(uintptr_t address, void *frame)
{
    profile_freed_elsewhere(address);
    if (large_free(address, true) != LARGE_FREED && !guard_free(address, "free()", frame))
        report_misuse("free()", address);
}

__attribute__((noinline)) void api_free_any(void *pointer)
{
    uintptr_t address = (uintptr_t)pointer;
    struct chunk chunk;
    int saved_errno;

    if (pointer == NULL)
        return;
    saved_errno = errno;
    if (lookup_in_heaps(address, &chunk) != CHUNK_LIVE)
        free_outside_heaps(address, __builtin_frame_address(0));
    else if (unlikely(chunk.arena->apart))
        free_sample(&chunk);
    else
        free_in_heap(&chunk);
    errno = saved_errno;
}

/*
 * For a thread with a cache of its own. While calls are counted, chunks of other arenas have to
 * pass remote_free(), which counts them.
 */
static void free_own(struct cache *cache, void *pointer)
{
    bool freed = false;

    if (heap_owned(&cache->own_tiny, (uintptr_t)pointer, TINY_HEAP_SHIFT))
        freed = tiny_free(cache, pointer, false, 0);
    else if (heap_owned(&cache->own_small, (uintptr_t)pointer, SMALL_HEAP_SHIFT))
        freed = small_free(cache, pointer, false, 0);
    else if (likely(!mode_is_on(MODE_STATS))) {
        api_free_elsewhere(pointer, cache);
        return;
    }
    if (unlikely(!freed))
        api_free_any(pointer);
}

/*
 * For a thread whose fast path is off: it is hardened, a mode wants to see the call or has just
 * been switched off, or the thread has no cache of its own.
 */
static __attribute__((noinline)) void free_slower(void *pointer)
{
    if (hardened()) {
        hardened_free(pointer);
    } else if (modes_free_slow()) {
        watched_free(pointer);
    } else {
        thread_reopen();
        api_free_any(pointer);
    }
}

/* A hardened thread's fast path has no cache. */
__attribute__((noinline)) void api_free_slow(void *pointer)
{
    struct cache *cache = thread_self.cache;

    if (likely(cache != CACHE_NONE) && watched_free_for_stats(pointer))
        free_own(cache, pointer);
    else
        free_slower(pointer);
}

void api_free_unseen(void *pointer)
{
    if (likely(thread_self.cache != CACHE_NONE))
        free_own(thread_self.cache, pointer);
    else
        api_free_any(pointer);
}

bool api_find_told(void *pointer, const char *function, struct chunk *chunk)
{
    if (pointer == NULL)
        return false;
    if (lookup_live((uintptr_t)pointer, chunk))
        return true;
    report_misuse(function, (uintptr_t)pointer);
    return false;
}

void api_check_told(const struct chunk *chunk, const size_t *size, const size_t *align,
                    const char *function)
{
    if (size != NULL && *size != chunk->requested)
        report_wrong(function, FT_MALLOC_WRONG_SIZE, *size, chunk->start);
    if (align != NULL && ((*align & (*align - 1)) != 0 || (chunk->start & (*align - 1)) != 0))
        report_wrong(function, FT_MALLOC_WRONG_ALIGNMENT, *align, chunk->start);
}

/*
 * A TINY chunk that was to shrink when there was no memory to move it stays where it is, and its
 * state may not be able to express the smaller size.
 */
static bool size_unknown(const struct chunk *chunk, size_t size)
{
    return chunk->zone == ZONE_TINY && size < chunk->requested &&
           chunk->usable - chunk->requested == TINY_SLACK_MAX;
}

/*
 * Reports a live chunk that is not what the caller says, and frees it nevertheless, because the
 * caller meant it.
 */
void api_free_told(void *pointer, const size_t *size, const size_t *align, const char *function)
{
    struct chunk chunk;

    if (hardened()) {
        hardened_free_told(pointer, size, align, function);
        return;
    }
    if (!api_find_told(pointer, function, &chunk))
        return;
    if (size != NULL && size_unknown(&chunk, *size))
        size = NULL;
    api_check_told(&chunk, size, align, function);
    api_free_unseen(pointer);
}

static void free_sized_any(void *pointer, size_t size, const char *function)
{
    api_free_told(pointer, &size, NULL, function);
}

static void free_aligned_any(void *pointer, size_t align, const char *function)
{
    api_free_told(pointer, NULL, &align, function);
}

static void free_aligned_sized_any(void *pointer, size_t align, size_t size, const char *function)
{
    api_free_told(pointer, &size, &align, function);
}

/* Each of these ends in a tail call: see api/watched.h. */
__attribute__((noinline)) void api_free_sized_slow(void *pointer, size_t size, const char *function)
{
    if (hardened_free_hit(pointer, true, size))
        return;
    if (api_frees_watched())
        watched_free_told(pointer, size, 0, TOLD_SIZE, function);
    else
        free_sized_any(pointer, size, function);
}

__attribute__((noinline)) void api_free_aligned_slow(void *pointer, size_t align,
                                                     const char *function)
{
    if (api_frees_watched())
        watched_free_told(pointer, 0, align, TOLD_ALIGN, function);
    else
        free_aligned_any(pointer, align, function);
}

void api_free_aligned_sized(void *pointer, size_t align, size_t size, const char *function)
{
    if (api_frees_watched())
        watched_free_told(pointer, size, align, TOLD_SIZE | TOLD_ALIGN, function);
    else
        free_aligned_sized_any(pointer, align, size, function);
}

/*
 * Passes the pointer to the free() in force, if that is not ours: a program that has its own need
 * not define what the C library builds on it. Returns false if free() is ours.
 */
static bool pass_on(void *pointer)
{
    if (likely(in_force_operators_ours()) || !in_force_replaced(IN_FORCE_FREE))
        return false;
    in_force_free(pointer);
    return true;
}

void ft_cfree(void *pointer)
{
    if (!pass_on(pointer))
        api_free(pointer);
}

static __attribute__((noinline)) void free_sized_other(void *pointer, size_t size)
{
    struct cache *cache = thread_to_free();

    if (pass_on(pointer))
        return;
    if (heap_owned(&cache->own_small, (uintptr_t)pointer, SMALL_HEAP_SHIFT)
            ? !small_free(cache, pointer, true, size)
            : !api_free_sized_elsewhere(pointer, size, cache))
        api_free_sized_slow(pointer, size, "free_sized()");
}

void ft_free_sized(void *pointer, size_t size)
{
    /* Names no cache as long as free() may be another's: see pass_on(). */
    struct cache *cache = thread_to_delete();

    if (unlikely(!heap_owned(&cache->own_tiny, (uintptr_t)pointer, TINY_HEAP_SHIFT)) ||
        unlikely(!tiny_free(cache, pointer, true, size)))
        free_sized_other(pointer, size);
}

void ft_free_aligned_sized(void *pointer, size_t align, size_t size)
{
    if (!pass_on(pointer))
        api_free_aligned_sized(pointer, align, size, "free_aligned_sized()");
}
