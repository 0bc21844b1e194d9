/*
 * C++ operator delete, by its mangled names, and weak, so that a program's own replacements win.
 * operator_new.h says what counts as replaced. Each form first checks whether the chunk is one of
 * the thread's own arena. If not, its slow half passes the pointer to the form that this one is
 * built on, if that is another's.
 */
#ifndef FT_MALLOC_PREFIXED

#include "api/operator_new.h"

#include "api/api.h"
#include "api/in_force.h"

/* What forms without an alignment, or without a size, pass on in its place. */
enum { ANY_ALIGN = 1, NO_SIZE = 0 };

typedef void delete_next(void *pointer, size_t size, size_t align);

#define ALWAYS_INLINE static inline __attribute__((always_inline))
#define SLOW static __attribute__((noinline))

/* Returns true also if the alignment is none. */
ALWAYS_INLINE bool misaligned(void *pointer, size_t align)
{
    return (((uintptr_t)pointer | align) & (align - 1)) != 0;
}

/*
 * Frees a TINY chunk of the thread's own. `small` continues with a pointer to anything else, and
 * `slow` with a chunk that cannot be freed at once.
 */
ALWAYS_INLINE void delete_tiny(void *pointer, size_t size, size_t align, bool sized,
                               delete_next *small, delete_next *slow)
{
    struct cache *cache = thread_to_delete();

    if (unlikely(misaligned(pointer, align)))
        slow(pointer, size, align); // NOLINT: what comes first decides, so the branches are not one
    else if (unlikely(!heap_owned(&cache->own_tiny, (uintptr_t)pointer, TINY_HEAP_SHIFT)))
        small(pointer, size, align);
    else if (unlikely(!tiny_free(cache, pointer, sized, size)))
        slow(pointer, size, align);
}

/*
 * Frees a SMALL chunk of the thread's own arena, or a chunk of another arena.
 */
ALWAYS_INLINE void delete_small(void *pointer, size_t size, size_t align, bool sized,
                                delete_next *slow)
{
    struct cache *cache = thread_to_delete();

    if (unlikely(!heap_owned(&cache->own_small, (uintptr_t)pointer, SMALL_HEAP_SHIFT))) {
        if (!sized && cache != CACHE_NONE)
            api_free_elsewhere(pointer, cache);
        else if (!sized || !api_free_sized_elsewhere(pointer, size, cache))
            slow(pointer, size, align);
    } else if (unlikely(!small_free(cache, pointer, sized, size)))
        slow(pointer, size, align);
}

/* The forms that each form is built on. */
static enum in_force built_on(enum in_force what)
{
    switch (what) {
    case IN_FORCE_DELETE_ARRAY:
        return IN_FORCE_DELETE;
    case IN_FORCE_DELETE_ARRAY_ALIGNED:
        return IN_FORCE_DELETE_ALIGNED;
    default:
        return IN_FORCE_FREE;
    }
}

static void call(enum in_force what, void *pointer, size_t align)
{
    switch (what) {
    case IN_FORCE_DELETE:
        in_force_delete(pointer);
        break;
    case IN_FORCE_DELETE_ARRAY:
        in_force_delete_array(pointer);
        break;
    case IN_FORCE_DELETE_ALIGNED:
        in_force_delete_aligned(pointer, align);
        break;
    case IN_FORCE_DELETE_ARRAY_ALIGNED:
        in_force_delete_array_aligned(pointer, align);
        break;
    default:
        in_force_free(pointer);
    }
}

SLOW bool pass(enum in_force what, void *pointer, size_t align)
{
    while (what != IN_FORCE_FREE && !in_force_replaced(what))
        what = built_on(what);
    if (!in_force_replaced(what))
        return false;
    call(what, pointer, align);
    return true;
}

/*
 * Passes the pointer to the first of these forms that is replaced. Returns false if all are ours.
 */
static inline bool passed(enum in_force what, void *pointer, size_t align)
{
    return unlikely(!in_force_operators_ours()) && pass(what, pointer, align);
}

/* Called after a miss, which either was the cache's or happened because there is no cache yet. */
static inline void free_missed(struct cache *cache, void *pointer)
{
    if (cache != CACHE_NONE)
        api_free_any(pointer);
    else
        api_free(pointer);
}

static void free_aligned(void *pointer, size_t align, const char *function)
{
    if (misaligned(pointer, align))
        api_free_aligned_slow(pointer, align, function);
    else
        api_free(pointer);
}

/* The slow halves. Each is named after its form. */
SLOW void slow_delete(void *pointer, size_t size, size_t align)
{
    struct cache *cache = thread_to_delete();

    (void)size;
    if (!passed(IN_FORCE_FREE, pointer, align))
        free_missed(cache, pointer);
}

/* For delete[](p) and delete(p, nothrow). */
SLOW void slow_delete_array(void *pointer, size_t size, size_t align)
{
    struct cache *cache = thread_to_delete();

    (void)size;
    if (!passed(IN_FORCE_DELETE, pointer, align))
        free_missed(cache, pointer);
}

SLOW void slow_delete_array_nothrow(void *pointer, size_t size, size_t align)
{
    struct cache *cache = thread_to_delete();

    (void)size;
    if (!passed(IN_FORCE_DELETE_ARRAY, pointer, align))
        free_missed(cache, pointer);
}

SLOW void slow_delete_sized(void *pointer, size_t size, size_t align)
{
    if (!passed(IN_FORCE_DELETE, pointer, align))
        api_free_sized_slow(pointer, size, "operator delete()");
}

SLOW void slow_delete_array_sized(void *pointer, size_t size, size_t align)
{
    if (!passed(IN_FORCE_DELETE_ARRAY, pointer, align))
        api_free_sized_slow(pointer, size, "operator delete[]()");
}

SLOW void slow_delete_aligned(void *pointer, size_t size, size_t align)
{
    (void)size;
    if (!passed(IN_FORCE_FREE, pointer, align))
        free_aligned(pointer, align, "operator delete()");
}

SLOW void slow_delete_aligned_nothrow(void *pointer, size_t size, size_t align)
{
    (void)size;
    if (!passed(IN_FORCE_DELETE_ALIGNED, pointer, align))
        free_aligned(pointer, align, "operator delete()");
}

SLOW void slow_delete_array_aligned(void *pointer, size_t size, size_t align)
{
    (void)size;
    if (!passed(IN_FORCE_DELETE_ALIGNED, pointer, align))
        free_aligned(pointer, align, "operator delete[]()");
}

SLOW void slow_delete_array_aligned_nothrow(void *pointer, size_t size, size_t align)
{
    (void)size;
    if (!passed(IN_FORCE_DELETE_ARRAY_ALIGNED, pointer, align))
        free_aligned(pointer, align, "operator delete[]()");
}

SLOW void slow_delete_aligned_sized(void *pointer, size_t size, size_t align)
{
    if (!passed(IN_FORCE_DELETE_ALIGNED, pointer, align))
        api_free_aligned_sized(pointer, align, size, "operator delete()");
}

SLOW void slow_delete_array_aligned_sized(void *pointer, size_t size, size_t align)
{
    if (!passed(IN_FORCE_DELETE_ARRAY_ALIGNED, pointer, align))
        api_free_aligned_sized(pointer, align, size, "operator delete[]()");
}

/* The steps from TINY to SMALL. */
SLOW void small_delete(void *pointer, size_t size, size_t align)
{
    delete_small(pointer, size, align, false, slow_delete);
}

SLOW void small_delete_array(void *pointer, size_t size, size_t align)
{
    delete_small(pointer, size, align, false, slow_delete_array);
}

SLOW void small_delete_array_nothrow(void *pointer, size_t size, size_t align)
{
    delete_small(pointer, size, align, false, slow_delete_array_nothrow);
}

SLOW void small_delete_sized(void *pointer, size_t size, size_t align)
{
    delete_small(pointer, size, align, true, slow_delete_sized);
}

SLOW void small_delete_array_sized(void *pointer, size_t size, size_t align)
{
    delete_small(pointer, size, align, true, slow_delete_array_sized);
}

SLOW void small_delete_aligned(void *pointer, size_t size, size_t align)
{
    delete_small(pointer, size, align, false, slow_delete_aligned);
}

SLOW void small_delete_aligned_nothrow(void *pointer, size_t size, size_t align)
{
    delete_small(pointer, size, align, false, slow_delete_aligned_nothrow);
}

SLOW void small_delete_array_aligned(void *pointer, size_t size, size_t align)
{
    delete_small(pointer, size, align, false, slow_delete_array_aligned);
}

SLOW void small_delete_array_aligned_nothrow(void *pointer, size_t size, size_t align)
{
    delete_small(pointer, size, align, false, slow_delete_array_aligned_nothrow);
}

SLOW void small_delete_aligned_sized(void *pointer, size_t size, size_t align)
{
    delete_small(pointer, size, align, true, slow_delete_aligned_sized);
}

SLOW void small_delete_array_aligned_sized(void *pointer, size_t size, size_t align)
{
    delete_small(pointer, size, align, true, slow_delete_array_aligned_sized);
}

/*
 * Plain, sized, nothrow, aligned, and their combinations. Arguments after the pointer are checked.
 */
OPERATOR void _ZdlPvm(void *pointer, size_t size);
OPERATOR void _ZdaPvm(void *pointer, size_t size);
OPERATOR void _ZdlPvRKSt9nothrow_t(void *pointer, const void *tag);
OPERATOR void _ZdaPvRKSt9nothrow_t(void *pointer, const void *tag);
OPERATOR void _ZdlPvmSt11align_val_t(void *pointer, size_t size, size_t align);
OPERATOR void _ZdaPvmSt11align_val_t(void *pointer, size_t size, size_t align);
OPERATOR void _ZdlPvSt11align_val_tRKSt9nothrow_t(void *pointer, size_t align, const void *tag);
OPERATOR void _ZdaPvSt11align_val_tRKSt9nothrow_t(void *pointer, size_t align, const void *tag);

void _ZdlPv(void *pointer)
{
    delete_tiny(pointer, NO_SIZE, ANY_ALIGN, false, small_delete, slow_delete);
}

void _ZdaPv(void *pointer)
{
    delete_tiny(pointer, NO_SIZE, ANY_ALIGN, false, small_delete_array, slow_delete_array);
}

void _ZdlPvm(void *pointer, size_t size)
{
    delete_tiny(pointer, size, ANY_ALIGN, true, small_delete_sized, slow_delete_sized);
}

void _ZdaPvm(void *pointer, size_t size)
{
    delete_tiny(pointer, size, ANY_ALIGN, true, small_delete_array_sized, slow_delete_array_sized);
}

void _ZdlPvRKSt9nothrow_t(void *pointer, const void *tag)
{
    (void)tag;
    delete_tiny(pointer, NO_SIZE, ANY_ALIGN, false, small_delete_array, slow_delete_array);
}

void _ZdaPvRKSt9nothrow_t(void *pointer, const void *tag)
{
    (void)tag;
    delete_tiny(pointer, NO_SIZE, ANY_ALIGN, false, small_delete_array_nothrow,
                slow_delete_array_nothrow);
}

void _ZdlPvSt11align_val_t(void *pointer, size_t align)
{
    delete_tiny(pointer, NO_SIZE, align, false, small_delete_aligned, slow_delete_aligned);
}

void _ZdaPvSt11align_val_t(void *pointer, size_t align)
{
    delete_tiny(pointer, NO_SIZE, align, false, small_delete_array_aligned,
                slow_delete_array_aligned);
}

void _ZdlPvSt11align_val_tRKSt9nothrow_t(void *pointer, size_t align, const void *tag)
{
    (void)tag;
    delete_tiny(pointer, NO_SIZE, align, false, small_delete_aligned_nothrow,
                slow_delete_aligned_nothrow);
}

void _ZdaPvSt11align_val_tRKSt9nothrow_t(void *pointer, size_t align, const void *tag)
{
    (void)tag;
    delete_tiny(pointer, NO_SIZE, align, false, small_delete_array_aligned_nothrow,
                slow_delete_array_aligned_nothrow);
}

void _ZdlPvmSt11align_val_t(void *pointer, size_t size, size_t align)
{
    delete_tiny(pointer, size, align, true, small_delete_aligned_sized, slow_delete_aligned_sized);
}

void _ZdaPvmSt11align_val_t(void *pointer, size_t size, size_t align)
{
    delete_tiny(pointer, size, align, true, small_delete_array_aligned_sized,
                slow_delete_array_aligned_sized);
}

void own_delete(void *pointer) OPERATOR_OWN(_ZdlPv);
void own_delete_array(void *pointer) OPERATOR_OWN(_ZdaPv);
void own_delete_aligned(void *pointer, size_t align) OPERATOR_OWN(_ZdlPvSt11align_val_t);
void own_delete_array_aligned(void *pointer, size_t align) OPERATOR_OWN(_ZdaPvSt11align_val_t);

#else

/* A translation unit must not be empty. */
typedef int operator_delete_is_not_prefixed;

#endif
