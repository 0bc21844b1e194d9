/*
 * Every access is relaxed, except that of a slab's number and identity: the holder of a chunk
 * received it together with its state, and for anybody else the program has a race of its own.
 */
#include "bins/bounds.h"

#include "bins/slab.h"

static struct ft_malloc_extent outside(void)
{
    return (struct ft_malloc_extent){NULL, 0};
}

static inline struct slab *slab_around(uintptr_t address, bool small)
{
    uintptr_t within = address & ((small ? SMALL_HEAP_SIZE : TINY_HEAP_SIZE) - 1);

    if (within < (uintptr_t)(small ? SMALL_FIRST_UNIT : TINY_FIRST_UNIT) * UNIT_SIZE)
        return NULL;
    return small ? small_slab(address) : tiny_slab(address);
}

/* Returns the size that is left to the program: 0 if the chunk was freed. */
static inline size_t live_size(uintptr_t start, size_t usable, bool small, bool *known)
{
    if (small) {
        uint32_t seen = atomic_load_explicit(small_state(start), memory_order_relaxed);

        *known = small_kind(seen) != STATE_NONE;
        return small_lives(seen) ? usable - small_slack(seen) : 0;
    } else {
        uint8_t seen = atomic_load_explicit(tiny_state(start), memory_order_relaxed);

        *known = tiny_kind(seen) != STATE_NONE;
        return tiny_lives(seen) ? usable - tiny_slack(seen) : 0;
    }
}

struct ft_malloc_extent chunk_bounds(uintptr_t address, uint16_t tag)
{
    bool small = (tag & TAG_SMALL) != 0, known;
    const struct slab *slab = slab_around(address, small);
    const struct size_class *shape;
    uintptr_t first, start;
    uint64_t identity;
    uint32_t index;
    size_t size;

    if (slab == NULL)
        return outside();
    /* Acquire: what is read of the slab afterwards is not older than the identity. */
    identity = atomic_load_explicit(&slab->identity, memory_order_acquire);
    if ((identity & 1) == 0)
        return outside();
    shape = &size_classes[identity_class(identity)];
    first = (address & ~(uintptr_t)((small ? SMALL_HEAP_SIZE : TINY_HEAP_SIZE) - 1)) +
            (uintptr_t)identity_unit(identity) * UNIT_SIZE;
    index = chunk_index(shape, (uint32_t)(address - first));
    /* The inverse is rounded up: just below a chunk, the index can be that chunk's. */
    if (index * shape->size > address - first)
        index--;
    if (index >= shape->chunks)
        return outside();
    start = first + (uintptr_t)index * shape->size;
    size = live_size(start, shape->size, small, &known);
    return known ? (struct ft_malloc_extent){pointer_to(start), size} : outside();
}
