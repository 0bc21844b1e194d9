/*
 * A heap's pages, from first to last: a guard below its base; its units, of which only the first
 * are memory yet; a guard that ends one page before the next multiple of the heap's size, where the
 * first guard of the next heap may be. So neighbours never share a guard, and each heap is mapped
 * and unmapped without regard to the others.
 *
 * The first heaps are taken from one reservation, the first mapping, because a system call at a
 * program's start costs as much as everything else that is done for a heap. It holds a SMALL heap,
 * wherever the alignment puts it, and TINY heaps in the rest, upward, until it is used up. Every
 * change of it is one atomic operation, so a fork at any moment leaves it sound. A hardened process
 * has no first mapping; its heaps are mapped at random addresses.
 */
#include "bins/space.h"

#include "base/options.h"
#include "base/own.h"
#include "base/secret.h"
#include "bins/heap_guards.h"
#include "bins/limbo.h"
#include "os/os.h"

#include <stdatomic.h>

enum { BEING_MADE, UNUSED, IN_USE };

/* Enough for a SMALL heap at any alignment, and in the rest for a TINY heap at any alignment. */
static const size_t first_size = 2 * (size_t)SMALL_HEAP_SIZE;

/*
 * Written once, by the thread that sets `state` to IN_USE, with release; a thread that reads this
 * with acquire may read the rest. `next` and `small_waits` are then changed by any thread; relaxed,
 * because the memory behind these addresses is the kernel's zeros.
 */
OS_TOUCHED static struct {
    _Atomic int state;
    uintptr_t end;
    uintptr_t small;
    _Atomic uintptr_t next;
    _Atomic bool small_waits;
} first = {.state = UNUSED};

/* How much of a heap's address space, from its base, is units. */
static size_t usable_of(size_t size)
{
    return (size_t)heap_units_in(size) * UNIT_SIZE;
}

/*
 * How much of a heap is memory from the beginning, if `wanted` bytes suffice. Under a limit it is
 * all, because what the kernel refuses then is a whole heap, and no part of one.
 */
static size_t committed_of(size_t size, size_t wanted)
{
    bool whole = os_memory_limit() != SIZE_MAX && !heap_has_guards();

    return whole || wanted > usable_of(size) ? usable_of(size) : wanted;
}

static void make_first(void)
{
    int expected = UNUSED;
    char *start;

    /* Relaxed: it only matters who is first. */
    if (!atomic_compare_exchange_strong_explicit(&first.state, &expected, BEING_MADE,
                                                 memory_order_relaxed, memory_order_relaxed))
        return;
    /*
     * Without the first mapping, each heap gets a mapping of its own. That is better under a limit,
     * because nothing is reserved unused.
     */
    start = os_memory_limit() == SIZE_MAX ? os_reserve(first_size) : NULL;
    if (start == NULL)
        return;
    first.end = (uintptr_t)start + first_size;
    first.small = round_up((uintptr_t)start + os_page_size(), SMALL_HEAP_SIZE);
    atomic_store_explicit(&first.small_waits, true, memory_order_relaxed);
    atomic_store_explicit(&first.next, (uintptr_t)start + os_page_size(), memory_order_relaxed);
    atomic_store_explicit(&first.state, IN_USE, memory_order_release);
}

/* Returns the lowest place for a heap at or above `from`, outside the place of the SMALL heap. */
static uintptr_t place_beside_small(uintptr_t from, size_t size)
{
    uintptr_t at = round_up(from, size);

    return at >= first.small && at < first.small + SMALL_HEAP_SIZE ? first.small + SMALL_HEAP_SIZE
                                                                   : at;
}

static uintptr_t take_from_first(size_t size)
{
    uintptr_t next = atomic_load_explicit(&first.next, memory_order_relaxed);
    uintptr_t at;

    if (size == SMALL_HEAP_SIZE)
        return atomic_exchange_explicit(&first.small_waits, false, memory_order_relaxed)
                   ? first.small
                   : 0;
    do {
        at = place_beside_small(next, size);
        if (at + size - os_page_size() > first.end)
            return 0;
    } while (!atomic_compare_exchange_weak_explicit(&first.next, &next, at + size,
                                                    memory_order_relaxed, memory_order_relaxed));
    return at;
}

uintptr_t space_first_heap(size_t size, size_t *committed)
{
    uintptr_t at = 0;

    if (policy_random_places())
        return 0;
    if (unlikely(atomic_load_explicit(&first.state, memory_order_relaxed) == UNUSED))
        make_first();
    if (atomic_load_explicit(&first.state, memory_order_acquire) == IN_USE)
        at = take_from_first(size);
    /* A place where the kernel refuses memory may be a hole by now, so it is never used again. */
    *committed = committed_of(size, *committed);
    return at != 0 && os_renew(pointer_to(at), *committed) ? at : 0;
}

/*
 * Maps a heap at a random address, so that the address of one heap does not reveal those of others.
 */
static uintptr_t map_at_random(size_t committed, size_t after, size_t align)
{
    enum { TRIES = 4 };
    static const uintptr_t places = (uintptr_t)1 << ADDRESS_BITS;
    static _Atomic uint64_t count;

    for (unsigned tries = 0; tries < TRIES; tries++) {
        /* Relaxed: the number only has to differ from call to call. */
        uint64_t number = atomic_fetch_add_explicit(&count, 1, memory_order_relaxed);
        uintptr_t at =
            secret_scramble(secret_word + secret_scramble(number + 1)) & (places - align);

        if (at != 0 && os_map_guarded_at(at, committed, after) != NULL)
            return at;
    }
    return 0;
}

/*
 * Maps a heap where the kernel has room. Address space is asked for first, because locked memory
 * would be filled at once; another thread may take the place before it is used.
 */
static void *map_anywhere(size_t committed, size_t after, size_t align)
{
    enum { TRIES = 4 };
    size_t page = os_page_size();

    for (unsigned tries = 0; after > committed && tries < TRIES; tries++) {
        uintptr_t at = os_find_place(page + committed + after, page, align);
        void *memory = at == 0 ? NULL : os_map_guarded_at(at + page, committed, after);

        if (memory != NULL)
            return memory;
    }
    return os_map_guarded_aligned(committed, after, align);
}

/*
 * Maps a heap below the last one of its zone. The kernel maps downward, so that place is often
 * free, and it is aligned.
 */
static uintptr_t map_in_row(size_t committed, size_t after, size_t align)
{
    static _Atomic uintptr_t last[2];
    _Atomic uintptr_t *hint = &last[align == SMALL_HEAP_SIZE];
    uintptr_t wanted = atomic_load_explicit(hint, memory_order_relaxed); /* relaxed: a hint */
    void *memory = NULL;

    if (wanted > 2 * align)
        memory = os_map_guarded_at(wanted - align, committed, after);
    if (memory == NULL)
        memory = map_anywhere(committed, after, align);
    if (memory != NULL)
        atomic_store_explicit(hint, (uintptr_t)memory, memory_order_relaxed);
    return (uintptr_t)memory;
}

uintptr_t space_map_heap(size_t size, size_t align, size_t *committed)
{
    size_t memory = committed_of(size, *committed), after = size - os_page_size() - memory;
    uintptr_t base = 0;

    if (unlikely(policy_random_places()))
        base = map_at_random(memory, after, align);
    if (base == 0)
        base = map_in_row(memory, after, align);
    if (base != 0)
        *committed = memory;
    return base;
}

/* Under a limit, one heap must not take much of what all sizes have to share. */
static size_t size_wanted(size_t whole, size_t least)
{
    enum { SHARE = 8 };
    size_t most = os_memory_limit() / SHARE;

    while (whole > least && whole > most)
        whole /= 2;
    return whole;
}

uintptr_t space_find_heap(size_t *size, size_t least, heap_reclaim *reclaim, size_t *committed)
{
    size_t whole = *size, wanted = *committed;
    uintptr_t base = space_first_heap(whole, committed);

    if (base != 0)
        return base;
    *committed = wanted;
    *size = size_wanted(whole, least);
    base = space_map_heap(*size, whole, committed);
    if (base == 0 && reclaim() + limbo_empty(true) > 0)
        base = space_map_heap(*size, whole, committed);
    while (base == 0 && *size > least) {
        *size /= 2;
        base = space_map_heap(*size, whole, committed);
    }
    return base;
}

bool space_unmap_heap(uintptr_t base, size_t size)
{
    return os_unmap(pointer_to(base - os_page_size()), size);
}

void *space_map_arena(size_t size, size_t *ready)
{
    /*
     * Most processes have one arena. Its memory is part of the library's own data, which needs no
     * system call.
     */
    OS_TOUCHED static _Atomic bool vacant = true;

    /* Relaxed: it only matters who is first. */
    if (size > FIRST_ARENA || !atomic_exchange_explicit(&vacant, false, memory_order_relaxed))
        return own_map_part(size, ready);
    *ready = size;
    /* For programs that the library is linked into, whose data surround it. */
    own_enter(first_memory.arena, sizeof first_memory.arena);
    return first_memory.arena;
}
