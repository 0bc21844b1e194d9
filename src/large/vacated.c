/*
 * Vacated mappings: freed mappings whose memory was given back while their address space is kept.
 * For the kernel, neighbouring mappings of LARGE chunks are one mapping. Unmapping one in the
 * middle makes two of it, and a process has 65,530. When the account of mappings is full, a freed
 * mapping is renewed in place instead, so that the kernel joins it with its neighbours, and it
 * waits here for a request that it fits. When few chunks are left, vacated neighbours are unmapped
 * together.
 *
 * Only plain mappings are vacated: without guards and without headroom. All functions need the
 * registry's lock, except where they say otherwise.
 */
#include "large/registry.h"

#include "base/mappings.h"
#include "os/os.h"

enum {
    LOOK = 8,
    /* How many neighbours are unmapped together: their descriptors are visited under the lock. */
    RUN = 1024,
};

/* If there are no more other chunks than this, vacated mappings are unmapped. */
#ifdef FT_MALLOC_PREFIXED
static size_t few = 2048;

void vacated_few(size_t chunks)
{
    few = chunks;
}
#else
static const size_t few = 2048;
#endif

static struct {
    /* Also read without the lock; relaxed, because it only tells whether a look is worth it. */
    _Atomic size_t count;
    /* How many unmappings may have cut a mapping in two; as many are on the account. */
    unsigned cuts;
    struct large *newest;
    struct large *lists[SIZE_BUCKETS];
} vacated;

static size_t vacated_count(void)
{
    return atomic_load_explicit(&vacated.count, memory_order_relaxed);
}

static void add_to_count(size_t more)
{
    atomic_store_explicit(&vacated.count, vacated_count() + more, memory_order_relaxed);
}

bool vacated_any(void)
{
    return vacated_count() != 0;
}

bool vacated_may_cut(void)
{
    size_t used = registry_count();

    /* There are never more mappings than chunks, live and free ones together. */
    if (vacated.cuts > used) {
        mappings_give(vacated.cuts - (unsigned)used);
        vacated.cuts = (unsigned)used;
    }
    if (!mappings_take(1))
        return false;
    vacated.cuts++;
    return true;
}

void vacated_not_cut(void)
{
    vacated.cuts--;
    mappings_give(1);
}

bool vacated_possible(void)
{
    return mappings_generation() == 0;
}

void vacated_put(struct large *large)
{
    struct large **list = &vacated.lists[size_bucket(large->mapped)];

    large->vacated = true;
    large->taker = NULL;
    large->prev = NULL;
    large->next = *list;
    if (*list != NULL)
        (*list)->prev = large;
    *list = large;
    large->newer = NULL;
    large->older = vacated.newest;
    if (vacated.newest != NULL)
        vacated.newest->newer = large;
    vacated.newest = large;
    add_to_count(1);
}

static void unlink_vacated(struct large *large)
{
    if (large->prev != NULL)
        large->prev->next = large->next;
    else
        vacated.lists[size_bucket(large->mapped)] = large->next;
    if (large->next != NULL)
        large->next->prev = large->prev;
    if (large->older != NULL)
        large->older->newer = large->newer;
    if (large->newer != NULL)
        large->newer->older = large->older;
    else
        vacated.newest = large->older;
    large->vacated = false;
    add_to_count(SIZE_MAX);
}

struct large *vacated_take(size_t size, size_t align)
{
    if (vacated_count() == 0 || size < OS_PAGE || size * 2 < size)
        return NULL;
    for (unsigned bucket = size_bucket(size); bucket <= size_bucket(size * 2); bucket++) {
        struct large *large = vacated.lists[bucket];

        for (unsigned seen = 0; large != NULL && seen < LOOK; seen++, large = large->next)
            if (large->mapped >= size && large->mapped <= size * 2 && large_aligned(large, align)) {
                unlink_vacated(large);
                cache_count_live(large->mapped);
                return large;
            }
    }
    return NULL;
}

/*
 * Returns true if a run may be unmapped. Where few chunks are left there are few mappings, whatever
 * is cut.
 */
static bool may_unmap(bool all)
{
    if (registry_count() - vacated_count() > few)
        return all && vacated_may_cut();
    mappings_add(1);
    vacated.cuts++;
    return true;
}

struct large *vacated_run(bool all, uintptr_t *start, size_t *size)
{
    struct large *first = vacated.newest, *last, *next;

    if (first == NULL || !may_unmap(all))
        return NULL;
    *start = (uintptr_t)large_start(first);
    *size = 0;
    last = NULL;
    for (unsigned n = 0; first != NULL && n < RUN; n++, first = next) {
        uintptr_t end = (uintptr_t)large_end(first);

        *size += first->mapped;
        unlink_vacated(first);
        registry_take_out(first);
        registry_remove(first);
        first->next = last;
        last = first;
        next = registry_find(end);
        if (next != NULL && !next->vacated)
            next = NULL;
    }
    return last;
}

void vacated_run_gone(struct large *run, uintptr_t start, size_t size, bool gone)
{
    uintptr_t end = start + size;

    for (struct large *next; run != NULL; run = next) {
        next = run->next;
        end -= run->mapped;
        if (gone) {
            registry_drop(run);
        } else {
            registry_insert(run, end);
            vacated_put(run);
        }
    }
    if (!gone)
        vacated_not_cut();
}

void vacated_reset(void)
{
    atomic_store_explicit(&vacated.count, 0, memory_order_relaxed);
    vacated.newest = NULL;
    for (unsigned bucket = 0; bucket < SIZE_BUCKETS; bucket++)
        vacated.lists[bucket] = NULL;
}
