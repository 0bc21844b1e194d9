/*
 * The one walk over everything that is allocated: arena, heap, slab; empty chunks; guarded chunks;
 * LARGE chunks.
 * The listing, the sums, ft_malloc_visit() and ft_malloc_check() are its visitors.
 *
 * All threads go on meanwhile. The walker holds no lock while it calls a visitor, but the heap that
 * it is in is pinned (bins/heap_walk.h), so the heap's header stays readable. A chunk that is live
 * during the whole walk is in exactly one slab, region or mapping that is visited; a chunk that is
 * free during the whole walk is not reported as live.
 */
#ifndef FT_DEBUG_WALK_H
#define FT_DEBUG_WALK_H

#include "arena/arena.h"
#include "bins/chunk.h"
#include "large/large.h"

struct walk_slab {
    struct heap *heap;
    struct slab *slab;
    /* As it was read when the walker came to the slab: see walk_same_slab(). */
    uint64_t identity;
    const struct size_class *shape;
    uintptr_t start; /* of its first chunk */
};

/* What to call. NULL: the visitor does not want to know. */
struct walk_visitor {
    /* Before the heaps of the arena. */
    void (*arena)(void *context, struct arena *arena);
    /* Before the slabs of the heap. */
    void (*heap)(void *context, struct heap *heap);
    void (*slab)(void *context, const struct walk_slab *slab);
    /* A range of address space for empty chunks, before those that are live in it. */
    void (*region)(void *context, uintptr_t start, size_t size);
    void (*empty)(void *context, uintptr_t address);
    /* A live LARGE chunk. */
    void (*large)(void *context, const struct large_info *info);
    /* A live chunk of FT_MALLOC_GUARD, of any zone. */
    void (*guarded)(void *context, const struct chunk *chunk);
};

/* The caller holds neither the structure lock nor the lock of the LARGE registry. */
void walk_all(const struct walk_visitor *visitor, void *context);

/* Visits the heaps and slabs of one arena only. */
void walk_arena(struct arena *arena, const struct walk_visitor *visitor, void *context);

/* A live chunk of a heap. */
struct walk_chunk {
    uintptr_t start;
    uint32_t requested;
    uint32_t usable;
};

/*
 * Stores the slab's live chunks in `out`, in the order of addresses, and returns how many there
 * are. `out` has room for shape->chunks of them. Returns 0 if the slab has ended meanwhile.
 */
unsigned walk_live(const struct walk_slab *slab, struct walk_chunk *out);

/*
 * Returns whether the states that were read since the walker came to the slab belong to it. If not,
 * no chunk of the slab was live throughout, and what was read says nothing. States are read with
 * acquire: one of the slab's next life shows that life's identity to the look in here.
 */
static inline bool walk_same_slab(const struct walk_slab *slab)
{
    /* Relaxed: the acquire of the states orders it. */
    return atomic_load_explicit(&slab->slab->identity, memory_order_relaxed) == slab->identity;
}

#endif
