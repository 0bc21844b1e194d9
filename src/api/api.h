/*
 * What the entry points share: their names, and the fast paths as inline functions. A fast path
 * that misses ends in a tail call, so that the hit needs no stack frame.
 */
#ifndef FT_API_API_H
#define FT_API_API_H

#include "arena/thread.h"

struct mallinfo; /* of <malloc.h> */

/*
 * Each public function is called ft_NAME in the sources, so that tools and debuggers find it, and
 * NAME for the linker. The build for tests keeps the prefix, so that a process can hold both
 * allocators.
 */
#ifdef FT_MALLOC_PREFIXED
#define SYMBOL(name)
#define SYMBOL_STRING(name) "ft_" #name
#else
#define SYMBOL(name) __asm__(#name)
#define SYMBOL_STRING(name) #name
#endif
#define API __attribute__((visibility("default")))

/*
 * The functions that others are built on. The second name of each is ours, whoever defines the
 * first one in this process: see in_force.h.
 */
API void *ft_malloc(size_t size) SYMBOL(malloc) __attribute__((malloc, alloc_size(1)));
API void ft_free(void *pointer) SYMBOL(free);
API void *ft_realloc(void *pointer, size_t size) SYMBOL(realloc) __attribute__((alloc_size(2)));
API void *ft_aligned_alloc(size_t align, size_t size) SYMBOL(aligned_alloc)
    __attribute__((malloc, alloc_align(1), alloc_size(2)));
void *own_malloc(size_t size) __attribute__((malloc, alloc_size(1)));
void own_free(void *pointer);
void *own_realloc(void *pointer, size_t size) __attribute__((alloc_size(2)));
void *own_aligned_alloc(size_t align, size_t size)
    __attribute__((malloc, nothrow, alloc_align(1), alloc_size(2)));
void *own_calloc(size_t count, size_t size) __attribute__((malloc, alloc_size(1, 2)));
void *own_memalign(size_t align, size_t size)
    __attribute__((malloc, alloc_align(1), alloc_size(2)));
int own_posix_memalign(void **result, size_t align, size_t size)
    __attribute__((leaf, nonnull, nothrow));
void *own_valloc(size_t size) __attribute__((malloc, alloc_size(1)));
void *own_pvalloc(size_t size) __attribute__((malloc));
int own_mallopt(int param, int val) __attribute__((leaf, nothrow));
struct mallinfo own_mallinfo(void) __attribute__((leaf, nothrow));

/* Defines own_NAME as a second name of the function whose symbol is NAME. */
#define OWN_NAME_OF(name) __attribute__((alias(SYMBOL_STRING(name))))

/*
 * A public function is a door: it tries the fast path, and if that misses emits one event and has
 * the work done by a service, which emits none. Services are what the public functions are built
 * on. All that return NULL have set errno to ENOMEM.
 */

/* The doors' slow halves: the fast paths of malloc and free end in tail calls of these. */
void *api_malloc_small(size_t size);
void *api_malloc_slow(size_t size);
void api_free_small(void *pointer);
void api_free_elsewhere(void *pointer);
void api_free_slow(void *pointer);

/*
 * For a caller who says the size or alignment of the chunk. These check it, and name `function` in
 * the report if it is wrong. They are called when the fast path has missed.
 */
void api_free_sized_slow(void *pointer, size_t size, const char *function);
void api_free_aligned_slow(void *pointer, size_t align, const char *function);
void api_free_aligned_sized(void *pointer, size_t align, size_t size, const char *function);

/* Service: serves a request that the stacks of the thread do not serve, by every means. */
void *api_alloc_slow(size_t size);

/*
 * Service for a process that is not hardened. If `clean` is not NULL, it says afterwards whether
 * the memory is zero.
 */
void *api_alloc_any(size_t size, bool *clean);

/* Service for a process that is not hardened: looks the pointer up, and frees or reports it. */
void api_free_any(void *pointer);

/* Service: allocates a chunk that is aligned to `align`, a power of two. */
void *api_alloc_aligned(size_t align, size_t size);

/*
 * Takes a chunk from a stack of the cache. Returns NULL, and leaves errno alone, if the stack is
 * empty or the case is not the usual one.
 */
void *api_take_aligned(struct cache *cache, size_t align, size_t size);

/* Returns the class for a request that needs `least` bytes, or SIZE_CLASSES if no class fits. */
unsigned api_aligned_class(size_t align, size_t size, size_t least);

/*
 * Begins a free whose caller says the size or the alignment: emits the event, and looks the chunk
 * up. Returns false if there is nothing to free, because the pointer is NULL or was reported.
 */
bool api_find_told(void *pointer, const size_t *size, const char *function, struct chunk *chunk);

/*
 * Reports what the caller says of a live chunk if it is wrong. `size` and `align` are NULL if the
 * caller does not say them.
 */
void api_check_told(const struct chunk *chunk, const size_t *size, const size_t *align,
                    const char *function);

/* Sets errno to ENOMEM and returns NULL. */
void *api_no_memory(void);

/*
 * Takes a chunk of at most TINY_MAX bytes from the stack of its class. Returns NULL if the stack is
 * empty.
 */
static inline void *tiny_take(struct cache *cache, size_t size)
{
    struct stack *stack = cache_tiny_stack(cache, size);
    void *chunk = stack_pop(stack);

    if (likely(chunk != NULL))
        tiny_mark_live((uintptr_t)chunk, stack->live, size);
    return chunk;
}

/*
 * Takes a chunk of more than TINY_MAX and at most SMALL_MAX bytes from the stack of its class.
 * Returns NULL if the stack is empty.
 */
static inline void *small_take(struct cache *cache, size_t size)
{
    struct stack *stack = &cache->stacks.of[spaced_class(size)];
    void *chunk = stack_pop(stack);

    if (likely(chunk != NULL))
        small_mark_live((uintptr_t)chunk, stack->live, size);
    return chunk;
}

/* Returns NULL if the stack is empty, or the size is that of a LARGE chunk. */
static inline void *api_take(struct cache *cache, size_t size)
{
    if (likely(size <= TINY_MAX))
        return tiny_take(cache, size);
    return size <= SMALL_MAX ? small_take(cache, size) : NULL;
}

/* Service: allocates a chunk of any size. */
static inline void *api_alloc(size_t size)
{
    void *chunk = api_take(thread_self.cache, size);

    return likely(chunk != NULL) ? chunk : api_alloc_slow(size);
}

/*
 * Frees the chunk at an aligned address in a TINY heap of the arena; with `sized`, only if it has
 * that size. Returns false, having done nothing, if there is no such live chunk or the stack is
 * full.
 */
static inline bool tiny_free(struct cache *cache, void *pointer, bool sized, size_t size)
{
    uintptr_t address = (uintptr_t)pointer;
    /* Relaxed, here and at the store: only the holder of a chunk touches its state. */
    uint8_t seen = atomic_load_explicit(tiny_state(address), memory_order_relaxed);
    struct stack *stack;

    if (unlikely(!tiny_lives(seen)))
        return false;
    stack = &cache->stacks.of[tiny_class_around(address)];
    if ((sized && unlikely(!tiny_has_size(seen, stack->live, size))) ||
        unlikely(!stack_push(stack, pointer)))
        return false;
    tiny_turn(address, seen, STATE_LIVE, STATE_FREE, memory_order_relaxed);
    return true;
}

/* Frees the chunk at an aligned address in a SMALL heap of the arena, like tiny_free(). */
static inline bool small_free(struct cache *cache, void *pointer, bool sized, size_t size)
{
    uintptr_t address = (uintptr_t)pointer;
    uint32_t seen = atomic_load_explicit(small_state(address), memory_order_relaxed);
    struct stack *stack;

    if (unlikely(!small_lives_at(seen, address)))
        return false;
    stack = &cache->stacks.of[small_state_class(seen)];
    if ((sized && unlikely(!small_has_size(seen, stack->live, address, size))) ||
        unlikely(!stack_push(stack, pointer)))
        return false;
    small_turn(address, seen, STATE_LIVE, STATE_FREE, memory_order_relaxed);
    return true;
}

/* The door of free(), and of the functions that mean the same by another name. */
static inline void api_free(void *pointer)
{
    struct cache *cache = thread_self.cache;

    if (unlikely(!heap_owned(&cache->own_tiny, (uintptr_t)pointer, TINY_HEAP_SHIFT)))
        api_free_small(pointer);
    else if (unlikely(!tiny_free(cache, pointer, false, 0)))
        api_free_any(pointer);
}

/*
 * Service for a process that is not hardened: frees a live chunk. While events are wanted no thread
 * has a fast path, so a thread that has one can use the door, which emits none then.
 */
static inline void api_free_unseen(void *pointer)
{
    if (likely(thread_self.cache != CACHE_NONE))
        api_free(pointer);
    else
        api_free_any(pointer);
}

#endif
