/*
 * Aligned allocation. Slabs start at multiples of 16 KiB and chunks lie side by side in them, so a class whose
 * size is a multiple of the alignment serves it without waste; beyond 16 KiB it is a mapping of its own.
 */
#include "api/api.h"

#include "api/harden.h"
#include "debug/options.h"
#include "large/large.h"
#include "os/os.h"

#include <errno.h>

API void *API_NAME(aligned_alloc)(size_t align, size_t size)
    __attribute__((malloc, alloc_align(1), alloc_size(2)));
API void *API_NAME(memalign)(size_t align, size_t size)
    __attribute__((malloc, alloc_align(1), alloc_size(2)));
API int API_NAME(posix_memalign)(void **result, size_t align, size_t size);
API void *API_NAME(valloc)(size_t size) __attribute__((malloc, alloc_size(1)));
API void *API_NAME(pvalloc)(size_t size) __attribute__((malloc));

unsigned api_aligned_class(size_t align, size_t size, size_t least)
{
    unsigned class;

    /* `size` too: the largest of all has no successor. */
    if (align > UNIT_SIZE || size > SMALL_MAX || least > SMALL_MAX)
        return SIZE_CLASSES;
    for (class = size_class_of(least > align ? least : align); class < SIZE_CLASSES; class ++) {
        bool fits = (size_classes[class].size & (align - 1)) == 0;

        /* A TINY state cannot tell of more slack than this. */
        if (fits && (class >= TINY_CLASSES || size_classes[class].size - size <= TINY_SLACK_MAX))
            break;
    }
    return class;
}

static __attribute__((noinline)) void *aligned_slow(size_t align, size_t size, unsigned class)
{
    struct arena *arena = NULL;
    void *chunk = NULL;
    bool clean;

    if (size > PTRDIFF_MAX)
        return api_no_memory();
    if (unlikely(thread_hardened()))
        chunk = harden_alloc(size, align, &clean);
    else if (class < SIZE_CLASSES)
        arena = arena_enter();
    if (arena != NULL) {
        chunk = arena_alloc_aligned(arena, class, size);
        arena_leave(arena);
    }
    if (chunk == NULL && !options.harden)
        chunk = large_alloc(size, align, &clean);
    if (chunk == NULL)
        return api_no_memory();
    api_count(CALL_ALIGNED, size);
    return chunk;
}

void *api_alloc_aligned(size_t align, size_t size)
{
    unsigned class;
    struct bin *bin;
    void *chunk;

    if (align <= CHUNK_ALIGN && !options_every_call_slow())
        return api_alloc(size);
    class = api_aligned_class(align, size, size);
    if (unlikely(class == SIZE_CLASSES))
        return aligned_slow(align, size, class);
    bin = &thread_self.arena->bins.of[class];
    chunk = bin_pop(bin);
    if (unlikely(chunk == NULL))
        return aligned_slow(align, size, class);
    bin_mark_live(bin, (uintptr_t)chunk, size);
    return chunk;
}

static bool power_of_two(size_t value)
{
    return value != 0 && (value & (value - 1)) == 0;
}

/* As glibc: an alignment that is no power of two is rounded up to one. */
void *API_NAME(memalign)(size_t align, size_t size)
{
    if (align > PTRDIFF_MAX / 2 + 1) {
        errno = EINVAL;
        return NULL;
    }
    if (!power_of_two(align))
        align = align <= 1 ? 1 : (size_t)1 << (64 - __builtin_clzl(align - 1));
    return api_alloc_aligned(align, size);
}

/* As glibc, which has treated it like memalign up to 2.37: any size, any alignment. */
void *API_NAME(aligned_alloc)(size_t align, size_t size)
{
    return API_NAME(memalign)(align, size);
}

int API_NAME(posix_memalign)(void **result, size_t align, size_t size)
{
    int saved_errno = errno;
    void *chunk;

    if (!power_of_two(align) || align % sizeof(void *) != 0)
        return EINVAL;
    chunk = api_alloc_aligned(align, size);
    errno = saved_errno;
    if (chunk == NULL)
        return ENOMEM;
    *result = chunk;
    return 0;
}

void *API_NAME(valloc)(size_t size)
{
    return api_alloc_aligned(os_page_size(), size);
}

void *API_NAME(pvalloc)(size_t size)
{
    size_t page = os_page_size();

    if (size > PTRDIFF_MAX - page)
        return api_no_memory();
    return api_alloc_aligned(page, round_up(size > 0 ? size : 1, page));
}
