/*
 * The heap map: for every 4 MiB of address space, the tag of the heap that lies there, or 0, and
 * how many units of the heap lie there. It tells for any value whether it may be a pointer of ours,
 * without touching the memory that the value points to. It has two levels, so that it costs little
 * address space: a root over all of the address space, and a leaf of 16 KiB for each 16 GiB in use.
 * A root entry is the leaf's distance from the empty leaf, so a look-up needs no test for a missing
 * leaf.
 *
 * Entries are written under the structure lock, with release, after the heap's header is complete.
 * They are read with acquire, so that a reader finds the header complete.
 *
 * Anything may lie behind a heap's units, for example a LARGE chunk; and another thread may unmap
 * the heap at any moment, including its header. So the entry itself holds the end of the units, and
 * only an address among the units has the heap's tag. A live chunk keeps its heap mapped, so
 * whoever holds one may read the header.
 */
#ifndef FT_BINS_HEAP_MAP_H
#define FT_BINS_HEAP_MAP_H

#include "bins/size_class.h"
#include "os/os.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum {
#if defined(__x86_64__)
    ADDRESS_BITS = 47,
#else
    ADDRESS_BITS = 48,
#endif
    HEAP_SHIFT = 22,
    MAP_LEAF_BITS = 12,
    MAP_ROOT_SHIFT = HEAP_SHIFT + MAP_LEAF_BITS,
    MAP_ROOT_SIZE = 1 << (ADDRESS_BITS - MAP_ROOT_SHIFT),
    MAP_LEAF_SIZE = 1 << MAP_LEAF_BITS,
    /* An entry has the tag in its lower half and the number of units in its upper half. */
    MAP_UNITS_SHIFT = 16,
};

/* A heap's tag: the id of the heap's arena, and the zone. Tag 0 belongs to no arena. */
enum { TAG_SMALL = 0x8000, TAG_NONE = 0, TAG_IMPOSSIBLE = 0xffff, ARENA_ID_MAX = 0x7ffe };

struct heap_map {
    _Atomic uint32_t empty[MAP_LEAF_SIZE];
    _Atomic intptr_t root[MAP_ROOT_SIZE];
};

/*
 * The heap map and the memory of the first arena (space.h). Linux maps libraries and heaps in the
 * last TiB of the address space, so the last 512 bytes of the root are what a process touches. They
 * share a page with the beginning of the arena.
 */
enum { MAP_ROOT_BESIDE = 320, FIRST_ARENA = 388 << 10 };

struct first_memory {
    char before[MAP_ROOT_BESIDE];
    struct heap_map map;
    char arena[FIRST_ARENA];
};

extern struct first_memory first_memory;

/*
 * How many heaps were removed. A thread that got a chunk at some address, and finds the value that
 * it has seen before, knows that the same heap as then is there. Written under the structure lock;
 * relaxed, because the removal comes before whatever is mapped in the heap's place, and that before
 * the chunk.
 */
extern _Atomic unsigned heap_map_removals;

static inline uint32_t heap_map_entry_in(const struct heap_map *map, uintptr_t address)
{
    const char *leaf = (const char *)map->empty;
    uintptr_t index = address >> MAP_ROOT_SHIFT;

    if (unlikely(index >= MAP_ROOT_SIZE))
        return TAG_NONE;
    leaf += atomic_load_explicit(&map->root[index], memory_order_acquire);
    return atomic_load_explicit(&((const _Atomic uint32_t *)(const void *)
                                      leaf)[address >> HEAP_SHIFT & (MAP_LEAF_SIZE - 1)],
                                memory_order_acquire);
}

static inline uint32_t heap_map_entry(uintptr_t address)
{
    return heap_map_entry_in(&first_memory.map, address);
}

/* Returns the tag of the heap among whose units the address lies. */
static inline uint16_t heap_map_tag(uintptr_t address)
{
    uint32_t entry = heap_map_entry(address);
    uintptr_t unit = (address & (((uintptr_t)1 << HEAP_SHIFT) - 1)) >> UNIT_SHIFT;

    return likely(unit < entry >> MAP_UNITS_SHIFT) ? (uint16_t)entry : TAG_NONE;
}

/*
 * Enter a heap of `units` units, including those of the header, in `size` bytes of address space;
 * and remove it. heap_map_set() returns false if there is no memory for a leaf; nothing has changed
 * then. The caller holds the structure lock.
 */
bool heap_map_set(uintptr_t base, size_t size, unsigned units, uint16_t tag);
void heap_map_clear(uintptr_t base, size_t size);

/*
 * Returns where a heap would begin that contains the address, if this is aligned as a chunk is; or
 * a value that is no heap's base.
 */
static inline uintptr_t heap_key(uintptr_t address, unsigned shift)
{
    uintptr_t misaligned = CHUNK_ALIGN - 1;

    return address & (~(uintptr_t)0 << shift | misaligned);
}

#endif
