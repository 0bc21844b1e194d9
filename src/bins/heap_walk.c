/*
 * Pins. How many walkers are in a heap is counted in the lower half of heap->pins; the upper half
 * says how many forks there had been: walkers from before a fork do not exist in the child.
 *
 * Relaxed, all of it. Who pins holds the structure lock for reading, as others may at the same
 * time, and who asks holds it for writing: the lock orders it. Who leaves a heap has read all that
 * it wanted before it takes the lock.
 */
#include "bins/heap_walk.h"

#include "base/structure_lock.h"

enum { FORKS_SHIFT = 16, COUNT_MASK = (1 << FORKS_SHIFT) - 1 };

static uint32_t forks(void)
{
    return (uint32_t)structure_lock_renewals() << FORKS_SHIFT;
}

static uint32_t count_of(uint32_t pins)
{
    return (pins & ~(uint32_t)COUNT_MASK) == forks() ? pins & COUNT_MASK : 0;
}

static void pin(struct heap *heap)
{
    uint32_t seen = atomic_load_explicit(&heap->pins, memory_order_relaxed);

    while (!atomic_compare_exchange_weak_explicit(&heap->pins, &seen,
                                                  forks() | (count_of(seen) + 1),
                                                  memory_order_relaxed, memory_order_relaxed))
        ;
}

/* After a fork, made by a signal handler, the walker's own pin does not count any more. */
static void unpin(struct heap *heap)
{
    uint32_t seen = atomic_load_explicit(&heap->pins, memory_order_relaxed);

    while (count_of(seen) > 0 &&
           !atomic_compare_exchange_weak_explicit(&heap->pins, &seen, seen - 1,
                                                  memory_order_relaxed, memory_order_relaxed))
        ;
}

bool heap_pinned(const struct heap *heap)
{
    return count_of(atomic_load_explicit(&heap->pins, memory_order_relaxed)) > 0;
}

struct heap *heap_walk(struct heap_set *set, struct heap *heap)
{
    struct heap *next;

    structure_lock_read();
    next = heap == NULL ? atomic_load_explicit(&set->heaps, memory_order_relaxed) : heap->next;
    if (next != NULL)
        pin(next);
    if (heap != NULL)
        unpin(heap);
    structure_unlock();
    return next;
}
