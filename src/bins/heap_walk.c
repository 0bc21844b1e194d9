/*
 * Pins. The lower half of heap->pins counts the walkers in the heap. The upper half says how many
 * forks there had been, because walkers from before a fork do not exist in the child.
 *
 * All accesses are relaxed, because the structure lock orders them: a walker that pins a heap holds
 * it for reading, as others may at the same time, and whoever asks for pins holds it for writing. A
 * walker that leaves a heap has read everything before it takes the lock.
 */
#include "bins/heap_walk.h"

#include "base/structure_lock.h"

enum { FORKS_SHIFT = 16, COUNT_MASK = (1 << FORKS_SHIFT) - 1 };

static uint32_t forks(void)
{
    return (uint32_t)structure_lock_renewals() << FORKS_SHIFT;
}

static uint32_t walkers_in(uint32_t pins)
{
    return (pins & ~(uint32_t)COUNT_MASK) == forks() ? pins & COUNT_MASK : 0;
}

static void pin(struct heap *heap)
{
    uint32_t seen = atomic_load_explicit(&heap->pins, memory_order_relaxed);

    while (!atomic_compare_exchange_weak_explicit(&heap->pins, &seen,
                                                  forks() | (walkers_in(seen) + 1),
                                                  memory_order_relaxed, memory_order_relaxed))
        ;
}

/* After a fork made by a signal handler, the walker's own pin does not count any more. */
static void unpin(struct heap *heap)
{
    uint32_t seen = atomic_load_explicit(&heap->pins, memory_order_relaxed);

    while (walkers_in(seen) > 0 &&
           !atomic_compare_exchange_weak_explicit(&heap->pins, &seen, seen - 1,
                                                  memory_order_relaxed, memory_order_relaxed))
        ;
}

bool heap_pinned(const struct heap *heap)
{
    return walkers_in(atomic_load_explicit(&heap->pins, memory_order_relaxed)) > 0;
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

struct slab *heap_next_slab(const struct heap *heap, unsigned *unit, uint64_t *identity)
{
    while (*unit < heap_units(heap)) {
        struct slab *slab = heap_slab_at(heap, *unit, identity);

        *unit += slab == NULL ? 1 : size_classes[identity_class(*identity)].units;
        if (slab != NULL)
            return slab;
    }
    return NULL;
}
