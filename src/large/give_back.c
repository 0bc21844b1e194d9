/*
 * Unmaps LARGE mappings. System calls are made without the lock. A descriptor that is in neither
 * hash nor cache belongs to the thread that took it out.
 */
#include "large/registry.h"

#include "large/quarantine.h"

#include "base/clock.h"
#include "base/options.h"
#include "large/headroom.h"
#include "large/stash.h"
#include "os/os.h"

bool large_unmap_range(void *start, size_t size, bool guarded)
{
    return guarded ? os_unmap_guarded(start, size) : os_unmap(start, size);
}

/*
 * Reserves the range that was unmapped again, with the places of its guards, so that it becomes one
 * mapping with its neighbours.
 */
static void keep_address(const struct large *large, uintptr_t start)
{
    size_t page = large->guarded ? os_page_size() : 0;

    quarantine_keep(start - page, large->reserved + 2 * page);
}

/*
 * Vacates a freed mapping, because unmapping it could cost a mapping. Returns false if that is
 * impossible; the mapping then stays as it is. If the kernel fails to renew the range, it may be a
 * hole, which is not ours any more.
 */
static bool vacate(struct large *large)
{
    void *start = large_start(large);
    bool renewed;

    if (!vacated_possible())
        return false;
    renewed = os_renew(start, large->mapped);
    registry_lock();
    if (renewed) {
        vacated_put(large);
    } else {
        registry_remove(large);
        registry_drop(large);
    }
    registry_unlock();
    return true;
}

/*
 * Unmaps an evicted mapping. Its address leaves the hash before it is unmapped, so that the next
 * mapping at that address finds no old entry. Returns false if the kernel refused; the address is
 * in the hash again then.
 */
static bool unmap_evicted(struct large *large)
{
    bool plain = !policy_guards() && large->promised == 0;
    void *start = large_start(large);
    bool gone;

    registry_lock();
    if (plain && !vacated_may_cut()) {
        registry_unlock();
        return vacate(large);
    }
    registry_note_gone((uintptr_t)start, atomic_load_explicit(&large->was, memory_order_relaxed));
    registry_remove(large);
    registry_unlock();
    gone = large_unmap_range(start, large->reserved, large->guarded);
    if (gone && policy_keep_addresses())
        keep_address(large, (uintptr_t)start);
    if (gone)
        headroom_give(large->promised);
    registry_lock();
    if (gone)
        registry_drop(large);
    else
        registry_insert(large, (uintptr_t)start);
    if (plain && !gone)
        vacated_not_cut();
    registry_unlock();
    return gone;
}

/*
 * Unmaps vacated mappings: those beside the newest, or all. Returns false if there are no more to
 * unmap.
 */
static bool unmap_vacated(bool all)
{
    uintptr_t start;
    struct large *run;
    size_t size;
    bool gone;

    registry_lock();
    run = vacated_run(all, &start, &size);
    registry_unlock();
    if (run == NULL)
        return false;
    gone = os_unmap(pointer_to(start), size);
    registry_lock();
    vacated_run_gone(run, start, size, gone);
    registry_unlock();
    return gone;
}

/*
 * If the kernel refuses one mapping, it is at its limit and will refuse most of them. The rest then
 * waits in the cache again.
 */
size_t large_unmap_list(struct large *list)
{
    size_t bytes = 0;

    for (struct large *next; list != NULL; list = next) {
        size_t mapped = list->mapped;

        next = list->next;
        if (!unmap_evicted(list))
            break;
        bytes += mapped;
    }
    if (vacated_any())
        unmap_vacated(false);
    if (list == NULL)
        return bytes;
    registry_lock();
    for (struct large *next; list != NULL; list = next) {
        next = list->next;
        cache_put(list, clock_now());
    }
    registry_unlock();
    return bytes;
}

size_t large_trim(void)
{
    struct large *evicted;
    size_t bytes;

    registry_lock();
    evicted = cache_evict(0, true);
    registry_unlock();
    bytes = large_unmap_list(evicted);
    while (unmap_vacated(true))
        ;
    return policy_keep_addresses() ? bytes + quarantine_empty() : bytes;
}

void large_make_way(size_t bytes)
{
    struct large *evicted;

    /* Don't wait: the holder may be preempted, and the next caller will evict. */
    if ((cache_is_empty() && !stash_filled()) || !registry_try_lock())
        return;
    cache_owe(bytes);
    evicted = cache_evict(clock_now(), false);
    registry_unlock();
    large_unmap_list(evicted);
}
