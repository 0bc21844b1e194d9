/*
 * Resizing LARGE chunks in place: into headroom, into free address space behind the chunk, or by
 * giving the pages of its end back. Only the holder of the chunk calls this, so its descriptor
 * stands still.
 */
#include "large/registry.h"

#include "large/headroom.h"
#include "os/os.h"

/* Less than this is not worth a system call, unless it is an eighth of the chunk. */
enum { GIVE_BACK_MIN = 64 << 10 };

static char *end_of(const struct large *large)
{
    /* Relaxed: constant while the chunk is live. */
    return pointer_to(atomic_load_explicit(&large->address, memory_order_relaxed) + large->mapped);
}

static void mapped_store(struct large *large, size_t mapped, size_t reserved)
{
    /* Under the lock only for those that walk. */
    if (mapped == reserved && reserved < large->reserved) {
        /* The headroom is gone: a part that may be a hole, or all that was behind the chunk. */
        headroom_give(large->promised);
        large->promised = 0;
    }
    registry_lock();
    cache_count_live(mapped - large->mapped);
    cache_lend(large, 0);
    large->mapped = mapped;
    large->reserved = reserved;
    registry_unlock();
}

/*
 * Commits half as much more as is needed, where there is room: untouched it costs nothing, and the
 * next steps need no system call.
 */
static bool grow_into_headroom(struct large *large, size_t needed)
{
    size_t mapped = needed < large->reserved - needed / 2
                        ? round_up(needed + needed / 2, os_page_size())
                        : needed;
    size_t more = mapped - large->mapped;

    if (os_renew(end_of(large), more)) {
        mapped_store(large, mapped, large->reserved);
        return true;
    }
    /* That part may be a hole now, which is not ours any more; what is behind it goes. */
    if (large->reserved > mapped)
        os_unmap(end_of(large) + more, large->reserved - mapped);
    mapped_store(large, large->mapped, large->mapped);
    return false;
}

static bool grow(struct large *large, size_t needed)
{
    if (needed <= large->reserved)
        return grow_into_headroom(large, needed);
    if (large->reserved == large->mapped && os_map_at(end_of(large), needed - large->mapped)) {
        mapped_store(large, needed, needed);
        return true;
    }
    return false;
}

static void shrink(struct large *large, size_t needed)
{
    size_t less;

    needed = large_mapping_size(needed);
    if (needed >= large->mapped)
        return;
    less = large->mapped - needed;
    if (less < GIVE_BACK_MIN && less < large->mapped / 8)
        return;
    /* The headroom goes too: a chunk that shrinks is not the one that will grow for long. */
    if (os_unmap(end_of(large) - less, less + (large->reserved - large->mapped)))
        mapped_store(large, needed, needed);
}

bool large_resize(uintptr_t address, size_t size)
{
    size_t needed = round_up(size, os_page_size());
    struct large *large;
    size_t was;

    registry_lock();
    large = registry_find(address);
    registry_unlock();
    if (large == NULL || needed < size || (needed > large->mapped && !grow(large, needed)))
        return false;
    /*
     * Relaxed: the holder's own. It is smaller before its pages go: others may have them at once.
     */
    was = atomic_load_explicit(&large->requested, memory_order_relaxed);
    atomic_store_explicit(&large->requested, size + 1, memory_order_relaxed);
    /* What a growing chunk has in advance stays. */
    if (size + 1 < was)
        shrink(large, needed);
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
    /* Relaxed: the holder's own. */
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
    /* A free of it at the same time, which needs no lock, is not undone. */
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
