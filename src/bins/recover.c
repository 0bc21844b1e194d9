/*
 * Sweeps and rebuilds, slab by slab.
 */
#include "bins/recover.h"

#include "bins/heap_walk.h"

enum {
    /* How much a slow call does beside its own work: one or two microseconds. */
    STEP_STATES = 1024,
    STEP_UNITS = 256,
};

#ifdef FT_MALLOC_PREFIXED
size_t recover_looked;

static void count_looked(unsigned states)
{
    recover_looked += states;
}
#else
static void count_looked(unsigned states)
{
    (void)states;
}
#endif

static void set_place(struct heap_place *place, struct heap *heap)
{
    *place = (struct heap_place){
        .heap = heap,
        .number = heap == NULL ? 0 : heap->number,
        .unit = heap == NULL ? 0 : heap_first_unit(heap),
    };
}

void recover_sweep(struct heap_set *set)
{
    /*
     * Relaxed, here and below: the arena's lock orders it, or a thread wrote it that does not
     * exist any more.
     */
    set_place(&set->unswept, atomic_load_explicit(&set->heaps, memory_order_relaxed));
}

void recover_rebuild(struct heap_set *set)
{
    struct heap *newest = atomic_load_explicit(&set->heaps, memory_order_relaxed);

    heap_set_forget(set);
    set_place(&set->unswept, NULL);
    set_place(&set->unknown, newest);
    /* A thread that does not exist any more may have put a heap in front, or have been about to. */
    if (newest != NULL)
        newest->prev = NULL;
}

/* Relaxed: a chunk that is marked now is left to this thread, which holds the repair lock. */
static unsigned kind_at(uintptr_t start, bool small)
{
    if (small)
        return small_kind(atomic_load_explicit(small_state(start), memory_order_relaxed));
    return tiny_kind(atomic_load_explicit(tiny_state(start), memory_order_relaxed));
}

/* `start` is the address of the slab's first chunk. */
static void sweep_slab(struct heap_set *set, uintptr_t start, const struct size_class *shape,
                       recover_found *found)
{
    struct chunk chunk;

    for (unsigned index = 0; index < shape->chunks; index++, start += shape->size)
        if (unlikely(kind_at(start, set->small) == STATE_REMOTE) &&
            chunk_find(start, set->tag, &chunk) == CHUNK_FREED)
            found(set->arena, &chunk);
}

/*
 * Rebuilds the slab at a unit, if there is one. If there is none, no look-up must find one there.
 */
static void rebuild_slab(struct heap *heap, unsigned unit, struct slab *slab, struct bins *bins)
{
    uintptr_t address = heap->base + (uintptr_t)unit * UNIT_SIZE;

    if (slab != NULL && slab_rebuild(slab, heap)) {
        bin_adopt(&bins->of[slab->size_class], slab);
        return;
    }
    if (slab != NULL)
        atomic_store_explicit(&slab->identity, 0, memory_order_relaxed);
    if (heap->set->small)
        atomic_store_explicit(small_unit_number(address), 0, memory_order_relaxed);
}

/* Handles one slab, or one unit without a slab. Returns how many states were looked at. */
static unsigned repair_unit(struct heap_set *set, struct heap_place *place, struct bins *bins,
                            recover_found *found)
{
    struct heap *heap = place->heap;
    unsigned unit = place->unit;
    uint64_t identity;
    struct slab *slab = heap_slab_at(heap, unit, &identity);
    const struct size_class *shape = slab == NULL ? NULL : &size_classes[identity_class(identity)];

    /* A chunk that is found may be freed at once, and must be in front of the place then. */
    place->unit = unit + (shape == NULL ? 1 : shape->units);
    if (place == &set->unknown)
        rebuild_slab(heap, unit, slab, bins);
    else if (slab != NULL)
        sweep_slab(set, heap->base + (uintptr_t)unit * UNIT_SIZE, shape, found);
    return shape == NULL ? 0 : shape->chunks;
}

static void end_of_heap(struct heap_set *set, struct heap_place *place)
{
    struct heap *heap = place->heap;
    struct heap *next = heap->next;

    set_place(place, next);
    if (place != &set->unknown)
        return;
    if (next != NULL)
        next->prev = heap;
    heap_adopt(heap);
}

/* Returns the place to continue at, or NULL if there is nothing to do. */
static struct heap_place *next_place(struct heap_set *set)
{
    struct heap_place *unswept = &set->unswept, *unknown = &set->unknown;

    if (unswept->heap != NULL && unswept->heap == unknown->heap && unswept->unit >= unknown->unit)
        set_place(unswept, NULL);
    return unswept->heap != NULL ? unswept : unknown->heap != NULL ? unknown : NULL;
}

bool recover_step(struct heap_set *set, struct bins *bins, recover_found *found)
{
    unsigned states = 0, units = 0;
    struct heap_place *place;

    for (place = next_place(set); place != NULL && states < STEP_STATES && units < STEP_UNITS;
         place = next_place(set)) {
        if (place == &set->unknown && place->unit == heap_first_unit(place->heap))
            heap_forget(place->heap);
        states += repair_unit(set, place, bins, found);
        units++;
        if (place->unit >= heap_units(place->heap))
            end_of_heap(set, place);
    }
    count_looked(states);
    return place == NULL;
}
