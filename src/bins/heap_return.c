/*
 * How memory of heaps is given back to the kernel: a heap that is wholly free is unmapped; other
 * free runs are purged in long pieces, when they have been free for a tick or two.
 *
 * A call gives back a bounded amount: set->allowance says how many units are left to it. The next
 * slow calls continue with the rest. Heaps that are leaving wait at the end of the open list, and a
 * round over the heaps of the set stops where it is.
 */
#include "bins/heap.h"

#include "base/bits.h"
#include "base/mappings.h"
#include "base/structure_lock.h"
#include "bins/heap_guards.h"
#include "bins/heap_lists.h"
#include "bins/heap_pages.h"
#include "bins/heap_purge.h"
#include "bins/heap_states.h"
#include "bins/heap_steps.h"
#include "bins/heap_walk.h"
#include "bins/limbo.h"
#include "bins/space.h"
#include "os/os.h"

/* How many heaps a call looks at in a round: their maps are not in the processor's cache. */
enum { ROUND_HEAPS = 64 };

/*
 * Hides the heap from walkers. Returns false if one is in it; nothing has changed then. Under the
 * structure lock.
 */
static bool hide_from_walkers(struct heap *heap)
{
    if (heap_pinned(heap))
        return false;
    heaps_remove(heap->set, heap);
    heap_map_clear(heap->base, heap_size(heap));
    return true;
}

static bool hide(struct heap *heap)
{
    bool hidden;

    structure_lock_write();
    hidden = hide_from_walkers(heap);
    structure_unlock();
    return hidden;
}

/* Lets walkers and look-ups find the heap again. */
static void show_to_walkers(struct heap *heap)
{
    structure_lock_write();
    heap_map_set(heap->base, heap_size(heap), heap->units, heap->set->tag);
    heaps_insert(heap->set, heap);
    structure_unlock();
}

/*
 * Unmaps a heap that is hidden and has no live chunk, so that nobody misses it while the kernel
 * takes its time. If the kernel refuses, the heap is as it was before.
 */
static bool unmap_hidden(struct heap *heap, bool at_once)
{
    struct heap_set *set = heap->set;
    uintptr_t base = heap->base;
    size_t size = heap_size(heap);
    unsigned guards = heap->guard_units, mappings = heap_mappings(heap), kept = heap_kept(heap);

    open_remove(set, heap);
    own_remove(set, base);
    if ((!at_once && limbo_put(base, size, heap_committed(heap))) || space_unmap_heap(base, size)) {
        heap_unguard(guards);
        mappings_give(mappings);
        kept_change(&set->kept, -kept, 0);
        return true;
    }
    show_to_walkers(heap);
    if (heap->leaving)
        open_append(set, heap);
    else
        open_insert(set, heap);
    own_insert(set, base);
    return false;
}

/* Returns true if the heap was unmapped. */
static bool heap_destroy(struct heap *heap)
{
    return hide(heap) && unmap_hidden(heap, true);
}

static unsigned cost_of(const struct heap *heap)
{
    unsigned units = heap_first_unit(heap);

    for (unsigned word = 0; word < UNIT_WORDS; word++)
        units += (unsigned)__builtin_popcountll(heap->dirty[word]);
    return units;
}

/*
 * Returns false if a walker is in the heap, another thread holds the lock, or the kernel refuses;
 * then the heap is tried again later.
 */
static bool try_destroy(struct heap *heap)
{
    bool alone;

    if (awaits_repair(heap) || !structure_lock_try_write())
        return false;
    alone = hide_from_walkers(heap);
    structure_unlock();
    return alone && unmap_hidden(heap, false);
}

/* Keeps the heap in reserve if there is no other one. */
static bool keep_in_reserve(struct heap *heap)
{
    struct heap_set *set = heap->set;

    if (set->idle != NULL || set->thorough)
        return set->idle == heap;
    set->idle = heap;
    if (heap->leaving)
        open_keep(set, heap);
    return true;
}

/*
 * Counts units that were given back, so that the set learns how long to keep them. What
 * malloc_trim() gives back says nothing about that.
 */
static void note_given(struct heap_set *set, unsigned units)
{
    if (!set->thorough)
        ageing_give(&set->ageing, units);
}

static void purge(struct heap *heap, bool aged_only, unsigned least)
{
    size_t bytes = heap_purge(heap, aged_only, least, &heap->set->allowance);

    note_given(heap->set, (unsigned)(bytes / UNIT_SIZE));
}

/*
 * Unmaps a leaving heap. If that is too much for one call, its memory is purged piece by piece
 * first. Returns false if the heap could not be unmapped now.
 */
static bool unmap_leaving(struct heap *heap)
{
    struct heap_set *set = heap->set;
    unsigned cost = cost_of(heap);

    if (cost > set->allowance) {
        purge(heap, false, 1);
        return false;
    }
    set->waiting = try_destroy(heap);
    if (set->waiting) {
        set->allowance = allowance_less(set->allowance, cost);
        note_given(set, cost);
    }
    return set->waiting;
}

void heap_set_let_go(struct heap_set *set)
{
    struct heap *heap;

    while ((heap = set->open_last) != NULL && heap->leaving)
        if (!set->alone)
            open_keep(set, heap);
        else if (!keep_in_reserve(heap) && !unmap_leaving(heap))
            return;
    set->waiting = false;
    if (!set->in_round)
        set->thorough = false;
}

/* Returns whether all that is memory in a wholly free heap has been free for a round. */
static bool is_old(const struct heap *heap)
{
    for (unsigned word = 0; word < UNIT_WORDS; word++)
        if (heap->vacant[word] & heap->dirty[word] & ~heap->aged[word])
            return false;
    return true;
}

static bool may_go(const struct heap *heap)
{
    const struct heap_set *set = heap->set;

    return set->alone && (set->thorough || !ageing_keeps_heaps(&set->ageing) || is_old(heap));
}

void heap_retire(struct heap *heap)
{
    struct heap_set *set = heap->set;

    if (keep_in_reserve(heap) || !may_go(heap))
        return;
    if (!heap->leaving)
        open_leave(set, heap);
    set->waiting = true;
    heap_set_let_go(set);
}

/* Handles the next heap of a round. Returns false if the allowance is used up. */
static bool age_heap(struct heap_set *set, struct heap *heap)
{
    unsigned least = set->thorough ? 1 : HEAP_PURGE_LEAST;

    if (wholly_free(heap) && heap != set->idle && may_go(heap)) {
        heap_retire(heap);
        return set->allowance > 0;
    }
    purge(heap, !set->thorough, least);
    if (set->allowance == 0)
        return false;
    for (unsigned word = 0; word < UNIT_WORDS; word++)
        heap->aged[word] = heap->vacant[word] & heap->dirty[word];
    if (set->thorough)
        heap_states_purge(heap, &set->allowance);
    if (set->allowance == 0)
        return false;
    if (set->age_next == heap)
        set->age_next = heap->next_open;
    return true;
}

bool heap_set_age(struct heap_set *set)
{
    if (!set->in_round) {
        set->in_round = true;
        set->age_next = set->open;
        ageing_round(&set->ageing);
    }
    /* Leaving heaps are at the end of the list, and have been handled already. */
    for (unsigned seen = 0; set->age_next != NULL && !set->age_next->leaving; seen++)
        if (seen == ROUND_HEAPS || !age_heap(set, set->age_next))
            return false;
    set->age_next = NULL;
    set->in_round = false;
    heap_set_let_go(set);
    return !set->waiting;
}

size_t heap_set_release(struct heap_set *set)
{
    /* The kernel may refuse to unmap a heap, which then may move to the end of the list. */
    struct heap *heap, *next, *last = set->open_last;
    unsigned all = HEAP_ALLOWANCE_ALL;
    size_t bytes = 0;

    set->idle = NULL;
    for (heap = set->open; heap != NULL; heap = next) {
        size_t size = heap_size(heap);

        next = heap == last ? NULL : heap->next_open;
        if (!wholly_free(heap))
            continue;
        if (!set->alone)
            bytes += heap_purge(heap, false, 1, &all) + heap_states_purge(heap, &all);
        else if (heap_destroy(heap))
            bytes += size;
    }
    /* Heaps in limbo gave their memory back before, and their address space is not counted. */
    if (limbo_any())
        limbo_empty(true);
    return bytes;
}

size_t heap_set_trim(struct heap_set *set)
{
    unsigned all = HEAP_ALLOWANCE_ALL;
    struct heap *heap, *next;
    size_t bytes = heap_set_release(set);

    for (heap = set->open; heap != NULL; heap = next) {
        next = heap->next_open;
        bytes += heap_purge(heap, false, 1, &all) + heap_states_purge(heap, &all);
    }
    return bytes;
}

bool heap_set_trim_step(struct heap_set *set)
{
    if (!set->thorough) {
        struct heap *heap, *next;

        set->idle = NULL;
        for (heap = set->open; heap != NULL && !heap->leaving; heap = next) {
            next = heap->next_open;
            if (wholly_free(heap) && set->alone)
                open_leave(set, heap);
        }
        set->thorough = set->in_round = set->waiting = true;
        set->age_next = set->open;
    }
    return heap_set_age(set);
}
