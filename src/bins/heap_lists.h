/*
 * Internal to src/bins: the lists that a heap is in. They are the own-heap table, the list of heaps
 * with free units, and the list that walkers follow. Guarded by the arena's lock.
 */
#ifndef FT_BINS_HEAP_LISTS_H
#define FT_BINS_HEAP_LISTS_H

#include "bins/heap.h"

static inline unsigned own_entry(const struct heap_set *set, uintptr_t base)
{
    return base >> (set->small ? SMALL_HEAP_SHIFT : TINY_HEAP_SHIFT) & (OWN_HEAPS - 1);
}

static inline void own_insert(struct heap_set *set, uintptr_t base)
{
    if (set->own != NULL)
        set->own->of[own_entry(set, base)] = base;
}

static inline void own_remove(struct heap_set *set, uintptr_t base)
{
    unsigned entry = own_entry(set, base);

    if (set->own != NULL && set->own->of[entry] == base)
        set->own->of[entry] = entry == 0 ? OWN_NONE : 0;
}

/*
 * The list of heaps with free units. Those that wait to be unmapped are at its end: they are
 * leaving, and none before them is.
 */
static inline void open_insert(struct heap_set *set, struct heap *heap)
{
    heap->prev_open = NULL;
    heap->next_open = set->open;
    if (set->open != NULL)
        set->open->prev_open = heap;
    else
        set->open_last = heap;
    set->open = heap;
}

static inline void open_append(struct heap_set *set, struct heap *heap)
{
    heap->prev_open = set->open_last;
    heap->next_open = NULL;
    if (set->open_last != NULL)
        set->open_last->next_open = heap;
    else
        set->open = heap;
    set->open_last = heap;
}

static inline void open_remove(struct heap_set *set, struct heap *heap)
{
    if (set->age_next == heap)
        set->age_next = heap->next_open;
    if (heap->prev_open != NULL)
        heap->prev_open->next_open = heap->next_open;
    else
        set->open = heap->next_open;
    if (heap->next_open != NULL)
        heap->next_open->prev_open = heap->prev_open;
    else
        set->open_last = heap->prev_open;
}

/*
 * open_leave() makes a heap wait to be unmapped; open_keep() takes that back. Of the heaps that
 * stay, the one used last is asked first.
 */
static inline void open_leave(struct heap_set *set, struct heap *heap)
{
    open_remove(set, heap);
    open_append(set, heap);
    heap->leaving = true;
}

static inline void open_keep(struct heap_set *set, struct heap *heap)
{
    open_remove(set, heap);
    open_insert(set, heap);
    heap->leaving = false;
}

static inline void place_leave(struct page_place *place, const struct heap *heap)
{
    if (place->heap == heap)
        *place = (struct page_place){.heap = heap->next};
}

/* The list that walkers follow. Under the structure lock. */
static inline void heaps_insert(struct heap_set *set, struct heap *heap)
{
    struct heap *first = atomic_load_explicit(&set->heaps, memory_order_relaxed);

    heap->number = ++set->count;
    heap->prev = NULL;
    heap->next = first;
    if (first != NULL)
        first->prev = heap;
    atomic_store_explicit(&set->heaps, heap, memory_order_release);
}

static inline void heaps_remove(struct heap_set *set, struct heap *heap)
{
    place_leave(&set->pages.age, heap);
    place_leave(&set->pages.way, heap);
    if (heap->prev != NULL)
        heap->prev->next = heap->next;
    else
        atomic_store_explicit(&set->heaps, heap->next, memory_order_release);
    if (heap->next != NULL)
        heap->next->prev = heap->prev;
}

static inline bool wholly_free(const struct heap *heap)
{
    return heap->free_units + heap->guard_units == heap_units(heap) - heap_first_unit(heap);
}

/*
 * Returns true if the heap is being rebuilt after a fork. It is not open then, because what is free
 * in it is not known completely yet.
 */
static inline bool being_rebuilt(const struct heap *heap)
{
    return heap->set->unknown.heap == heap;
}

/* Returns true if the repair after a fork is going to continue in the heap. */
static inline bool awaits_repair(const struct heap *heap)
{
    return heap->set->unswept.heap == heap || being_rebuilt(heap);
}

/*
 * For a heap that is wholly free: keeps it in reserve, or unmaps it, now or later. The heap may be
 * gone when this returns.
 */
void heap_retire(struct heap *heap);

#endif
