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
 * A public function is a door: it tries the fast path, and if that misses has the work done by a
 * service. While a mode is on that wants to see the call, watched.h comes in between. Services are
 * what the public functions are built on; no mode sees them. All that return NULL have set errno to
 * ENOMEM.
 */

/* The doors' slow halves: the fast paths of malloc and free end in tail calls of these. */
void *api_malloc_small(size_t size);
void *api_malloc_slow(size_t size);
void *api_malloc_tiny_slow(size_t size);
void api_free_small(void *pointer, struct cache *cache);
void api_free_elsewhere(void *pointer, struct cache *cache);
void api_free_slow(void *pointer);

/*
 * Frees a chunk of another arena that has this size, for a thread with the cache, in a heap that
 * the thread knows. Returns false, having done nothing, in any other case.
 */
bool api_free_sized_elsewhere(void *pointer, size_t size, struct cache *cache);

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

/* Service for a process that is not hardened: does the same, by the thread's cache if it can. */
void api_free_unseen(void *pointer);

/* Service of realloc(). */
void *api_realloc(void *pointer, size_t size);

/*
 * Service for a process that is not hardened: moves a chunk to `moved`, a new chunk of that size,
 * and returns that. Frees `moved` and returns NULL if the pointer is that of no live chunk.
 */
void *api_realloc_to(void *pointer, size_t size, void *moved);

/* Service: allocates a chunk that is aligned to `align`, a power of two. */
void *api_alloc_aligned(size_t align, size_t size);

/*
 * Service of memalign(): rounds an alignment that is no power of two up to one, like glibc. Sets
 * errno to EINVAL if there is none.
 */
void *api_memalign(size_t align, size_t size);

/* Returns whether posix_memalign() accepts the alignment. */
bool api_align_is_posix(size_t align);

/*
 * Takes a chunk from a stack of the cache. Returns NULL, and leaves errno alone, if the stack is
 * empty or the case is not the usual one.
 */
void *api_take_aligned(struct cache *cache, size_t align, size_t size);

/* Returns the class for a request that needs `least` bytes, or SIZE_CLASSES if no class fits. */
unsigned api_aligned_class(size_t align, size_t size, size_t least);

/*
 * Begins a free whose caller says the size or the alignment: looks the chunk up. Returns false if
 * there is nothing to free, because the pointer is NULL or was reported.
 */
bool api_find_told(void *pointer, const char *function, struct chunk *chunk);

/* Service: frees a chunk of which the caller says something; NULL for what it does not say. */
void api_free_told(void *pointer, const size_t *size, const size_t *align, const char *function);

/*
 * Reports what the caller says of a live chunk if it is wrong. `size` and `align` are NULL if the
 * caller does not say them.
 */
void api_check_told(const struct chunk *chunk, const size_t *size, const size_t *align,
                    const char *function);

/*
 * Return whether a mode wants to see calls that allocate, or that free, also if this is the first
 * call of all. For slow halves.
 */
static inline bool api_allocations_watched(void)
{
    if (unlikely(thread_self.home == NULL))
        thread_runtime_init(NULL);
    return modes_malloc_slow();
}

static inline bool api_frees_watched(void)
{
    if (unlikely(thread_self.home == NULL))
        thread_runtime_init(NULL);
    return modes_free_slow();
}

/* Sets errno to ENOMEM and returns NULL. */
void *api_no_memory(void);

/*
 * Takes a chunk of at most TINY_MAX bytes from the stack of its class. Returns NULL if the stack is
 * empty.
 */
static inline void *tiny_take(struct stack *stack, size_t size)
{
    void *chunk = stack_pop(stack);

    if (likely(chunk != NULL))
        tiny_mark_live((uintptr_t)chunk, stack->live, size);
    return chunk;
}

/*
 * Takes a chunk of more than TINY_MAX and at most SMALL_MAX bytes from the stack of its class.
 * Returns NULL if the stack is empty.
 */
static inline void *small_take(struct stack *stack, size_t size)
{
    void *chunk = stack_pop(stack);

    if (likely(chunk != NULL))
        small_mark_live((uintptr_t)chunk, stack->live, size);
    return chunk;
}

/* Returns NULL if the stack is empty, or the size is that of a LARGE chunk. */
static inline void *api_take(struct cache *cache, size_t size)
{
    if (likely(size <= TINY_MAX))
        return tiny_take(cache_tiny_stack(cache, size), size);
    return size <= SMALL_MAX ? small_take(&cache->stacks.of[spaced_class(size)], size) : NULL;
}

/*
 * Returns the stack at an offset in the cache that one of the words of thread_self names. On x86-64
 * an addition can load the word, but compilers do not let it load an atomic one. In RDX, the stack
 * leaves RAX to the chunk.
 */
static inline __attribute__((always_inline)) struct stack *stack_at(_Atomic(struct cache *) *word,
                                                                    size_t offset)
{
#ifdef __x86_64__
    struct stack *stack;

    __asm__("addq %2, %0" : "=d"(stack) : "0"(offset), "m"(*word) : "cc");
    return stack;
#else
    /* relaxed: see thread_to_malloc() */
    struct cache *cache = atomic_load_explicit(word, memory_order_relaxed);

    return (struct stack *)(void *)((char *)cache + offset);
#endif
}

/* The stacks for a size of at most TINY_MAX, and for one above that of at most SMALL_MAX. */
static inline __attribute__((always_inline)) struct stack *
tiny_stack_at(_Atomic(struct cache *) *word, size_t size)
{
    return stack_at(word, offsetof(struct cache, stacks.of) + tiny_stack_offset(size));
}

static inline __attribute__((always_inline)) struct stack *
small_stack_at(_Atomic(struct cache *) *word, size_t size)
{
    return stack_at(word,
                    offsetof(struct cache, stacks.of) + spaced_class(size) * sizeof(struct stack));
}

/*
 * For an empty stack: takes a chunk from one of a larger class, without a lock. Returns NULL if
 * none may lend.
 */
static inline void *small_borrow(_Atomic(struct cache *) *word, size_t size)
{
    struct stack *lender = stack_lender_again(small_stack_at(word, size));

    return lender != NULL ? small_take(lender, size) : NULL;
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
    uint8_t seen = atomic_load_explicit(tiny_chunk_state(address), memory_order_relaxed);
    struct stack *stack;

    if (unlikely(!tiny_lives(seen)))
        return false;
    stack = &cache->stacks.of[tiny_chunk_class(address)];
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
    uint32_t seen = atomic_load_explicit(small_chunk_state(address), memory_order_relaxed);
    struct stack *stack;

    if (unlikely(!small_lives_at(seen, address)))
        return false;
    stack = stack_of_small(&cache->stacks, seen);
    if ((sized && unlikely(!small_has_size(seen, stack->live, address, size))) ||
        unlikely(!stack_push(stack, pointer)))
        return false;
    small_turn(address, seen, STATE_LIVE, STATE_FREE, memory_order_relaxed);
    return true;
}

/* The door of free(), and of the functions that mean the same by another name. */
static inline void api_free(void *pointer)
{
    struct cache *cache = thread_to_free();

    if (unlikely(!heap_owned(&cache->own_tiny, (uintptr_t)pointer, TINY_HEAP_SHIFT)))
        api_free_small(pointer, cache);
    else if (unlikely(!tiny_free(cache, pointer, false, 0)))
        api_free_any(pointer);
}

#endif
