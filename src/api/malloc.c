/*
 * malloc, free and calloc: the entry points, and the slow halves behind all the others. Read it
 * downward: api
 * -> arena -> bin -> slab; refill: bin -> heap -> os; LARGE: api -> large -> os.
 */
#include "api/api.h"

#include "api/harden.h"
#include "api/in_force.h"
#include "arena/fork.h"
#include "arena/lookup.h"
#include "arena/remote.h"
#include "base/canary.h"
#include "base/options.h"
#include "debug/report.h"
#include "large/large.h"
#include "os/os.h"

#include <errno.h>
#include <string.h>

API void *ft_calloc(size_t count, size_t size) SYMBOL(calloc)
    __attribute__((malloc, alloc_size(1, 2)));
API void ft_cfree(void *pointer) SYMBOL(cfree);
API void ft_free_sized(void *pointer, size_t size) SYMBOL(free_sized);
API void ft_free_aligned_sized(void *pointer, size_t align, size_t size) SYMBOL(free_aligned_sized);

void *api_no_memory(void)
{
    errno = ENOMEM;
    return NULL;
}

void api_count(enum call_kind kind, size_t bytes)
{
    struct arena *arena;

    if (likely(!options.stats))
        return;
    arena = arena_enter_to_free();
    if (arena == NULL)
        return;
    arena_count(arena, kind, 1);
    arena_count(arena, CALL_BYTES, bytes);
    arena_leave(arena);
}

/* Heaps that nobody uses any more may be in the way of a LARGE chunk. */
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
 * LARGE, from or for the thread's own stash, if it has an arena of its own and calls are not
 * counted.
 */
static void *alloc_stashed(size_t size, bool *clean)
{
    struct arena *arena = thread_self.home == NULL ? arena_enter() : NULL;
    void *chunk;

    /* A thread that makes no other calls has its arena from here. */
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

/* A request of any size, with every means. `clean`: NULL, or says whether the memory is zero. */
static __attribute__((noinline)) void *alloc_any(size_t size, enum call_kind kind, bool *clean)
{
    void *chunk = NULL;
    bool unused;

    if (unlikely(thread_hardened())) {
        chunk = harden_alloc(size, 1, clean != NULL ? clean : &unused);
    } else if (size <= SMALL_MAX) {
        struct arena *arena = arena_enter();

        if (arena != NULL) {
            chunk = arena_alloc(arena, size_class_of(size), size, clean);
            arena_leave(arena);
        }
    } else {
        chunk = alloc_stashed(size, clean != NULL ? clean : &unused);
    }
    /*
     * A heap needs much address space at once; where that is short, a mapping of a few pages may
     * still fit.
     */
    if (chunk == NULL && size <= PTRDIFF_MAX && !options.harden)
        chunk = large_alloc_with_room(size, clean != NULL ? clean : &unused);
    if (chunk == NULL)
        return api_no_memory();
    api_count(kind, size);
    return chunk;
}

__attribute__((noinline)) void *api_alloc_slow(size_t size, enum call_kind kind)
{
    void *chunk = harden_alloc_quick(size);

    return likely(chunk != NULL) ? chunk : alloc_any(size, kind, NULL);
}

__attribute__((noinline)) void *api_alloc_small(size_t size)
{
    void *chunk = likely(size <= SMALL_MAX) ? small_take(thread_self.arena, size) : NULL;

    return likely(chunk != NULL) ? chunk : api_alloc_slow(size, CALL_MALLOC);
}

static void *clear_from(void *chunk, size_t offset, size_t size)
{
    memset((char *)chunk + offset, 0, size - offset);
    return chunk;
}

__attribute__((noinline)) void *api_alloc_zeroed_slow(size_t size)
{
    bool clean;
    void *chunk = harden_alloc_quick(size);

    if (chunk != NULL) /* which was looked at, as far as that */
        return size <= CANARY_ZERO_MAX ? chunk : clear_from(chunk, CANARY_ZERO_MAX, size);
    chunk = alloc_any(size, CALL_CALLOC, &clean);
    return chunk != NULL && !clean ? memset(chunk, 0, size) : chunk;
}

/* Frees a live chunk of a heap. */
static void free_in_heap(const struct chunk *chunk)
{
    struct arena *arena = arena_enter_to_free();
    bool remote = chunk->arena != arena;

    if (remote)
        remote_free(arena, chunk);
    else if (likely(!arena_is_damaged(arena) || !arena_keep_for_repair(chunk)))
        arena_free(arena, chunk);
    if (arena != NULL)
        arena_leave(arena);
    if (remote)
        api_count(CALL_REMOTE, 0);
}

static void free_hardened(void *pointer, const char *function)
{
    struct chunk chunk;

    if (!lookup_live((uintptr_t)pointer, &chunk)) {
        report_misuse(function, (uintptr_t)pointer);
        return;
    }
    harden_free(&chunk, function);
    api_count(CALL_FREE, 0);
}

/* Of any kind, with every look that is needed. */
static __attribute__((noinline)) void free_any(void *pointer)
{
    uintptr_t address = (uintptr_t)pointer;
    struct chunk chunk;
    int saved_errno;
    bool freed;

    if (pointer == NULL)
        return;
    saved_errno = errno;
    if (unlikely(options.harden)) {
        free_hardened(pointer, "free()");
        errno = saved_errno;
        return;
    }
    freed = lookup_in_heaps(address, &chunk) == CHUNK_LIVE;
    if (freed)
        free_in_heap(&chunk);
    else
        freed = large_free(address, true) == LARGE_FREED; /* looks it up once, under its lock */
    if (freed)
        api_count(CALL_FREE, 0);
    else
        report_misuse("free()", address);
    errno = saved_errno;
}

__attribute__((noinline)) void api_free_slow(void *pointer)
{
    if (!harden_free_quick(pointer, false, 0))
        free_any(pointer);
}

/*
 * A TINY chunk that was to shrink when there was no memory to move it stays where it is, and its
 * state may not be able to say how much less is wanted.
 */
static bool size_unknown(const struct chunk *chunk, size_t size)
{
    return chunk->zone == ZONE_TINY && !options.harden && size < chunk->requested &&
           chunk->usable - chunk->requested == TINY_SLACK_MAX;
}

/*
 * A live chunk that is not what the caller says is reported, and freed nevertheless: it is what was
 * meant.
 */
static void free_checked(void *pointer, const size_t *size, const size_t *align,
                         const char *function)
{
    struct chunk chunk;

    if (pointer == NULL)
        return;
    if (!lookup_live((uintptr_t)pointer, &chunk)) {
        report_misuse(function, (uintptr_t)pointer);
        return;
    }
    if (size != NULL && *size != chunk.requested && !size_unknown(&chunk, *size))
        report_wrong(function, "size", *size, chunk.start);
    if (align != NULL && ((*align & (*align - 1)) != 0 || (chunk.start & (*align - 1)) != 0))
        report_wrong(function, "alignment", *align, chunk.start);
    api_free(pointer);
}

__attribute__((noinline)) void api_free_sized_slow(void *pointer, size_t size, const char *function)
{
    if (!harden_free_quick(pointer, true, size))
        free_checked(pointer, &size, NULL, function);
}

__attribute__((noinline)) void api_free_aligned_slow(void *pointer, size_t align,
                                                     const char *function)
{
    free_checked(pointer, NULL, &align, function);
}

void api_free_aligned_sized(void *pointer, size_t align, size_t size, const char *function)
{
    free_checked(pointer, &size, &align, function);
}

/* Of another arena, of ours but not in the tables, LARGE, or nothing. */
__attribute__((noinline)) void api_free_elsewhere(void *pointer)
{
    struct arena *arena = thread_self.arena;
    bool aligned = (uintptr_t)pointer % CHUNK_ALIGN == 0;
    uint16_t tag = aligned ? heap_map_tag((uintptr_t)pointer) : TAG_NONE;
    bool freed = false;

    /* After a fork, not all heaps of ours are known. */
    if (unlikely(arena_is_damaged(arena)))
        freed = false;
    else if (tag == arena->tiny_tag)
        freed = tiny_free(arena, pointer, false, 0);
    else if (tag == arena->small_tag)
        freed = small_free(arena, pointer, false, 0);
    else if (tag != TAG_NONE)
        freed = remote_free_aligned(arena, (uintptr_t)pointer, tag);
    else
        freed = large_stash_free(&arena->stash, (uintptr_t)pointer);
    if (!freed)
        api_free_slow(pointer);
}

__attribute__((noinline)) void api_free_other(void *pointer)
{
    struct arena *arena = thread_self.arena;

    if (unlikely(!heap_owned(arena->own_small, (uintptr_t)pointer, SMALL_HEAP_SHIFT))) {
        if (arena == ARENA_NONE)
            api_free_slow(pointer);
        else
            api_free_elsewhere(pointer);
    } else if (unlikely(!small_free(arena, pointer, false, 0)))
        api_free_slow(pointer);
}

void *ft_malloc(size_t size)
{
    return api_alloc(size);
}

void *own_malloc(size_t size) OWN_NAME_OF(malloc);

void ft_free(void *pointer)
{
    api_free(pointer);
}

void own_free(void *pointer) OWN_NAME_OF(free);

void *ft_calloc(size_t count, size_t size)
{
    struct bin *bin;
    size_t total;
    void *chunk;

    if (__builtin_mul_overflow(count, size, &total) || total > PTRDIFF_MAX)
        return api_no_memory();
    if (total > TINY_MAX)
        return api_alloc_zeroed_slow(total);
    bin = arena_tiny_bin(thread_self.arena, total);
    chunk = bin_pop(bin);
    if (unlikely(chunk == NULL))
        return api_alloc_zeroed_slow(total);
    tiny_mark_live((uintptr_t)chunk, bin->live, total);
    return memset(chunk, 0, total);
}

void *own_calloc(size_t count, size_t size) OWN_NAME_OF(calloc);

/*
 * What the C library builds on free() goes to the free() in force: a program that has its own need
 * not have these. False: it is ours.
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
    struct arena *arena = thread_self.arena;

    if (pass_on(pointer))
        return;
    if (!heap_owned(arena->own_small, (uintptr_t)pointer, SMALL_HEAP_SHIFT) ||
        !small_free(arena, pointer, true, size))
        api_free_sized_slow(pointer, size, "free_sized()");
}

void ft_free_sized(void *pointer, size_t size)
{
    /* No arena as long as free() may be another's: see pass_on(). */
    struct arena *arena = thread_self.operators;

    if (unlikely(!heap_owned(arena->own_tiny, (uintptr_t)pointer, TINY_HEAP_SHIFT)) ||
        unlikely(!tiny_free(arena, pointer, true, size)))
        free_sized_other(pointer, size);
}

void ft_free_aligned_sized(void *pointer, size_t align, size_t size)
{
    if (!pass_on(pointer))
        api_free_aligned_sized(pointer, align, size, "free_aligned_sized()");
}
