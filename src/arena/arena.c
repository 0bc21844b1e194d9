/*
 * Creating arenas, and the slow half of allocating from one.
 */
#include "arena/arena.h"

#include "arena/chunk_quarantine.h"
#include "arena/fork.h"
#include "arena/remote.h"
#include "base/clock.h"
#include "base/secret.h"
#include "base/structure_lock.h"
#include "bins/slab_pages.h"
#include "bins/space.h"
#include "large/large.h"
#include "os/os.h"

_Atomic(struct arena *) arena_list;

static bool enlist(struct arena *arena)
{
    struct arena *newest;
    bool fits;

    structure_lock_write();
    /* relaxed: the lock orders it */
    newest = atomic_load_explicit(&arena_list, memory_order_relaxed);
    arena->id = newest == NULL ? 1 : newest->id + 1;
    fits = arena->id <= ARENA_ID_MAX;
    if (fits) {
        arena->next = newest;
        arena->tiny_tag = (uint16_t)arena->id;
        arena->small_tag = (uint16_t)(arena->id | TAG_SMALL);
        heap_set_init(&arena->tiny, arena, arena->own_tiny, arena->tiny_tag, false, large_trim);
        heap_set_init(&arena->small, arena, arena->own_small, arena->small_tag, true, large_trim);
        /* Release: whoever walks the list finds the arena complete. */
        atomic_store_explicit(&arena_list, arena, memory_order_release);
    }
    structure_unlock();
    return fits;
}

struct arena *arena_create(enum arena_use use)
{
    size_t head = round_up(sizeof(struct arena), 64);
    size_t size = round_up(head + bins_slots() * sizeof(void *), os_page_size());
    struct arena *arena = space_map_arena(size);

    if (arena == NULL)
        return NULL;
    bins_init(&arena->bins, (void **)(void *)((char *)arena + head), &arena->tiny, &arena->small);
    arena->random = secret_word ^ secret_scramble((uintptr_t)arena + clock_now());
    pthread_mutex_init(&arena->lock, NULL);
    pthread_mutex_init(&arena->repair_lock, NULL);
    /* relaxed: no other thread knows the arena yet */
    atomic_store_explicit(&arena->use, use, memory_order_relaxed);
    if (!enlist(arena)) {
        os_unmap(arena, size);
        return NULL;
    }
    return arena;
}

/*
 * Refills an empty stack from the slabs. With `clean` it takes the chunk straight from a slab,
 * which knows whether the memory is zero.
 */
static void *alloc_from_slab(struct bin *bin, bool *clean)
{
    if (clean != NULL)
        return bin_take_one(bin, clean);
    return bin_refill(bin, NULL) ? bin_pop(bin) : NULL;
}

/*
 * Takes a chunk from the bin of a larger class that lends one. `anything` is described at
 * bin_lender(). Stores in *bin which one served.
 */
static void *borrow(struct bin **bin, bool anything)
{
    struct bin *lender = bin_lender(*bin, anything);

    if (lender == *bin || (bin_count(lender) == 0 && !bin_refill(lender, NULL)))
        return NULL;
    *bin = lender;
    return bin_pop(lender);
}

/* With `lend`, a chunk of a larger class will do if that spares fresh memory. */
static void *alloc(struct arena *arena, struct bin *bin, size_t requested, bool lend, bool *clean)
{
    void *chunk = bin_pop(bin);

    if (clean != NULL)
        *clean = false;
    if (chunk == NULL) {
        remote_receive(arena);
        chunk = bin_pop(bin);
    }
    if (chunk == NULL && lend)
        chunk = borrow(&bin, false);
    if (chunk == NULL)
        chunk = alloc_from_slab(bin, clean);
    if (unlikely(chunk == NULL)) {
        arena_release(arena);
        chunk = alloc_from_slab(bin, clean);
        if (chunk == NULL && lend)
            chunk = borrow(&bin, true);
    }
    if (chunk != NULL)
        bin_mark_live(bin, (uintptr_t)chunk, requested);
    return chunk;
}

void *arena_alloc(struct arena *arena, unsigned size_class, size_t requested, bool *clean)
{
    return alloc(arena, &arena->bins.of[size_class], requested, true, clean);
}

void *arena_alloc_aligned(struct arena *arena, unsigned size_class, size_t requested)
{
    return alloc(arena, &arena->bins.of[size_class], requested, false, NULL);
}

void arena_free_chunk(struct arena *arena, uintptr_t address)
{
    struct chunk chunk;

    if (chunk_find(address, heap_map_tag(address), &chunk) == CHUNK_LIVE)
        arena_free(arena, &chunk);
}

void arena_rest(struct arena *arena)
{
    for (unsigned size_class = TINY_CLASSES; size_class < SIZE_CLASSES; size_class++)
        bin_flush(&arena->bins.of[size_class]);
}

void arena_make_way_due(struct arena *arena)
{
    size_t fresh = arena->tiny.fresh + arena->small.fresh;

    if (fresh != 0) {
        arena->tiny.fresh = arena->small.fresh = 0;
        large_make_way(fresh);
    }
    if (arena->bins.ticked) {
        arena->bins.ticked = false;
        large_make_way(0);
    }
}

size_t arena_unused(const struct arena *arena)
{
    return heap_set_unused(&arena->tiny) + heap_set_unused(&arena->small);
}

void arena_purge(struct arena *arena)
{
    heap_set_purge(&arena->tiny);
    heap_set_purge(&arena->small);
}

/* After the flush, every free chunk is in its slab. */
static void empty_bins(struct arena *arena)
{
    remote_receive_all(arena);
    chunk_quarantine_flush(arena);
    for (unsigned size_class = 0; size_class < SIZE_CLASSES; size_class++)
        bin_flush(&arena->bins.of[size_class]);
}

size_t arena_release(struct arena *arena)
{
    arena_repair(arena);
    empty_bins(arena);
    return heap_set_release(&arena->tiny) + heap_set_release(&arena->small);
}

size_t arena_trim(struct arena *arena)
{
    arena_repair(arena);
    empty_bins(arena);
    return heap_set_trim(&arena->tiny) + heap_set_trim(&arena->small) +
           slab_pages_trim(&arena->bins);
}

void arena_trim_step(struct arena *arena)
{
    arena_repair(arena);
    empty_bins(arena);
    bins_trim(&arena->bins);
}
