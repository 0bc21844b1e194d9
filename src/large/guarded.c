/*
 * Resizing LARGE chunks in hardened mode. A growing chunk has headroom here, too. The headroom is
 * address space that nobody may touch, so it is the guard behind the chunk; at least one page of it
 * remains when the chunk has filled the rest. Memory that a chunk loses becomes such space again.
 * Only the holder of the chunk calls these functions.
 */
#include "large/registry.h"

#include "large/headroom.h"
#include "os/os.h"

void *large_alloc_growing_guarded(size_t size)
{
    size_t page = os_page_size();
    size_t mapped = large_mapped_exact(size, true);
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
         * The chunk's place may be a hole by now, and is then not ours to unmap; what is around it
         * is ours.
         */
        os_unmap(space, page);
        os_unmap(start + mapped, headroom + page);
    }
    if (headroom != 0)
        headroom_give(place.promised);
    return large_alloc(size, 1, &clean);
}

static void store_guarded(struct large *large, size_t mapped, size_t reserved, bool guarded)
{
    /* The lock is for walkers only. */
    registry_lock();
    large->mapped = mapped;
    large->reserved = reserved;
    large->guarded = guarded;
    registry_unlock();
}

/*
 * The range from `kept` to `lost` may be a hole, which is not ours any more. Unmaps what is around
 * it, so that only the chunk is left to unmap later.
 */
static void lose_guards(struct large *large, size_t kept, size_t lost)
{
    size_t page = os_page_size();
    char *start = large_start(large);

    os_unmap(start - page, page);
    os_unmap(start + lost, large->reserved + page - lost);
    headroom_give(large->promised);
    large->promised = 0;
    store_guarded(large, kept, kept, false);
}

static bool grow_guarded(struct large *large, size_t needed)
{
    if (!large->guarded || needed > large->reserved)
        return false;
    /* No page more than needed: what is behind the chunk stays a guard. */
    if (os_renew(large_end(large), needed - large->mapped)) {
        store_guarded(large, needed, large->reserved, true);
        return true;
    }
    lose_guards(large, large->mapped, needed);
    return false;
}

/* Its size was lowered before. */
static void shrink_guarded(struct large *large, size_t needed)
{
    /* A reader that has seen the old size has ended then: see large_peek(). */
    registry_lock();
    registry_unlock();
    if (os_forbid((char *)large_start(large) + needed, large->mapped - needed))
        store_guarded(large, needed, large->reserved, true);
    else
        lose_guards(large, needed, large->mapped);
}

size_t large_resize_guarded(uintptr_t address, size_t size)
{
    struct large *large;
    size_t needed;

    registry_lock();
    large = registry_find(address);
    registry_unlock();
    if (large == NULL)
        return 0;
    needed = large_mapped_exact(size, large->guarded);
    if (needed == 0 || (needed > large->mapped && !grow_guarded(large, needed)) ||
        (needed < large->mapped && !large->guarded))
        return 0;
    /* Relaxed: only the holder writes it. */
    atomic_store_explicit(&large->requested, size + 1, memory_order_relaxed);
    if (needed < large->mapped)
        shrink_guarded(large, needed);
    return large->mapped;
}
