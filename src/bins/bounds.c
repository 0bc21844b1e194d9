/*
 * The bounds of SMALL chunks, whose slabs are of several units.
 */
#include "bins/bounds.h"

struct ft_malloc_extent small_bounds(uintptr_t address)
{
    const struct ft_malloc_extent none = {NULL, 0};
    uintptr_t base = address & ~(uintptr_t)(SMALL_HEAP_SIZE - 1), start;
    const struct size_class *shape;
    const struct slab *slab;
    uint64_t identity;
    uint32_t index, seen;

    if (address < base + SMALL_FIRST_UNIT * UNIT_SIZE || (slab = small_slab(address)) == NULL)
        return none;
    /* Acquire: what is read of the slab afterwards is not older than the identity. */
    identity = atomic_load_explicit(&slab->identity, memory_order_acquire);
    if ((identity & 1) == 0)
        return none;
    shape = &size_classes[identity_class(identity)];
    start = base + (uintptr_t)identity_unit(identity) * UNIT_SIZE;
    index = chunk_index(shape, (uint32_t)(address - start));
    /* The inverse is rounded up: just below a chunk, the index can be that chunk's. */
    if (index * shape->size > address - start)
        index--;
    if (index >= shape->chunks)
        return none;
    start += (uintptr_t)index * shape->size;
    seen = atomic_load_explicit(small_state(start), memory_order_relaxed);
    return (struct ft_malloc_extent){pointer_to(start),
                                     small_lives(seen) ? shape->size - small_slack(seen) : 0};
}
