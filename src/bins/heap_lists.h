/*
 * Where a heap is entered: the own-heap table, the list of those with free units, the list that
 * walkers follow. Internal to src/bins; owner only.
 */
#ifndef FT_BINS_HEAP_LISTS_H
#define FT_BINS_HEAP_LISTS_H

#include "bins/heap.h"

static inline uintptr_t *own_entry(struct heap_set *set, uintptr_t base)
{
    return &set->own[base >> (set->small ? SMALL_HEAP_SHIFT : TINY_HEAP_SHIFT) & (OWN_HEAPS - 1)];
}

static inline void own_insert(struct heap_set *set, uintptr_t base)
{
    *own_entry(set, base) = base;
}

static inline void own_remove(struct heap_set *set, uintptr_t base)
{
    uintptr_t *entry = own_entry(set, base);

    if (*entry == base)
        *entry = entry == set->own ? OWN_NONE : 0;
}

/*
 * The heaps with free units. At the end of the list are those that wait to be unmapped: all of them
 * leave, and none before them does.
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
 * The heap leaves, or does not after all: of those that stay, the one used last is the first to be
 * asked.
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

/* The list that walkers follow. Structure lock. */
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

/* A heap that is being rebuilt is not open: what is free in it is not all known yet. */
static inline bool being_rebuilt(const struct heap *heap)
{
    return heap->set->unknown.heap == heap;
}

/* The repair after a fork is about to go on there. */
static inline bool awaits_repair(const struct heap *heap)
{
    return heap->set->unswept.heap == heap || being_rebuilt(heap);
}

/*
 * For a heap that is wholly free: keeps it in reserve, or lets it go, now or later. It may be gone
 * then.
 */
void heap_retire(struct heap *heap);

#endif
