/*
 * The bounds of the LARGE chunk around an address, mostly without the registry's lock.
 *
 * Two tables remember earlier answers. `around` leads from 256 KiB of address space to the
 * descriptors of two chunks there: the one that begins before them, and the one that begins inside.
 * The descriptor itself says whether the chunk is still there, so an entry may be out of date.
 * `clear` remembers pages that no mapping reached, together with outside.changes; a further chunk
 * makes all its entries void. libft_malloc_debug.so reads it, too, and does not ask at all then; so
 * what a chunk may grow into without a change is not clear. Only an address of which neither table
 * knows costs a search through the descriptors.
 *
 * Tables are mapped when somebody first asks.
 */
#include "base/child.h"
#include "large/bounds_tables.h"
#include "large/registry.h"

/* With more descriptors, a search takes too long for a caller who only wants to copy. */
enum { SEARCH_MAX = 2048 };

static struct bounds_of_large *map_tables(void)
{
    struct bounds_of_large *mapped = os_map(round_up(sizeof *mapped, os_page_size()));
    struct bounds_of_large *first = NULL;

    /* Set once; whoever loads it sees zeros. */
    if (mapped == NULL ||
        atomic_compare_exchange_strong_explicit(&outside.remembered, &first, mapped,
                                                memory_order_acq_rel, memory_order_acquire))
        return mapped;
    os_unmap(mapped, round_up(sizeof *mapped, os_page_size()));
    return first;
}

/*
 * Whether the chunk may come to reach the address without a change of outside.changes. Its holder
 * may be changing the extent, but not the larger of the two.
 */
static bool lies_in_mapping(const struct large *large, uintptr_t address)
{
    uintptr_t start = atomic_load_explicit(&large->address, memory_order_relaxed);
    size_t size = large->mapped > large->reserved ? large->mapped : large->reserved;

    return start != 0 && address - start < size;
}

/* Fills *extent if the chunk of the descriptor, live or cached, is around the address. */
static bool reaches(const struct large *large, uintptr_t address, struct ft_malloc_extent *extent)
{
    uintptr_t start = atomic_load_explicit(&large->address, memory_order_relaxed);
    size_t requested = atomic_load_explicit(&large->requested, memory_order_relaxed);
    size_t size =
        requested != 0 ? requested - 1 : atomic_load_explicit(&large->was, memory_order_relaxed);
    size_t page = os_page_size();

    /* The last page is the chunk's as a whole: what begins in its slack begins in the chunk. */
    if (start == 0 || address < start || address - start >= round_up(size, page))
        return false;
    *extent = (struct ft_malloc_extent){pointer_to(start), requested != 0 ? size : 0};
    return true;
}

struct search {
    uintptr_t address;
    struct large *found;
    bool mapped;
};

static void search_one(void *context, struct large *large)
{
    struct search *search = context;
    struct ft_malloc_extent extent;

    if (reaches(large, search->address, &extent))
        search->found = large;
    if (lies_in_mapping(large, search->address))
        search->mapped = true;
}

/*
 * Only tries the lock: a signal handler that copies may have interrupted the thread that holds it.
 * Returns false if there is no answer.
 */
static bool search(struct bounds_of_large *known, uintptr_t address, struct large **found)
{
    struct search wanted = {.address = address};
    uint64_t changes;
    uintptr_t start;

    if (!registry_try_lock())
        return false;
    changes = atomic_load_explicit(&outside.changes, memory_order_relaxed);
    if (registry_count() > SEARCH_MAX) {
        registry_unlock();
        return false;
    }
    registry_each(search_one, &wanted);
    registry_unlock();
    *found = wanted.found;
    if (wanted.found == NULL) {
        if (!wanted.mapped)
            atomic_store_explicit(bounds_page(known, address), outside_clear_at(address, changes),
                                  memory_order_relaxed);
        return true;
    }
    start = atomic_load_explicit(&wanted.found->address, memory_order_relaxed);
    atomic_store_explicit(bounds_around(known, address) +
                              (start >> BOUNDS_BLOCK_SHIFT == address >> BOUNDS_BLOCK_SHIFT),
                          wanted.found, memory_order_relaxed);
    return true;
}

struct ft_malloc_extent large_bounds(uintptr_t address)
{
    struct bounds_of_large *known = atomic_load_explicit(&outside.remembered, memory_order_acquire);
    struct ft_malloc_extent extent = {NULL, 0};
    struct large *large;
    uint64_t changes;
    unsigned which;

    if (registry_entered() == 0 || (known == NULL && (known = map_tables()) == NULL))
        return extent;
    for (which = 0; which < 2; which++) {
        large = atomic_load_explicit(bounds_around(known, address) + which, memory_order_relaxed);
        if (large != NULL && reaches(large, address, &extent))
            return extent;
    }
    changes = atomic_load_explicit(&outside.changes, memory_order_relaxed);
    if (atomic_load_explicit(bounds_page(known, address), memory_order_relaxed) ==
        outside_clear_at(address, changes))
        return extent;
    if (search(known, address, &large) && large != NULL)
        (void)reaches(large, address, &extent);
    return extent;
}
