/*
 * Aligned allocation. A chunk starts at a multiple of the largest power of two that divides its
 * size, so a class whose size is a multiple of the alignment serves the request. That holds up to
 * 256 KiB. A chunk with a larger alignment gets a mapping of its own.
 */
#include "api/api.h"

#include "api/hardened.h"
#include "api/watched.h"
#include "large/large.h"
#include "os/os.h"

#include <errno.h>

API void *ft_memalign(size_t align, size_t size) SYMBOL(memalign)
    __attribute__((malloc, alloc_align(1), alloc_size(2)));
API int ft_posix_memalign(void **result, size_t align, size_t size) SYMBOL(posix_memalign);
API void *ft_valloc(size_t size) SYMBOL(valloc) __attribute__((malloc, alloc_size(1)));
API void *ft_pvalloc(size_t size) SYMBOL(pvalloc) __attribute__((malloc));

/*
 * The smallest class whose size is a multiple of the alignment is the class of the least such
 * multiple. The sizes of a doubling are multiples of its step: if the step is the larger one, all
 * of them are aligned; else each multiple of the alignment is one of them.
 */
static inline unsigned aligned_class(size_t align, size_t size, size_t least)
{
    unsigned size_class = any_class(round_up(least + (least == 0), align));
    /*
     * A TINY state cannot express more slack. There is no branch, because nobody can predict which
     * requests these are.
     */
    unsigned untold =
        (size_class < TINY_CLASSES) & (size_classes[size_class].size - size > TINY_SLACK_MAX);

    /*
     * Such requests get the first class of SMALL, 1 KiB, which is a multiple of every alignment
     * that TINY has.
     */
    static_assert((TINY_CLASSES & (TINY_CLASSES + 1)) == 0,
                  "its number has every bit that a lower one has");
    return size_class | untold * TINY_CLASSES;
}

unsigned api_aligned_class(size_t align, size_t size, size_t least)
{
    /* Checks `size` too, because the largest value of all has no successor. */
    if (align > SMALL_MAX || size > SMALL_MAX || least > SMALL_MAX)
        return SIZE_CLASSES;
    /* A SMALL state cannot express the slack of the largest chunk when 0 bytes were requested. */
    if (size == 0 && align > SMALL_SLACK_MAX)
        return SIZE_CLASSES;
    return aligned_class(align, size, least);
}

/* Serves any alignment that is a power of two, and any size, if the process is not hardened. */
static void *aligned_any(size_t align, size_t size)
{
    unsigned size_class = api_aligned_class(align, size, size);
    struct cache *cache = size_class < SIZE_CLASSES ? cache_enter() : NULL;
    void *chunk = NULL;
    bool clean;

    if (cache != NULL) {
        chunk = cache_alloc_aligned(cache, size_class, size);
        cache_leave(cache);
    }
    if (chunk == NULL)
        chunk = large_alloc(size, align, &clean);
    return chunk != NULL ? chunk : api_no_memory();
}

static __attribute__((noinline)) void *aligned_slow(size_t align, size_t size)
{
    if (size > PTRDIFF_MAX)
        return api_no_memory();
    if (hardened())
        return hardened_alloc(size, align);
    return align <= CHUNK_ALIGN ? api_alloc(size) : aligned_any(align, size);
}

/*
 * Fast path: a chunk is in the stack of the class. Returns NULL otherwise, or if the alignment is
 * no power of two.
 */
static inline void *aligned_hit(struct cache *cache, size_t align, size_t size)
{
    struct stack *stack;
    void *chunk;

    if (unlikely(align - 1 >= SMALL_MAX || (align & (align - 1)) != 0 || size - 1 >= SMALL_MAX))
        return NULL;
    stack = &cache->stacks.of[aligned_class(align, size, size)];
    chunk = stack_pop(stack);
    if (likely(chunk != NULL))
        stack_mark_live(stack, (uintptr_t)chunk, size);
    return chunk;
}

void *api_take_aligned(struct cache *cache, size_t align, size_t size)
{
    return aligned_hit(cache, align, size);
}

void *api_alloc_aligned(size_t align, size_t size)
{
    void *chunk = aligned_hit(thread_self.cache, align, size);

    return likely(chunk != NULL) ? chunk : aligned_slow(align, size);
}

static bool power_of_two(size_t value)
{
    return value != 0 && (value & (value - 1)) == 0;
}

void *api_memalign(size_t align, size_t size)
{
    if (align > PTRDIFF_MAX / 2 + 1) {
        errno = EINVAL;
        return NULL;
    }
    if (!power_of_two(align))
        align = align <= 1 ? 1 : (size_t)1 << (64 - __builtin_clzl(align - 1));
    return api_alloc_aligned(align, size);
}

/* Does what watched_take_counted() does, for any alignment. */
static inline void *aligned_counted(size_t align, size_t size)
{
    void *chunk = watched_may_count(size) ? aligned_hit(thread_counted(), align, size) : NULL;

    if (likely(chunk != NULL))
        watched_count(size);
    return chunk;
}

static __attribute__((noinline)) void *memalign_slower(size_t align, size_t size)
{
    if (api_allocations_watched())
        return watched_aligned(align, size);
    return api_memalign(align, size);
}

static __attribute__((noinline)) void *memalign_slow(size_t align, size_t size)
{
    void *chunk = aligned_counted(align, size);

    return chunk != NULL ? chunk : memalign_slower(align, size);
}

static inline void *memalign_any(size_t align, size_t size)
{
    void *chunk = aligned_hit(thread_to_malloc(), align, size);

    return likely(chunk != NULL) ? chunk : memalign_slow(align, size);
}

void *ft_memalign(size_t align, size_t size)
{
    return memalign_any(align, size);
}

/*
 * Accepts any size and any alignment, as glibc did up to 2.37, where it was the same as memalign.
 */
void *ft_aligned_alloc(size_t align, size_t size)
{
    return memalign_any(align, size);
}

void *own_memalign(size_t align, size_t size) OWN_NAME_OF(memalign);
void *own_aligned_alloc(size_t align, size_t size) OWN_NAME_OF(aligned_alloc);

bool api_align_is_posix(size_t align)
{
    return power_of_two(align) && align % sizeof(void *) == 0;
}

static __attribute__((noinline)) int posix_memalign_any(void **result, size_t align, size_t size)
{
    int saved_errno = errno;
    void *chunk;

    if (!api_align_is_posix(align))
        return EINVAL;
    chunk = aligned_slow(align, size);
    errno = saved_errno;
    if (chunk == NULL)
        return ENOMEM;
    *result = chunk;
    return 0;
}

static __attribute__((noinline)) int posix_memalign_slower(void **result, size_t align, size_t size)
{
    if (api_allocations_watched())
        return watched_posix_memalign(result, align, size);
    return posix_memalign_any(result, align, size);
}

static __attribute__((noinline)) int posix_memalign_slow(void **result, size_t align, size_t size)
{
    void *chunk = align >= sizeof(void *) ? aligned_counted(align, size) : NULL;

    if (chunk == NULL)
        return posix_memalign_slower(result, align, size);
    *result = chunk;
    return 0;
}

int ft_posix_memalign(void **result, size_t align, size_t size)
{
    void *chunk =
        likely(align >= sizeof(void *)) ? aligned_hit(thread_to_malloc(), align, size) : NULL;

    if (unlikely(chunk == NULL))
        return posix_memalign_slow(result, align, size);
    *result = chunk;
    return 0;
}

void *ft_valloc(size_t size)
{
    return memalign_any(os_page_size(), size);
}

void *ft_pvalloc(size_t size)
{
    size_t page = os_page_size();

    if (size > PTRDIFF_MAX - page)
        return memalign_slow(page, SIZE_MAX);
    return memalign_any(page, round_up(size > 0 ? size : 1, page));
}

int own_posix_memalign(void **result, size_t align, size_t size) OWN_NAME_OF(posix_memalign);
void *own_valloc(size_t size) OWN_NAME_OF(valloc);
void *own_pvalloc(size_t size) OWN_NAME_OF(pvalloc);
