/*
 * The calls while a mode is on: see watched.h for their steps.
 */
#include "api/watched.h"

#include "api/guarded.h"
#include "api/hardened.h"
#include "arena/lookup.h"
#include "base/modes.h"
#include "debug/check.h"
#include "debug/guard.h"
#include "debug/limit.h"
#include "debug/mode_switch.h"
#include "debug/profile.h"

#include <errno.h>
#include <string.h>

/* A call that allocates. */
struct request {
    enum event_kind kind;
    size_t align; /* 0 or 1: none in particular */
    size_t size;
    void *frame;
};

/* A profile wants to know of samples that come from elsewhere, and of what moves. */
static bool wanted_by_profile(enum event_kind kind)
{
    return mode_is_on(MODE_PROFILE) && (unlikely(profile_self->pending) || kind == EVENT_REALLOC ||
                                        kind == EVENT_REALLOC_BEGINS);
}

static void emit(const struct request *request, void *pointer, void *old)
{
    struct event event = {.kind = request->kind,
                          .pointer = pointer,
                          .old = old,
                          .size = request->size,
                          .frame = request->frame};

    if (mode_is_on(MODES_OF_EVENTS) || wanted_by_profile(request->kind))
        event_deliver(&event);
}

/* How many bytes from its start the program may use of a chunk that may have a canary. */
static size_t usable(const struct chunk *chunk)
{
    return hardened() ? chunk->requested : chunk->usable;
}

/* Fills a new chunk, of which the first `done` bytes have their contents. */
static void fill_new(void *pointer, size_t done)
{
    struct chunk chunk;

    if (lookup_live((uintptr_t)pointer, &chunk) && usable(&chunk) > done)
        memset((char *)pointer + done, (int)mode_number(MODE_FILL, 0), usable(&chunk) - done);
}

/* Fills a live chunk that is about to be freed. */
static void fill_old(void *pointer)
{
    struct chunk chunk;

    if (lookup_live((uintptr_t)pointer, &chunk))
        memset(pointer, (int)mode_number(MODE_FILL, 1), usable(&chunk));
}

/* What the program asked for in a live chunk; 0 for any other pointer. */
static size_t requested(void *pointer)
{
    struct chunk chunk;

    return pointer != NULL && lookup_live((uintptr_t)pointer, &chunk) ? chunk.requested : 0;
}

/* Allocates as if no mode were on. Stores in *clean whether the memory is zero. */
static void *serve(const struct request *request, bool *clean)
{
    void *chunk;

    *clean = false;
    if (request->align > CHUNK_ALIGN)
        return api_memalign(request->align, request->size);
    if (unlikely(hardened())) {
        *clean = request->kind == EVENT_CALLOC;
        return *clean ? hardened_alloc_clear(request->size) : hardened_alloc(request->size, 1);
    }
    chunk = api_take(thread_self.cache, request->size);
    if (likely(chunk != NULL))
        return chunk;
    /* A call that does not ask whether the memory is zero fills the stack of the thread. */
    return api_alloc_any(request->size, request->kind == EVENT_CALLOC ? clean : NULL);
}

/* Stores in *clean whether the memory is zero. Serves no alignment that has to be rounded. */
static void *sample(const struct request *request, bool *clean)
{
    size_t align = request->align <= 1 ? 1 : request->align;
    void *chunk = NULL;

    if (request->size > PTRDIFF_MAX || (align & (align - 1)) != 0)
        return NULL;
    if (mode_is_on(MODE_GUARD) && unlikely(guard_due(request->size, align)))
        chunk = guard_take(request->size, align, request->frame);
    *clean = chunk != NULL;
    if (chunk == NULL && mode_is_on(MODE_PROFILE) && unlikely(profile_due(request->size)))
        chunk = profile_take(request->size, align, request->frame);
    return chunk;
}

static void *take(const struct request *request)
{
    bool clean = false;
    void *chunk = mode_is_on(MODE_GUARD | MODE_PROFILE) ? sample(request, &clean) : NULL;

    if (chunk == NULL)
        chunk = serve(request, &clean);
    if (chunk == NULL)
        return NULL;
    if (request->kind == EVENT_CALLOC && !clean)
        memset(chunk, 0, request->size);
    else if (request->kind != EVENT_CALLOC && unlikely(mode_is_on(MODE_FILL)))
        fill_new(chunk, 0);
    return chunk;
}

/* Returns whether a mode refuses a call that would allocate `size` bytes more. */
static bool refused(size_t size)
{
    if (mode_is_on(MODE_FAIL) && fail_due())
        return true;
    return mode_is_on(MODE_LIMIT) && !limit_take(size);
}

/*
 * Only these modes are not asked in the steps below: MODES_WAIT and MODE_CHECK come before them,
 * because they take locks that the calls take, too.
 */
static void before_call(void)
{
    if (unlikely(mode_is_on(MODES_WAIT)))
        mode_begin_waiting();
    if (unlikely(mode_is_on(MODE_CHECK)))
        check_now_and_then();
}

/* From now on, calls like this one are only counted, if all modes that are on can do with that. */
static void begin_to_count(void)
{
    unsigned on = atomic_load_explicit(&modes_on, memory_order_seq_cst); /* see thread_count() */

    if (thread_self.cache != CACHE_NONE && (on & ~(unsigned)(MODE_GUARD | MODE_PROFILE)) == 0 &&
        guard_may_count((on & MODE_GUARD) != 0) && profile_may_count((on & MODE_PROFILE) != 0))
        thread_count(on);
}

static void *attempt(const struct request *request)
{
    bool limited;
    void *chunk;

    before_call();
    limited = mode_is_on(MODE_LIMIT);
    if (mode_is_on(MODE_FAIL | MODE_LIMIT) && refused(request->size))
        return api_no_memory();
    chunk = take(request);
    if (unlikely(thread_counted() == CACHE_NONE))
        begin_to_count();
    if (likely(chunk != NULL))
        emit(request, chunk, NULL);
    else if (limited)
        limit_give(request->size);
    return chunk;
}

static void *allocate(const struct request *request)
{
    void *chunk = attempt(request);

    if (unlikely(chunk == NULL))
        emit(request, NULL, NULL);
    return chunk;
}

void *watched_attempt(enum event_kind kind, size_t align, size_t size, void *frame)
{
    return attempt(&(struct request){kind, align, size, frame});
}

void watched_failed(enum event_kind kind, size_t size, void *frame)
{
    emit(&(struct request){kind, 0, size, frame}, NULL, NULL);
}

void *watched_malloc(size_t size)
{
    return allocate(&(struct request){EVENT_MALLOC, 0, size, __builtin_frame_address(0)});
}

void *watched_calloc(size_t size)
{
    return allocate(&(struct request){EVENT_CALLOC, 0, size, __builtin_frame_address(0)});
}

void *watched_aligned(size_t align, size_t size)
{
    return allocate(&(struct request){EVENT_ALIGNED, align, size, __builtin_frame_address(0)});
}

int watched_posix_memalign(void **result, size_t align, size_t size)
{
    const struct request request = {EVENT_ALIGNED, align, size, __builtin_frame_address(0)};
    int saved_errno = errno;
    void *chunk = NULL;

    if (api_align_is_posix(align))
        chunk = allocate(&request);
    else
        emit(&request, NULL, NULL);
    errno = saved_errno;
    if (chunk == NULL)
        return api_align_is_posix(align) ? ENOMEM : EINVAL;
    *result = chunk;
    return 0;
}

static void free_chunk(void *pointer)
{
    if (hardened())
        hardened_free_any(pointer);
    else
        api_free_unseen(pointer);
}

/*
 * While freed memory is filled, a chunk always moves, so that the memory of the old one is filled,
 * and pointers to it are found out. Returns NULL if there is no memory.
 */
static void *move(const struct chunk *chunk, const struct request *request)
{
    bool clean;
    void *old = pointer_to(chunk->start), *moved = serve(request, &clean);
    size_t kept = request->size < usable(chunk) ? request->size : usable(chunk);

    if (moved == NULL)
        return NULL;
    memcpy(moved, old, kept);
    fill_new(moved, kept);
    fill_old(old);
    free_chunk(old);
    return moved;
}

/* A sample has to be where its free is seen. Returns NULL if the chunk need not move there. */
static void *move_to_sample(void *pointer, const struct request *request)
{
    void *chunk = profile_take(request->size, 1, request->frame);

    return chunk != NULL ? api_realloc_to(pointer, request->size, chunk) : NULL;
}

static void *resize(void *pointer, const struct request *request)
{
    struct chunk chunk;
    void *moved = NULL;
    bool due = request->size != 0 && mode_is_on(MODE_PROFILE) && profile_due(request->size);

    if (request->size > PTRDIFF_MAX)
        return api_no_memory();
    if (request->size != 0 && mode_is_on(MODE_GUARD) && unlikely(guard_due(request->size, 1)))
        moved = guarded_move(pointer, request->size, request->frame);
    if (moved == NULL && unlikely(mode_is_on(MODE_FILL)) &&
        lookup_live((uintptr_t)pointer, &chunk)) {
        if (request->size == 0)
            fill_old(pointer);
        else
            moved = move(&chunk, request);
    }
    if (moved == NULL && unlikely(due))
        moved = move_to_sample(pointer, request);
    return moved != NULL ? moved : api_realloc(pointer, request->size);
}

/*
 * The limit counts what the chunk has more than before. Afterwards it is set right, because a chunk
 * that cannot shrink may keep more than was asked for.
 */
static void *resize_limited(void *pointer, const struct request *request)
{
    size_t before = requested(pointer);
    size_t more = request->size > before ? request->size - before : 0;
    void *resized;

    if (!limit_take(more))
        return api_no_memory();
    resized = resize(pointer, request);
    if (resized != NULL)
        limit_give(before + more - requested(resized));
    else
        limit_give(request->size == 0 ? before : more);
    return resized;
}

static void *reallocate(void *pointer, const struct request *request)
{
    if (mode_is_on(MODE_FAIL) && request->size != 0 && fail_due())
        return api_no_memory();
    if (unlikely(mode_is_on(MODE_LIMIT)))
        return resize_limited(pointer, request);
    return resize(pointer, request);
}

void *watched_realloc(void *pointer, size_t size)
{
    struct request request = {EVENT_REALLOC_BEGINS, 0, size, __builtin_frame_address(0)};
    void *resized;

    if (pointer == NULL) {
        request.kind = EVENT_REALLOC;
        return allocate(&request);
    }
    before_call();
    emit(&request, NULL, pointer);
    request.kind = EVENT_REALLOC;
    resized = reallocate(pointer, &request);
    emit(&request, resized, pointer);
    return resized;
}

void *watched_realloc_counted(void *pointer, size_t size)
{
    watched_count(size);
    return api_realloc(pointer, size);
}

static void before_free(void *pointer, size_t size, void *frame)
{
    if (unlikely(mode_is_on(MODES_WAIT)))
        mode_begin_waiting();
    emit(&(struct request){EVENT_FREE, 0, size, frame}, NULL, pointer);
    if (unlikely(mode_is_on(MODE_LIMIT)))
        limit_give(requested(pointer));
    if (unlikely(mode_is_on(MODE_FILL)))
        fill_old(pointer);
}

void watched_free(void *pointer)
{
    before_free(pointer, 0, __builtin_frame_address(0));
    free_chunk(pointer);
}

void watched_free_told(void *pointer, size_t size, size_t align, unsigned told,
                       const char *function)
{
    before_free(pointer, (told & TOLD_SIZE) != 0 ? size : 0, __builtin_frame_address(0));
    api_free_told(pointer, (told & TOLD_SIZE) != 0 ? &size : NULL,
                  (told & TOLD_ALIGN) != 0 ? &align : NULL, function);
}
