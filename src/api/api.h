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
void api_free_slow(void *pointer, const char *function);

/* Aligned to `align`, a power of two. */
void *api_alloc_aligned(size_t align, size_t size);

/* The live chunk at the pointer, in any zone. False: there is none, and nothing was reported yet. */
bool api_find(const void *pointer, struct chunk *chunk);

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
    void *chunk;

    if (unlikely(size > TINY_MAX))
        return api_alloc_small(size);
    bin = &thread_self.arena->bins[tiny_class(size)];
    if (unlikely(bin->count == 0))
        return api_alloc_slow(size, CALL_MALLOC);
    chunk = bin_pop(bin);
    tiny_mark_live((uintptr_t)chunk, bin->size - size);
    return chunk;
}

void api_free_small(void *pointer);

static inline void small_free(void *pointer)
{
    uintptr_t address = (uintptr_t)pointer;
    struct arena *arena = thread_self.arena;
    struct small_slab *slab;
    uint64_t identity;
    const struct size_class *class;
    uint32_t offset, index, state;
    struct bin *bin;

    if (unlikely(heap_map_own_tag(address) != arena->small_tag))
        goto slow;
    slab = small_slab(address);
    if (unlikely(slab == NULL))
        goto slow;
    identity = atomic_load_explicit(&slab->slab.identity, memory_order_relaxed); /* the owner's own */
    class = &size_classes[identity_class(identity)];
    offset = (uint32_t)(address & (SMALL_HEAP_SIZE - 1)) - identity_unit(identity) * UNIT_SIZE;
    index = chunk_index(class, offset);
    bin = &arena->bins[identity_class(identity)];
    if (unlikely(index * class->size != offset || index >= class->chunks || bin->count == bin->limit))
        goto slow;
    state = atomic_load_explicit(&slab->state[index], memory_order_relaxed);
    if (unlikely((int32_t)state <= 0))
        goto slow;
    atomic_store_explicit(&slab->state[index], state ^ small_state_of(STATE_LIVE ^ STATE_FREE, 0),
                          memory_order_relaxed);
    bin->slots[bin->count++] = pointer;
    return;
slow:
    api_free_slow(pointer, "free()");
}

static inline void api_free(void *pointer)
{
    uintptr_t address = (uintptr_t)pointer;
    struct arena *arena = thread_self.arena;
    _Atomic uint8_t *state;
    uint8_t what;
    struct bin *bin;

    if (unlikely(heap_map_own_tag(address) != arena->tiny_tag)) {
        api_free_small(pointer);
        return;
    }
    /* Relaxed, here and at the store: only the holder of a chunk touches its state. */
    state = tiny_state(address);
    what = atomic_load_explicit(state, memory_order_relaxed);
    bin = &arena->bins[atomic_load_explicit(tiny_unit_class(address), memory_order_relaxed)];
    if (unlikely((int8_t)what <= 0 || address % CHUNK_ALIGN != 0 || bin->count >= bin->limit)) {
        api_free_slow(pointer, "free()");
        return;
    }
    atomic_store_explicit(state, what ^ tiny_state_of(STATE_LIVE ^ STATE_FREE, 0), memory_order_relaxed);
    bin->slots[bin->count++] = pointer;
}

#endif
