/*
 * What the entry points share: their names, and the fast paths as inline functions. A fast path that does not
 * hit ends in a tail call, so that the hit needs no stack frame.
 */
#ifndef FT_API_API_H
#define FT_API_API_H

#include "arena/thread.h"

/* Public functions carry a prefix in the build for tests, so that a process can hold both allocators. */
#ifdef FT_MALLOC_PREFIXED
#define API_NAME(name) ft_##name
#else
#define API_NAME(name) name
#endif
#define API __attribute__((visibility("default")))

/* The slow halves. They set errno to ENOMEM when they return NULL; api_free_slow() keeps it. */
void *api_alloc_slow(size_t size, enum call_kind kind);
void *api_alloc_zeroed_slow(size_t size);
void api_free_slow(void *pointer);

/* Aligned to `align`, a power of two. */
void *api_alloc_aligned(size_t align, size_t size);

/* The live chunk at the pointer, in any zone. False: there is none, and nothing was reported yet. */
bool api_find(const void *pointer, struct chunk *chunk);

/* Counts a call, if calls are counted. The caller has not entered an arena. */
void api_count(enum call_kind kind, size_t bytes);

/* Sets errno; returns NULL. */
void *api_no_memory(void);

static inline void *bin_pop(struct bin *bin)
{
    return bin->slots[--bin->count];
}

static inline void *small_alloc(size_t size)
{
    struct bin *bin;
    void *chunk;

    if (unlikely(size > SMALL_MAX))
        return api_alloc_slow(size, CALL_MALLOC);
    bin = &thread_self.arena->bins[spaced_class(size)];
    if (unlikely(bin->count == 0))
        return api_alloc_slow(size, CALL_MALLOC);
    chunk = bin_pop(bin);
    small_mark_live((uintptr_t)chunk, size);
    return chunk;
}

/* Kept out of line: with it inlined, the hit path of the TINY sizes needs registers saved. */
void *api_alloc_small(size_t size);

static inline void *api_alloc(size_t size)
{
    struct bin *bin;
    uint32_t count, slack;
    void *chunk;

    if (unlikely(size > TINY_MAX))
        return api_alloc_small(size);
    bin = arena_tiny_bin(thread_self.arena, size);
    count = bin->count;
    slack = bin->size - (uint32_t)size;
    if (unlikely(count == 0))
        return api_alloc_slow(size, CALL_MALLOC);
    chunk = bin->slots[count - 1];
    bin->count = count - 1;
    tiny_mark_live((uintptr_t)chunk, slack);
    return chunk;
}

/* What is no TINY chunk of the caller's own arena, or is not found at first sight. */
void api_free_other(void *pointer);

/* Frees a chunk in a TINY heap of the arena. False: it is none, or the stack is full, and nothing was done. */
static inline bool tiny_free(struct arena *arena, void *pointer)
{
    uintptr_t address = (uintptr_t)pointer;
    /* Relaxed, here and at the store: only the holder of a chunk touches its state. */
    _Atomic uint8_t *state = tiny_state(address);
    uint8_t what = atomic_load_explicit(state, memory_order_relaxed);
    struct bin *bin;
    void **slots;
    uint32_t count;

    if (unlikely((int8_t)what <= 0 || address % CHUNK_ALIGN != 0))
        return false;
    bin = &arena->bins[tiny_class_around(address)];
    count = bin->count;
    slots = bin->slots;
    if (unlikely(count >= bin->limit))
        return false;
    atomic_store_explicit(state, what ^ tiny_state_of(STATE_LIVE ^ STATE_FREE, 0), memory_order_relaxed);
    bin->count = count + 1;
    slots[count] = pointer;
    return true;
}

/* The same for SMALL. */
static inline bool small_free(struct arena *arena, void *pointer)
{
    uintptr_t address = (uintptr_t)pointer;
    struct small_slab *slab = small_slab(address);
    const struct size_class *class;
    uint64_t identity;
    uint32_t offset, index, state, count;
    struct bin *bin;
    void **slots;

    if (unlikely(slab == NULL))
        return false;
    identity = atomic_load_explicit(&slab->slab.identity, memory_order_relaxed); /* the owner's own */
    class = &size_classes[identity_class(identity)];
    offset = small_offset(identity, address);
    index = chunk_index(class, offset);
    bin = &arena->bins[identity_class(identity)];
    count = bin->count;
    slots = bin->slots;
    if (unlikely(index * class->size != offset || index >= class->chunks || count >= bin->limit))
        return false;
    state = atomic_load_explicit(&slab->state[index], memory_order_relaxed);
    if (unlikely((int32_t)state <= 0))
        return false;
    atomic_store_explicit(&slab->state[index], state ^ small_state_of(STATE_LIVE ^ STATE_FREE, 0),
                          memory_order_relaxed);
    bin->count = count + 1;
    slots[count] = pointer;
    return true;
}

static inline void api_free(void *pointer)
{
    struct arena *arena = thread_self.arena;

    if (unlikely(!heap_owned(arena->own_tiny, (uintptr_t)pointer, TINY_HEAP_SHIFT)))
        api_free_other(pointer);
    else if (unlikely(!tiny_free(arena, pointer)))
        api_free_slow(pointer);
}

#endif
