/*
 * LARGE chunks with FT_MALLOC_HARDEN that change their size. A chunk that grows has headroom too:
 * it is address space that nobody may touch, so it is the guard behind the chunk, and of whatever
 * the chunk has outgrown there is always a page left. What a chunk loses becomes such space again.
 * Only the holder of the chunk calls this.
 */
#include "large/registry.h"

#include "large/headroom.h"
#include "os/os.h"

static char *start_of(const struct large *large)
{
    /* Relaxed: constant while the chunk is live. */
    return pointer_to(atomic_load_explicit(&large->address, memory_order_relaxed));
}

void *large_alloc_growing_hardened(size_t size)
{
    size_t page = os_page_size();
    size_t mapped = large_mapped_hardened(size, true);
    size_t headroom = mapped == 0 || os_memory_limit() != SIZE_MAX
                          ? 0
                          : headroom_take(mapped, headroom_ample(mapped));
    struct large_place place = {mapped, mapped + headroom, mapped + headroom, true};
    char *space = headroom == 0 ? NULL : os_reserve(place.reserved + 2 * page);
    char *start = space + page;
    bool clean;

    if (space != NULL && os_renew(start, mapped))
        return large_enter(start, size, &place);
    if (space != NULL) {
        /*
         * The chunk's place may be a hole by now, and is not ours to unmap; what is around it is.
         */
        os_unmap(space, page);
        os_unmap(start + mapped, headroom + page);
    }
    if (headroom != 0)
        headroom_give(place.promised);
    return large_alloc(size, 1, &clean);
}

static void store(struct large *large, size_t mapped, size_t reserved, bool guarded)
{
    /* Under the lock only for those that walk. */
    registry_lock();
    large->mapped = mapped;
    large->reserved = reserved;
    large->guarded = guarded;
    registry_unlock();
}

/*
 * What lies between `kept` and `lost` may be a hole, which is not ours any more: what is around it
 * goes, so that the chunk is all that there is to unmap.
 */
static void lose_guards(struct large *large, size_t kept, size_t lost)
{
    size_t page = os_page_size();
    char *start = start_of(large);

    os_unmap(start - page, page);
    os_unmap(start + lost, large->reserved + page - lost);
    headroom_give(large->promised);
    large->promised = 0;
    store(large, kept, kept, false);
}

static bool grow(struct large *large, size_t needed)
{
    if (!large->guarded || needed > large->reserved)
        return false;
    /* Not a page more than is needed: what is behind the chunk stays a guard. */
    if (os_renew(start_of(large) + large->mapped, needed - large->mapped)) {
        store(large, needed, large->reserved, true);
        return true;
    }
    lose_guards(large, large->mapped, needed);
    return false;
}

static bool shrink(struct large *large, size_t needed)
{
    if (!large->guarded)
        return false;
    if (os_forbid(start_of(large) + needed, large->mapped - needed))
        store(large, needed, large->reserved, true);
    else
        lose_guards(large, needed, large->mapped);
    return true;
}

size_t large_resize_hardened(uintptr_t address, size_t size)
{
    struct large *large;
    size_t needed;

    registry_lock();
    large = registry_find(address);
    registry_unlock();
    if (large == NULL)
        return 0;
    needed = large_mapped_hardened(size, large->guarded);
    if (needed == 0 || (needed > large->mapped && !grow(large, needed)) ||
        (needed < large->mapped && !shrink(large, needed)))
        return 0;
    /* Relaxed: the holder's own. */
    atomic_store_explicit(&large->requested, size + 1, memory_order_relaxed);
    return large->mapped;
}
