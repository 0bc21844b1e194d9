/*
 * The bounds of the LARGE chunk around an address, mostly without the registry's lock.
 *
 * Two tables remember earlier answers. `around` leads from 256 KiB of address space to the
 * descriptors of two chunks there: the one that begins before them, and the one that begins inside.
 * The descriptor itself says whether the chunk is still there, so an entry may be out of date.
 * `nothing` remembers pages that no chunk reached, together with the number of chunks that had
 * been entered until then; a further chunk makes all its entries void. Only an address of which
 * neither table knows costs a search through the descriptors.
 *
 * Tables are mapped when somebody first asks, and are never unmapped. Every access of theirs is
 * relaxed: descriptors are never unmapped either, and each says what it is.
 */
#include "base/child.h"
#include "large/registry.h"

enum {
    BLOCK_SHIFT = 18, /* a LARGE chunk is rarely smaller */
    BLOCKS = 8192,
    PAGES = 8192,
    /* With more descriptors, a search takes too long for a caller who only wants to copy. */
    SEARCH_MAX = 2048,
    ENTERED_BITS = 64 - (48 - OS_PAGE_SHIFT),
};

struct bounds_tables {
    _Atomic(struct large *) around[BLOCKS][2];
    _Atomic uint64_t nothing[PAGES];
};

/* Set once, by a compare-and-exchange with release; whoever loads it sees zeros. */
static _Atomic(struct bounds_tables *) tables;

static struct bounds_tables *map_tables(void)
{
    struct bounds_tables *mapped = os_map(round_up(sizeof *mapped, os_page_size()));
    struct bounds_tables *first = NULL;

    if (mapped == NULL || atomic_compare_exchange_strong_explicit(
                              &tables, &first, mapped, memory_order_acq_rel, memory_order_acquire))
        return mapped;
    os_unmap(mapped, round_up(sizeof *mapped, os_page_size()));
    return first;
}

static size_t hash(uintptr_t number, size_t size)
{
    return (size_t)((uint64_t)number * UINT64_C(0x9e3779b97f4a7c15) >> 40) & (size - 1);
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
};

static void search_one(void *context, struct large *large)
{
    struct search *search = context;
    struct ft_malloc_extent extent;

    if (reaches(large, search->address, &extent))
        search->found = large;
}

/* The value that `nothing` has for the page as long as no further chunk is entered. */
static uint64_t nothing_at(uintptr_t address)
{
    uint64_t entered = registry_entered() & ((UINT64_C(1) << ENTERED_BITS) - 1);

    return (uint64_t)(address >> OS_PAGE_SHIFT) << ENTERED_BITS | entered;
}

/*
 * Only tries the lock: a signal handler that copies may have interrupted the thread that holds it.
 * Returns false if there is no answer.
 */
static bool search(struct bounds_tables *known, uintptr_t address, struct large **found)
{
    struct search wanted = {.address = address};
    uint64_t nothing;
    uintptr_t start;

    if (!registry_try_lock())
        return false;
    nothing = nothing_at(address);
    if (registry_count() > SEARCH_MAX) {
        registry_unlock();
        return false;
    }
    registry_each(search_one, &wanted);
    registry_unlock();
    *found = wanted.found;
    if (wanted.found == NULL) {
        atomic_store_explicit(&known->nothing[hash(address >> OS_PAGE_SHIFT, PAGES)], nothing,
                              memory_order_relaxed);
        return true;
    }
    start = atomic_load_explicit(&wanted.found->address, memory_order_relaxed);
    atomic_store_explicit(&known->around[hash(address >> BLOCK_SHIFT, BLOCKS)]
                                        [start >> BLOCK_SHIFT == address >> BLOCK_SHIFT],
                          wanted.found, memory_order_relaxed);
    return true;
}

struct ft_malloc_extent large_bounds(uintptr_t address)
{
    struct bounds_tables *known = atomic_load_explicit(&tables, memory_order_acquire);
    struct ft_malloc_extent extent = {NULL, 0};
    struct large *large;
    unsigned which;

    if (registry_entered() == 0 || (known == NULL && (known = map_tables()) == NULL))
        return extent;
    for (which = 0; which < 2; which++) {
        large = atomic_load_explicit(&known->around[hash(address >> BLOCK_SHIFT, BLOCKS)][which],
                                     memory_order_relaxed);
        if (large != NULL && reaches(large, address, &extent))
            return extent;
    }
    if (atomic_load_explicit(&known->nothing[hash(address >> OS_PAGE_SHIFT, PAGES)],
                             memory_order_relaxed) == nothing_at(address))
        return extent;
    if (search(known, address, &large) && large != NULL)
        (void)reaches(large, address, &extent);
    return extent;
}
