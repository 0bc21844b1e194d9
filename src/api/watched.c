/*
 * The calls while a mode is on: see watched.h for their steps.
 */
#include "api/watched.h"

#include "api/guarded.h"
#include "api/hardened.h"
#include "base/modes.h"
#include "debug/guard.h"

#include <errno.h>
#include <string.h>

/* A call that allocates. */
struct request {
    enum event_kind kind;
    size_t align; /* 0 or 1: none in particular */
    size_t size;
    void *frame;
};

/* Stores in *clean whether the memory is zero. */
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
    return likely(chunk != NULL) ? chunk : api_alloc_any(request->size, clean);
}

static void *take_guarded(const struct request *request)
{
    size_t align = request->align == 0 ? 1 : request->align;

    return mode_is_on(MODE_GUARD) && guard_due(request->size, align)
               ? guard_take(request->size, align, request->frame)
               : NULL;
}

static void *take(const struct request *request)
{
    bool clean = true;
    void *chunk = take_guarded(request);

    if (likely(chunk == NULL))
        chunk = serve(request, &clean);
    if (request->kind == EVENT_CALLOC && chunk != NULL && !clean)
        memset(chunk, 0, request->size);
    return chunk;
}

static void emit(const struct request *request, void *pointer, void *old)
{
    struct event event = {.kind = request->kind,
                          .pointer = pointer,
                          .old = old,
                          .size = request->size,
                          .frame = request->frame};

    if (mode_is_on(MODES_OF_EVENTS))
        event_deliver(&event);
}

static void *attempt(const struct request *request)
{
    void *chunk = take(request);

    if (likely(chunk != NULL))
        emit(request, chunk, NULL);
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

static void *resize(const struct request *request, void *pointer)
{
    void *moved = NULL;

    if (request->size == SIZE_MAX)
        return api_no_memory();
    if (pointer == NULL)
        return take(request);
    if (request->size != 0 && mode_is_on(MODE_GUARD) && guard_due(request->size, 1))
        moved = guarded_move(pointer, request->size, request->frame);
    return moved != NULL ? moved : api_realloc(pointer, request->size);
}

void *watched_realloc(void *pointer, size_t size)
{
    struct request request = {EVENT_REALLOC_BEGINS, 0, size, __builtin_frame_address(0)};
    void *resized;

    if (pointer != NULL)
        emit(&request, NULL, pointer);
    request.kind = EVENT_REALLOC;
    resized = resize(&request, pointer);
    emit(&request, resized, pointer);
    return resized;
}

static void emit_free(void *pointer, size_t size, void *frame)
{
    emit(&(struct request){EVENT_FREE, 0, size, frame}, NULL, pointer);
}

static void free_chunk(void *pointer)
{
    if (hardened())
        hardened_free_any(pointer);
    else
        api_free_unseen(pointer);
}

void watched_free(void *pointer)
{
    emit_free(pointer, 0, __builtin_frame_address(0));
    free_chunk(pointer);
}

void watched_free_told(void *pointer, size_t size, size_t align, unsigned told,
                       const char *function)
{
    emit_free(pointer, (told & TOLD_SIZE) != 0 ? size : 0, __builtin_frame_address(0));
    api_free_told(pointer, (told & TOLD_SIZE) != 0 ? &size : NULL,
                  (told & TOLD_ALIGN) != 0 ? &align : NULL, function);
}
