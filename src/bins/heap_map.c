/*
 * The heap map's leaves. Two of them are part of the library's zero-filled data, so that most
 * processes map none. Leaves are never unmapped: there is one for each 16 GiB that ever held a
 * heap.
 */
#include "bins/heap_map.h"

#include "base/outside.h"
#include "base/own.h"
#include "os/os.h"

_Alignas(OS_PAGE) struct first_memory first_memory;
OS_TOUCHED _Alignas(64) _Atomic unsigned heap_map_removals;

typedef _Atomic uint32_t leaf_entry;

static_assert(sizeof(struct heap_map) % OS_PAGE == 0 && MAP_ROOT_BESIDE % 64 == 0,
              "the root ends, and the arena begins, so far behind the beginning of a page");
static_assert(((1 << HEAP_SHIFT) / UNIT_SIZE) >> (32 - MAP_UNITS_SHIFT) == 0,
              "units fit in an entry");

enum { FIRST_LEAVES = 2 };

/* Under the structure lock. */
OS_TOUCHED static unsigned first_leaves_left = FIRST_LEAVES;
static leaf_entry first_leaves[FIRST_LEAVES][MAP_LEAF_SIZE];

static leaf_entry *leaf_of(uintptr_t address)
{
    intptr_t distance = atomic_load_explicit(&first_memory.map.root[address >> MAP_ROOT_SHIFT],
                                             memory_order_relaxed);

    return (leaf_entry *)(void *)((char *)first_memory.map.empty + distance);
}

static bool ensure_leaf(uintptr_t address)
{
    /*
     * The first time, the root is not read: a page that is read and then written to costs two page
     * faults.
     */
    leaf_entry *leaf =
        first_leaves_left == FIRST_LEAVES ? first_memory.map.empty : leaf_of(address);

    if (leaf != first_memory.map.empty)
        return true;
    if (first_leaves_left > 0)
        leaf = first_leaves[--first_leaves_left];
    else
        leaf = own_map(sizeof first_leaves[0]);
    if (leaf == NULL)
        return false;
    /* Release: whoever sees the leaf sees its zeros. */
    atomic_store_explicit(&first_memory.map.root[address >> MAP_ROOT_SHIFT],
                          (intptr_t)((uintptr_t)leaf - (uintptr_t)first_memory.map.empty),
                          memory_order_release);
    return true;
}

static void store_entries(uintptr_t base, size_t size, unsigned units, uint16_t tag)
{
    static const unsigned most = (1 << HEAP_SHIFT) / UNIT_SIZE;

    for (uintptr_t at = base; at < base + size; at += (uintptr_t)1 << HEAP_SHIFT) {
        unsigned here = units < most ? units : most;

        /* Release: whoever finds a heap by its tag finds its header complete. */
        atomic_store_explicit(&leaf_of(at)[at >> HEAP_SHIFT & (MAP_LEAF_SIZE - 1)],
                              (uint32_t)here << MAP_UNITS_SHIFT | tag, memory_order_release);
        units -= here;
    }
}

bool heap_map_set(uintptr_t base, size_t size, unsigned units, uint16_t tag)
{
    if ((base + size - 1) >> MAP_ROOT_SHIFT >= MAP_ROOT_SIZE)
        return false;
    if (!ensure_leaf(base) || !ensure_leaf(base + size - 1))
        return false;
    store_entries(base, size, units, tag);
    outside_change();
    return true;
}

void heap_map_clear(uintptr_t base, size_t size)
{
    store_entries(base, size, 0, TAG_NONE);
    /* relaxed: see the declaration */
    atomic_store_explicit(&heap_map_removals,
                          atomic_load_explicit(&heap_map_removals, memory_order_relaxed) + 1,
                          memory_order_relaxed);
    outside_change();
}
