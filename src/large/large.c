/*
 * LARGE chunks: allocating, freeing, looking up. System calls are made without the lock. A
 * descriptor that is in neither hash nor cache belongs to the thread that took it out.
 */
#include "large/registry.h"

#include "large/quarantine.h"

#include "base/clock.h"
#include "base/mappings.h"
#include "base/options.h"
#include "large/headroom.h"
#include "large/stash.h"
#include "os/os.h"

/*
 * Larger chunks have headroom from the beginning, so that their first growth does not copy them.
 * Chunks of up to this size pass through the stashes, which accept only mappings without headroom.
 */
static const size_t no_headroom_up_to = (size_t)1 << 20;

static void *map_aligned(size_t size, size_t align)
{
    return align <= os_page_size() ? os_map(size) : os_map_aligned(size, align);
}

static void *map_or_trim(size_t size, size_t align)
{
    void *start = map_aligned(size, align);

    if (start == NULL && large_trim() > 0)
        start = map_aligned(size, align);
    return start;
}

void *large_enter(void *start, size_t size, const struct large_place *place)
{
    struct large *large;

    registry_lock();
    large = registry_new();
    if (large != NULL) {
        atomic_store_explicit(&large->requested, size + 1, memory_order_relaxed);
        large->mapped = place->mapped;
        large->reserved = place->reserved;
        large->promised = place->promised;
        large->guarded = place->guarded;
        registry_insert(large, (uintptr_t)start);
        cache_count_live(place->mapped);
    }
    registry_unlock();
    if (large == NULL) {
        large_unmap_range(start, place->reserved, place->guarded);
        headroom_give(place->promised);
        return NULL;
    }
    return start;
}

static void *map_exact(size_t mapped, size_t align, bool guarded)
{
    void *start = guarded ? os_map_guarded(mapped) : map_aligned(mapped, align);

    if (start == NULL && large_trim() > 0)
        start = guarded ? os_map_guarded(mapped) : map_aligned(mapped, align);
    return start;
}

/*
 * In hardened mode nothing waits in the cache, so all memory is fresh. There are guards unless the
 * alignment prevents them.
 */
static void *alloc_exact(size_t size, size_t align)
{
    bool guarded = align <= os_page_size();
    size_t mapped = large_mapped_exact(size, guarded);
    void *start = mapped == 0 ? NULL : map_exact(mapped, align, guarded);

    return start == NULL
               ? NULL
               : large_enter(start, size, &(struct large_place){mapped, mapped, 0, guarded});
}

/*
 * Allocates a chunk with as much of `wanted` bytes of headroom as it can have. Returns NULL if it
 * can have none.
 */
static void *map_with_headroom(size_t size, size_t mapped, size_t wanted)
{
    size_t headroom = os_memory_limit() != SIZE_MAX ? 0 : headroom_take(mapped, wanted);
    char *start = headroom == 0 ? NULL : os_reserve(mapped + headroom);
    struct large_place place = {mapped, mapped + headroom, mapped + headroom, false};

    if (start != NULL && os_renew(start, mapped))
        return large_enter(start, size, &place);
    /* The first part may be a hole by now, and is then not ours to unmap; the headroom is ours. */
    if (start != NULL)
        os_unmap(start + mapped, headroom);
    if (headroom != 0)
        headroom_give(place.promised);
    return NULL;
}

/*
 * Allocates a chunk without headroom: of `mapped` bytes, or of `needed` if there is no more memory.
 */
static void *map_plain(size_t size, size_t needed, size_t mapped, size_t align)
{
    void *start = map_or_trim(mapped, align);

    if (start == NULL && needed < mapped) {
        mapped = needed;
        start = map_aligned(mapped, align);
    }
    return start == NULL
               ? NULL
               : large_enter(start, size, &(struct large_place){mapped, mapped, 0, false});
}

/*
 * Takes a free mapping: one with memory from the cache, one without, or one from the cache that has
 * to become longer.
 */
static struct large *take_free(size_t size, size_t mapped, size_t align, bool *clean)
{
    struct large *large, *shorter = NULL;

    registry_lock();
    large = cache_take(mapped, align);
    *clean = large == NULL;
    if (large == NULL)
        large = vacated_take(mapped, align);
    if (large != NULL)
        atomic_store_explicit(&large->requested, size + 1, memory_order_relaxed);
    else
        shorter = cache_take_short(mapped, align);
    registry_unlock();
    if (shorter != NULL && large_lengthen(shorter, mapped, size)) {
        *clean = false;
        return shorter;
    }
    return large;
}

void *large_alloc(size_t size, size_t align, bool *clean)
{
    size_t needed = round_up(size > 0 ? size : 1, os_page_size());
    size_t mapped = large_mapping_size(needed);
    struct large *large;
    void *start;

    if (needed < size)
        return NULL;
    if (unlikely(policy_guards())) {
        *clean = true;
        return alloc_exact(size, align);
    }
    large = take_free(size, mapped, align, clean);
    if (large != NULL)
        return large_start(large);
    large_make_way(0);
    if (mapped > no_headroom_up_to && align <= os_page_size()) {
        start = map_with_headroom(size, mapped, headroom_first(mapped));
        if (start != NULL)
            return start;
    }
    return map_plain(size, needed, mapped, align);
}

void *large_reuse_growing(size_t size)
{
    struct large *large;

    if (!cache_may_have_grown())
        return NULL;
    registry_lock();
    large = cache_take_growing(round_up(size, os_page_size()));
    if (large != NULL)
        atomic_store_explicit(&large->requested, size + 1, memory_order_relaxed);
    registry_unlock();
    return large == NULL ? NULL : large_start(large);
}

void *large_try_growing(size_t size)
{
    size_t mapped = round_up(size, os_page_size());

    return mapped < size ? NULL : map_with_headroom(size, mapped, headroom_ample(mapped));
}

void *large_alloc_growing(size_t size, bool *clean)
{
    void *start = large_try_growing(size);

    *clean = start != NULL;
    return start != NULL ? start : large_alloc(size, 1, clean);
}

/*
 * Marks the live chunk at the address as freed and returns it. If there is none, returns NULL.
 * `*result` says what was found.
 */
static struct large *mark_free_at(uintptr_t address, enum large_freed *result)
{
    struct large *large = registry_find(address);
    size_t requested = large == NULL ? 0 : registry_mark_free(large);

    *result = large == NULL ? LARGE_UNKNOWN : requested == 0 ? LARGE_WAS_FREE : LARGE_FREED;
    if (*result != LARGE_FREED)
        return NULL;
    atomic_store_explicit(&large->was, requested - 1, memory_order_relaxed);
    cache_lend(large, 0);
    cache_count_live(-large->mapped);
    return large;
}

enum large_freed large_free(uintptr_t address, bool keep)
{
    uint64_t now = clock_now();
    enum large_freed result;
    struct large *evicted = NULL;
    struct large *large;

    registry_lock();
    large = mark_free_at(address, &result);
    if (large != NULL && keep) {
        cache_put(large, now);
        evicted = cache_evict(now, false);
    } else if (large != NULL) {
        registry_take_out(large);
        large->next = NULL;
        evicted = large;
    }
    registry_unlock();
    large_unmap_list(evicted);
    return result;
}

void large_free_marked(struct large *large, struct large **hand)
{
    uint64_t now = clock_now();
    struct large *evicted;

    registry_lock();
    *hand = NULL;
    cache_lend(large, 0);
    cache_count_live(-large->mapped);
    cache_put(large, now);
    evicted = cache_evict(now, false);
    registry_unlock();
    large_unmap_list(evicted);
}

static void fill_info(const struct large *large, struct large_info *info)
{
    size_t requested = atomic_load_explicit(&large->requested, memory_order_relaxed);

    info->start = atomic_load_explicit(&large->address, memory_order_relaxed);
    info->live = requested != 0;
    info->requested =
        requested != 0 ? requested - 1 : atomic_load_explicit(&large->was, memory_order_relaxed);
    info->usable = large->mapped;
}

bool large_find(uintptr_t address, struct large_info *info)
{
    struct large *large;

    registry_lock();
    large = registry_find(address);
    if (large != NULL)
        fill_info(large, info);
    registry_unlock();
    return large != NULL;
}

struct piece {
    struct large_info found[REGISTRY_PIECE];
    unsigned count;
};

static void add_to_piece(void *context, struct large *large)
{
    struct piece *piece = context;

    fill_info(large, &piece->found[piece->count++]);
}

/*
 * Copies each piece under the lock and visits it without, so that other threads wait neither for
 * the visitor nor for the whole walk.
 */
void large_walk(void (*visit)(void *context, const struct large_info *info), void *context)
{
    struct registry_place place = {.block = NULL};
    struct piece piece;

    while (!place.last) {
        piece.count = 0;
        registry_lock();
        registry_next(&place, add_to_piece, &piece);
        registry_unlock();
        for (unsigned i = 0; i < piece.count; i++)
            visit(context, &piece.found[i]);
    }
}

struct search {
    uintptr_t address;
    struct large_info *info;
    bool found;
};

static void visit_around(void *context, const struct large_info *info)
{
    struct search *search = context;

    if (!info->live || search->address < info->start ||
        search->address - info->start >= info->usable)
        return;
    *search->info = *info;
    search->found = true;
}

bool large_find_around(uintptr_t address, struct large_info *info)
{
    struct search search = {.address = address, .info = info};

    large_walk(visit_around, &search);
    return search.found;
}

static void cache_or_count_again(void *context, struct large *large)
{
    (void)context;
    size_t lent = large->lent;

    if (atomic_load_explicit(&large->requested, memory_order_relaxed) != 0) {
        cache_count_live(large->mapped);
        /* The cache has forgotten its sum of lent bytes, and adds them up again. */
        large->lent = 0;
        cache_lend(large, lent);
    } else if (!registry_taken(large)) {
        if (large->vacated)
            vacated_put(large);
        else
            cache_put(large, clock_now());
    }
}

void large_after_fork(const struct large_stash *own)
{
    const struct large *hand = own == NULL ? NULL : own->hand;
    bool rebuild = registry_lock_renew();

    mappings_after_fork();
    if (!rebuild)
        return;
    vacated_reset();
    cache_reset();
    stash_reset(hand);
    registry_leave_in_hand(hand);
    registry_rebuild();
    registry_each(cache_or_count_again, NULL);
}
