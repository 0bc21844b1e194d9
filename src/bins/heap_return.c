/*
 * How memory of heaps goes back to the kernel: a heap that is wholly free as a whole, other free
 * runs in large pieces when they have been free for a tick or two.
 *
 * A call gives back so much and no more: set->allowance says how many units are left to it. What it
 * has to leave, the next slow calls go on with: heaps that leave wait at the end of the open list,
 * and a round over the heaps of the set stops where it is.
 */
#include "bins/heap.h"

#include "base/bits.h"
#include "base/mappings.h"
#include "base/structure_lock.h"
#include "bins/heap_guards.h"
#include "bins/heap_lists.h"
#include "bins/heap_walk.h"
#include "bins/limbo.h"
#include "bins/space.h"
#include "os/os.h"

#include <string.h>

enum {
    /*
     * Smaller pieces are left alone when ageing: a system call and its page faults cost more than
     * they give. For the same reason none is cheaper than this.
     */
    PURGE_UNITS_MIN = 8,
    /* How many heaps a call looks at in a round: their maps are cold. */
    ROUND_HEAPS = 64,
};

static unsigned rest_of(unsigned allowance, unsigned cost)
{
    return allowance > cost ? allowance - cost : 0;
}

/*
 * So that walkers do not find the heap any more. False: one is in it, and nothing has changed.
 * Structure lock.
 */
static bool leave_list(struct heap *heap)
{
    if (heap_pinned(heap))
        return false;
    heaps_remove(heap->set, heap);
    heap_map_clear(heap->base, heap_size(heap));
    return true;
}

/* How many runs of set bits a map of units has. */
static unsigned count_runs(const uint64_t *map)
{
    unsigned runs = 0;
    uint64_t before = 0;

    for (unsigned word = 0; word < UNIT_WORDS; word++) {
        runs += (unsigned)__builtin_popcountll(map[word] & ~(map[word] << 1 | before));
        before = map[word] >> 63;
    }
    return runs;
}

/*
 * For a heap that is in no list any more, and has no live chunk: so it is missed by nobody while
 * the kernel takes its time. When the kernel refuses, it is as it was.
 */
static bool unmap(struct heap *heap, bool at_once)
{
    struct heap_set *set = heap->set;
    uintptr_t base = heap->base;
    size_t size = heap_size(heap);
    unsigned guards = heap->guard_units, mappings = HEAP_MAPPINGS + 2 * count_runs(heap->renewed);

    open_remove(set, heap);
    own_remove(set, base);
    if ((!at_once && limbo_put(base, size)) || space_unmap_heap(base, size)) {
        heap_unguard(guards);
        mappings_give(mappings);
        return true;
    }
    structure_lock_write();
    heap_map_set(base, size, heap->units, set->tag);
    heaps_insert(set, heap);
    structure_unlock();
    if (heap->leaving)
        open_append(set, heap);
    else
        open_insert(set, heap);
    own_insert(set, base);
    return false;
}

/* True when the heap is gone. */
static bool heap_destroy(struct heap *heap)
{
    bool alone;

    structure_lock_write();
    alone = leave_list(heap);
    structure_unlock();
    return alone && unmap(heap, true);
}

/*
 * In the child of a fork: puts the mappings on the account that it costs to renew a run of a heap
 * that is older than the process. What was renewed before is joined with its neighbours. False: too
 * many; nothing has changed.
 */
static bool account_for(struct heap *heap, unsigned first, unsigned units)
{
    uint64_t after[UNIT_WORDS];
    unsigned runs = count_runs(heap->renewed), runs_after;

    memcpy(after, heap->renewed, sizeof after);
    bits_set(after, first, units);
    runs_after = count_runs(after);
    if (runs_after > runs && !mappings_take(2 * (runs_after - runs)))
        return false;
    if (runs_after < runs)
        mappings_give(2 * (runs - runs_after));
    memcpy(heap->renewed, after, sizeof after);
    return true;
}

/*
 * Gives one free run back. A piece that the kernel fails to renew may be a hole: it is never used
 * again.
 */
static size_t purge_run(struct heap *heap, unsigned first, unsigned units)
{
    void *start = pointer_to(heap->base + (uintptr_t)first * UNIT_SIZE);

    bits_clear(heap->aged, first, units);
    if (heap->generation != mappings_generation() && !account_for(heap, first, units))
        return 0;
    if (!os_renew(start, (size_t)units * UNIT_SIZE)) {
        heap_lose(heap, first, units);
        return 0;
    }
    bits_clear(heap->dirty, first, units);
    return (size_t)units * UNIT_SIZE;
}

/*
 * Which units of a word of the maps can go back. The kernel renews whole pages, and a page may hold
 * several units: so all units of the page must be free, at least one must be dirty, and with
 * `aged_only` each dirty one must have been free for a tick.
 */
static uint64_t due_units(const struct heap *heap, unsigned word, bool aged_only)
{
    unsigned page_units = os_page_size() > UNIT_SIZE ? (unsigned)(os_page_size() / UNIT_SIZE) : 1;
    uint64_t unwritten = ~heap->dirty[word];
    uint64_t may_go =
        heap->vacant[word] & (aged_only ? heap->aged[word] | unwritten : ~UINT64_C(0));

    return bits_whole(may_go, page_units) & ~bits_whole(unwritten, page_units);
}

/*
 * How many units of a run that is due may go now. Of the run nothing is left that would be too
 * short to go.
 */
static unsigned piece_of(unsigned run, unsigned least, unsigned allowance)
{
    unsigned page_units = os_page_size() > UNIT_SIZE ? (unsigned)(os_page_size() / UNIT_SIZE) : 1;
    unsigned piece = allowance / page_units * page_units;

    if (allowance < PURGE_UNITS_MIN)
        return 0;
    return run <= allowance || run - piece < least ? run : piece;
}

/*
 * Gives back the runs of free, dirty pages that are at least `least` units long; only aged ones, or
 * all. Less, when the allowance is used up: then nothing of it is left.
 */
static size_t purge(struct heap *heap, bool aged_only, unsigned least, unsigned *allowance)
{
    uint64_t due[UNIT_WORDS];
    unsigned end = heap_units(heap);
    size_t bytes = 0;

    for (unsigned word = 0; word < UNIT_WORDS; word++)
        due[word] = due_units(heap, word, aged_only);
    for (unsigned first = bit_next(due, 0, end, 0); first < end;) {
        unsigned stop = bit_next(due, first, end, ~UINT64_C(0));

        if (stop - first >= least) {
            unsigned piece = piece_of(stop - first, least, *allowance);

            if (piece > 0)
                bytes += purge_run(heap, first, piece);
            *allowance =
                piece < stop - first
                    ? 0
                    : rest_of(*allowance, piece > PURGE_UNITS_MIN ? piece : PURGE_UNITS_MIN);
            if (*allowance == 0)
                return bytes;
        }
        first = bit_next(due, stop, end, 0);
    }
    return bytes;
}

static unsigned cost_of(const struct heap *heap)
{
    unsigned units = heap_first_unit(heap);

    for (unsigned word = 0; word < UNIT_WORDS; word++)
        units += (unsigned)__builtin_popcountll(heap->dirty[word]);
    return units;
}

/* False: a walker is in it, or somebody is in the list, or the kernel refuses; later, then. */
static bool try_destroy(struct heap *heap)
{
    bool alone;

    if (awaits_repair(heap) || !structure_lock_try_write())
        return false;
    alone = leave_list(heap);
    structure_unlock();
    return alone && unmap(heap, false);
}

/* In reserve, if there is none. */
static bool reserve(struct heap *heap)
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
 * What is too much for one call goes in pieces, and last of all its address space. False: not now.
 */
static bool go(struct heap *heap)
{
    struct heap_set *set = heap->set;
    unsigned cost = cost_of(heap);

    if (cost > set->allowance) {
        purge(heap, false, 1, &set->allowance);
        return false;
    }
    set->waiting = try_destroy(heap);
    if (set->waiting)
        set->allowance = rest_of(set->allowance, cost);
    return set->waiting;
}

void heap_set_let_go(struct heap_set *set)
{
    struct heap *heap;

    while ((heap = set->open_last) != NULL && heap->leaving)
        if (!reserve(heap) && !go(heap))
            return;
    set->waiting = false;
    if (!set->in_round)
        set->thorough = false;
}

void heap_retire(struct heap *heap)
{
    struct heap_set *set = heap->set;

    if (reserve(heap))
        return;
    if (!heap->leaving)
        open_leave(set, heap);
    set->waiting = true;
    heap_set_let_go(set);
}

/* The next heap of a round. False: the allowance is used up. */
static bool age(struct heap_set *set, struct heap *heap)
{
    unsigned least = set->thorough ? 1 : PURGE_UNITS_MIN;

    if (wholly_free(heap) && heap != set->idle) {
        heap_retire(heap);
        return set->allowance > 0;
    }
    purge(heap, !set->thorough, least, &set->allowance);
    if (set->allowance == 0)
        return false;
    for (unsigned word = 0; word < UNIT_WORDS; word++)
        heap->aged[word] = heap->vacant[word] & heap->dirty[word];
    if (set->age_next == heap)
        set->age_next = heap->next_open;
    return true;
}

bool heap_set_age(struct heap_set *set)
{
    if (!set->in_round) {
        set->in_round = true;
        set->age_next = set->open;
    }
    /* Those that leave come last, and have been seen. */
    for (unsigned seen = 0; set->age_next != NULL && !set->age_next->leaving; seen++)
        if (seen == ROUND_HEAPS || !age(set, set->age_next))
            return false;
    set->age_next = NULL;
    set->in_round = false;
    heap_set_let_go(set);
    return !set->waiting;
}

size_t heap_set_unused(const struct heap_set *set)
{
    size_t units = 0;

    for (const struct heap *heap = set->open; heap != NULL; heap = heap->next_open)
        for (unsigned word = 0; word < UNIT_WORDS; word++)
            units += (unsigned)__builtin_popcountll(heap->vacant[word] & heap->dirty[word]);
    return units * UNIT_SIZE;
}

void heap_set_purge(struct heap_set *set)
{
    unsigned all = HEAP_ALLOWANCE_ALL;
    struct heap *heap, *next;

    for (heap = set->open; heap != NULL; heap = next) {
        next = heap->next_open;
        purge(heap, false, PURGE_UNITS_MIN, &all);
    }
}

size_t heap_set_release(struct heap_set *set)
{
    /* One that the kernel refuses may go to the end of the list. */
    struct heap *heap, *next, *last = set->open_last;
    size_t bytes = 0;

    set->idle = NULL;
    for (heap = set->open; heap != NULL; heap = next) {
        size_t size = heap_size(heap);

        next = heap == last ? NULL : heap->next_open;
        if (wholly_free(heap) && heap_destroy(heap))
            bytes += size;
    }
    /* Their memory has gone back before; of their address space nothing is told. */
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
        bytes += purge(heap, false, 1, &all);
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
            if (wholly_free(heap))
                open_leave(set, heap);
        }
        set->thorough = set->in_round = set->waiting = true;
        set->age_next = set->open;
    }
    return heap_set_age(set);
}
