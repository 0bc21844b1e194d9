/*
 * Resizes LARGE chunks in place: into headroom, into free address space behind the chunk, or by
 * giving back pages at its end. Only the holder of the chunk calls these functions, so its
 * descriptor does not change meanwhile.
 */
#include "large/registry.h"

#include "base/clock.h"
#include "base/outside.h"
#include "large/headroom.h"
#include "os/os.h"

/* Giving back less than this is not worth a system call, unless it is an eighth of the chunk. */
enum { GIVE_BACK_MIN = 64 << 10 };

static void lose_headroom(struct large *large)
{
    headroom_give(large->promised);
    large->promised = 0;
}

static void store_extent(struct large *large, size_t mapped, size_t reserved)
{
    /* The lock is for walkers only. */
    if (mapped == reserved && reserved < large->reserved) {
        /*
         * The headroom is gone: it may have become a hole, or was unmapped with everything else
         * behind the chunk.
         */
        lose_headroom(large);
    }
    registry_lock();
    cache_count_live(mapped - large->mapped);
    cache_lend(large, 0);
    large->mapped = mapped;
    large->reserved = reserved;
    registry_unlock();
}

/*
 * Commits headroom, so that the mapping has `mapped` bytes; the caller stores that. If the kernel
 * refuses, the mapping has no headroom any more.
 */
static bool commit(const struct large *large, size_t mapped)
{
    size_t more = mapped - large->mapped;

    if (os_renew(large_end(large), more))
        return true;
    /* That part may be a hole now, which is not ours any more. Unmap what is behind it. */
    if (large->reserved > mapped)
        os_unmap(large_end(large) + more, large->reserved - mapped);
    return false;
}

bool large_lengthen(struct large *large, size_t mapped, size_t size)
{
    bool done = commit(large, mapped);

    if (!done)
        lose_headroom(large);
    registry_lock();
    if (done) {
        large->mapped = mapped;
        large->taker = NULL;
        cache_count_live(mapped);
        /* Relaxed: see struct large. */
        atomic_store_explicit(&large->requested, size + 1, memory_order_relaxed);
    } else {
        large->reserved = large->mapped;
        cache_put(large, clock_now());
    }
    registry_unlock();
    return done;
}

/*
 * Commits half as much more as is needed, if there is room. Memory that is never touched costs
 * nothing, and the next steps need no system call.
 */
static bool grow_into_headroom(struct large *large, size_t needed)
{
    size_t mapped = needed < large->reserved - needed / 2
                        ? round_up(needed + needed / 2, os_page_size())
                        : needed;

    if (commit(large, mapped)) {
        store_extent(large, mapped, large->reserved);
        return true;
    }
    store_extent(large, large->mapped, large->mapped);
    return false;
}

static bool grow_in_place(struct large *large, size_t needed)
{
    if (needed <= large->reserved)
        return grow_into_headroom(large, needed);
    if (large->reserved == large->mapped && os_map_at(large_end(large), needed - large->mapped)) {
        outside_add((uintptr_t)large_start(large), needed);
        store_extent(large, needed, needed);
        return true;
    }
    return false;
}

static void give_back_end(struct large *large, size_t needed)
{
    size_t less;

    needed = large_mapping_size(needed);
    if (needed >= large->mapped)
        return;
    less = large->mapped - needed;
    if (less < GIVE_BACK_MIN && less < large->mapped / 8)
        return;
    /* A reader that has seen the old size has ended then: see large_peek(). */
    registry_lock();
    registry_unlock();
    /* Unmap the headroom, too: a chunk that shrinks will hardly grow much again. */
    if (os_unmap(large_end(large) - less, less + (large->reserved - large->mapped)))
        store_extent(large, needed, needed);
}

bool large_resize(uintptr_t address, size_t size)
{
    size_t needed = round_up(size, os_page_size());
    struct large *large;
    size_t was;

    registry_lock();
    large = registry_find(address);
    registry_unlock();
    if (large == NULL || needed < size || (needed > large->mapped && !grow_in_place(large, needed)))
        return false;
    /*
     * Relaxed: only the holder writes it. It is lowered before the pages are unmapped, because
     * another thread may get them at once.
     */
    was = atomic_load_explicit(&large->requested, memory_order_relaxed);
    atomic_store_explicit(&large->requested, size + 1, memory_order_relaxed);
    /* The room that a growing chunk has in advance stays. */
    if (size + 1 < was)
        give_back_end(large, needed);
    return true;
}

bool large_shrink_within(uintptr_t address, size_t size)
{
    struct large *large;

    registry_lock();
    large = registry_find(address);
    registry_unlock();
    if (large == NULL || size > large->mapped)
        return false;
    /* Relaxed: only the holder writes it. */
    atomic_store_explicit(&large->requested, size + 1, memory_order_relaxed);
    return true;
}

bool large_grow_within(uintptr_t address, size_t size)
{
    struct large *large;
    size_t requested;
    bool within;

    registry_lock();
    large = registry_find(address);
    requested = large == NULL ? 0 : atomic_load_explicit(&large->requested, memory_order_relaxed);
    within = requested != 0 && size + 1 >= requested && size <= large->mapped;
    /*
     * If another thread frees the chunk at the same time, which needs no lock, that is not undone.
     */
    within = within &&
             atomic_compare_exchange_strong_explicit(&large->requested, &requested, size + 1,
                                                     memory_order_relaxed, memory_order_relaxed);
    if (within) {
        if (large->lent != 0)
            cache_lend(large, large->mapped - size);
    }
    registry_unlock();
    return within;
}
