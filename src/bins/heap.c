/*
 * Heaps: mapping and unmapping them, cutting runs of units out of them, joining what comes back. Free runs
 * are bits in a map, so neighbours are joined by nature and serve any class; the lowest fit is taken, so that
 * high units drain. What stays free for a tick or two is given back to the kernel in large pieces.
 */
#include "bins/heap.h"

#include "bins/bits.h"
#include "bins/heap_guards.h"
#include "bins/heap_walk.h"
#include "bins/space.h"

#include "large/large.h"
#include "os/os.h"
#include "os/structure_lock.h"

enum {
    /* Smaller pieces are left alone when ageing: a system call and its page faults cost more than they give. */
    PURGE_UNITS_MIN = 8,
};

static_assert(TINY_HEAP_SIZE == 1 << TINY_HEAP_SHIFT && SMALL_HEAP_SIZE == 1 << SMALL_HEAP_SHIFT, "shifts");
static_assert((TINY_UNITS - TINY_FIRST_UNIT) * (UNIT_SIZE / TINY_MAX) >= 100, "100 chunks in a TINY heap");
static_assert((SMALL_UNITS - SMALL_FIRST_UNIT) / SLAB_UNITS_MAX >= 100, "100 chunks in a SMALL heap");

void heap_set_init(struct heap_set *set, struct arena *arena, uintptr_t *own, uint16_t tag, bool small)
{
    *set = (struct heap_set){.arena = arena, .own = own, .tag = tag, .small = small};
    own[0] = OWN_NONE;
}

static uintptr_t *own_entry(struct heap_set *set, uintptr_t base)
{
    return &set->own[base >> (set->small ? SMALL_HEAP_SHIFT : TINY_HEAP_SHIFT) & (OWN_HEAPS - 1)];
}

static void own_insert(struct heap_set *set, uintptr_t base)
{
    *own_entry(set, base) = base;
}

static void own_remove(struct heap_set *set, uintptr_t base)
{
    uintptr_t *entry = own_entry(set, base);

    if (*entry == base)
        *entry = entry == set->own ? OWN_NONE : 0;
}

static void open_insert(struct heap_set *set, struct heap *heap)
{
    heap->prev_open = NULL;
    heap->next_open = set->open;
    if (set->open != NULL)
        set->open->prev_open = heap;
    set->open = heap;
}

static void open_remove(struct heap_set *set, struct heap *heap)
{
    if (heap->prev_open != NULL)
        heap->prev_open->next_open = heap->next_open;
    else
        set->open = heap->next_open;
    if (heap->next_open != NULL)
        heap->next_open->prev_open = heap->prev_open;
}

/* The list that walkers follow. Structure lock. */
static void heaps_insert(struct heap_set *set, struct heap *heap)
{
    struct heap *first = atomic_load_explicit(&set->heaps, memory_order_relaxed);

    heap->number = ++set->count;
    heap->prev = NULL;
    heap->next = first;
    if (first != NULL)
        first->prev = heap;
    atomic_store_explicit(&set->heaps, heap, memory_order_release);
}

static void heaps_remove(struct heap_set *set, struct heap *heap)
{
    if (heap->prev != NULL)
        heap->prev->next = heap->next;
    else
        atomic_store_explicit(&set->heaps, heap->next, memory_order_release);
    if (heap->next != NULL)
        heap->next->prev = heap->prev;
}

static void all_free(struct heap *heap)
{
    unsigned first = heap_first_unit(heap), units = heap_units(heap);

    heap->free_units = 0;
    for (unsigned word = 0; word < UNIT_WORDS; word++)
        heap->vacant[word] = 0;
    bits_set(heap->vacant, first, units - first);
    for (unsigned word = 0; word < UNIT_WORDS; word++) {
        heap->vacant[word] &= ~(heap->lost[word] | heap->guards[word]);
        heap->free_units += (unsigned)__builtin_popcountll(heap->vacant[word]);
    }
    for (unsigned word = 0; word < SMALL_SLABS / 64; word++)
        heap->free_numbers[word] = ~UINT64_C(0);
}

static struct heap *heap_create(struct heap_set *set)
{
    size_t size = set->small ? SMALL_HEAP_SIZE : TINY_HEAP_SIZE;
    uintptr_t base = space_find_heap(&size, set->small ? SMALL_HEAP_LEAST : TINY_HEAP_LEAST);
    struct heap *heap;
    bool entered;

    if (base == 0)
        return NULL;
    heap = heap_at(base, set->tag);
    heap->set = set;
    heap->arena = set->arena;
    heap->base = base;
    heap->size = size;
    heap->units = heap_units_in(size);
    if (heap_in_steps())
        heap_guard(heap);
    all_free(heap);
    structure_lock_write();
    entered = heap_map_set(base, size, heap->units, set->tag);
    if (entered)
        heaps_insert(set, heap);
    structure_unlock();
    if (!entered) {
        heap_unguard(heap->guard_units);
        space_unmap_heap(base, size);
        return NULL;
    }
    open_insert(set, heap);
    own_insert(set, base);
    return heap;
}

/* So that walkers do not find the heap any more. False: one is in it, and nothing has changed. Structure lock. */
static bool leave_list(struct heap *heap)
{
    if (heap_pinned(heap))
        return false;
    heaps_remove(heap->set, heap);
    heap_map_clear(heap->base, heap_size(heap));
    return true;
}

/*
 * For a heap that is in no list any more, and has no live chunk: so it is missed by nobody while the kernel takes its
 * time. When the kernel refuses, it is as it was.
 */
static bool unmap(struct heap *heap)
{
    struct heap_set *set = heap->set;
    uintptr_t base = heap->base;
    size_t size = heap_size(heap);
    unsigned guards = heap->guard_units;

    open_remove(set, heap);
    own_remove(set, base);
    if (space_unmap_heap(base, size)) {
        heap_unguard(guards);
        return true;
    }
    structure_lock_write();
    heap_map_set(base, size, heap->units, set->tag);
    heaps_insert(set, heap);
    structure_unlock();
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
    return alone && unmap(heap);
}

static bool wholly_free(const struct heap *heap)
{
    return heap->free_units + heap->guard_units == heap_units(heap) - heap_first_unit(heap);
}

/* A heap that is being rebuilt is not open: what is free in it is not all known yet. */
static bool being_rebuilt(const struct heap *heap)
{
    return heap->set->unknown.heap == heap;
}

/* The repair after a fork is about to go on there. */
static bool awaits_repair(const struct heap *heap)
{
    return heap->set->unswept.heap == heap || being_rebuilt(heap);
}

/*
 * Of the heaps that are wholly free one is kept. The others go, if nobody is in the list or in the heap: else at a later
 * tick. True when this one is gone.
 */
static bool retire(struct heap *heap)
{
    struct heap_set *set = heap->set;
    bool alone;

    if (set->idle == NULL)
        set->idle = heap;
    if (set->idle == heap || awaits_repair(heap) || !structure_lock_try_write())
        return false;
    alone = leave_list(heap);
    structure_unlock();
    return alone && unmap(heap);
}

struct heap *heap_set_take_aligned(struct heap_set *set, unsigned units, unsigned align, unsigned *first,
                                   bool *clean)
{
    struct heap *heap;
    unsigned end = set->small ? SMALL_UNITS : TINY_UNITS;
    unsigned unit = end;

    for (heap = set->open; heap != NULL; heap = heap->next_open) {
        unit = heap->free_units >= units ? run_find(heap->vacant, end, units, align) : end;
        if (unit < end)
            break;
    }
    if (heap == NULL) {
        heap = heap_create(set);
        if (heap == NULL)
            return NULL;
        unit = run_find(heap->vacant, end, units, align);
        /* Guards inside may leave no such place: then it is a heap for others. */
        if (unit >= end)
            return NULL;
    }
    if (set->idle == heap)
        set->idle = NULL;
    *first = unit;
    if (unlikely(!heap_commit(heap, unit, units)))
        return NULL;
    *clean = bit_next(heap->dirty, unit, unit + units, 0) == unit + units;
    if (*clean)
        large_make_way((size_t)units * UNIT_SIZE);
    heap_claim(heap, unit, units);
    return heap;
}

bool heap_claim(struct heap *heap, unsigned first, unsigned units)
{
    if (first < heap_first_unit(heap) || first + units > heap_units(heap) ||
        bit_next(heap->vacant, first, first + units, ~UINT64_C(0)) != first + units)
        return false;
    bits_clear(heap->vacant, first, units);
    bits_clear(heap->aged, first, units);
    heap->free_units -= units;
    if (heap->free_units == 0 && !being_rebuilt(heap))
        open_remove(heap->set, heap);
    return true;
}

void heap_lose(struct heap *heap, unsigned first, unsigned units)
{
    bits_clear(heap->vacant, first, units);
    bits_set(heap->lost, first, units);
    heap->free_units -= units;
    if (heap->free_units == 0)
        open_remove(heap->set, heap);
}

/* Gives one free run back. A piece that the kernel fails to renew may be a hole: it is never used again. */
static size_t purge_run(struct heap *heap, unsigned first, unsigned units)
{
    void *start = (void *)(heap->base + (uintptr_t)first * UNIT_SIZE); // NOLINT: an address becomes a pointer

    bits_clear(heap->aged, first, units);
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
    uint64_t may_go = heap->vacant[word] & (aged_only ? heap->aged[word] | unwritten : ~UINT64_C(0));

    return bits_whole(may_go, page_units) & ~bits_whole(unwritten, page_units);
}

/* Gives back the runs of free, dirty pages that are at least `least` units long; only aged ones, or all. */
static size_t purge(struct heap *heap, bool aged_only, unsigned least)
{
    uint64_t due[UNIT_WORDS];
    unsigned end = heap_units(heap);
    size_t bytes = 0;

    for (unsigned word = 0; word < UNIT_WORDS; word++)
        due[word] = due_units(heap, word, aged_only);
    for (unsigned first = bit_next(due, 0, end, 0); first < end;) {
        unsigned stop = bit_next(due, first, end, ~UINT64_C(0));

        if (stop - first >= least)
            bytes += purge_run(heap, first, stop - first);
        first = bit_next(due, stop, end, 0);
    }
    return bytes;
}

void heap_set_age(struct heap_set *set)
{
    struct heap *heap, *next;
    bool tried = false;

    for (heap = set->open; heap != NULL; heap = next) {
        next = heap->next_open;
        /* One at a tick: no call pays for many, and those that the kernel refuses are not all tried again. */
        if (!tried && heap != set->idle && wholly_free(heap)) {
            tried = true;
            if (retire(heap))
                continue;
        }
        purge(heap, true, PURGE_UNITS_MIN);
        for (unsigned word = 0; word < UNIT_WORDS; word++)
            heap->aged[word] = heap->vacant[word] & heap->dirty[word];
    }
}

void heap_give_touched(struct heap *heap, unsigned first, unsigned units, unsigned touched)
{
    struct heap_set *set = heap->set;
    bool closed = being_rebuilt(heap);

    if (heap->free_units == 0 && !closed)
        open_insert(set, heap);
    bits_set(heap->vacant, first, units);
    bits_set(heap->dirty, first, touched);
    heap->free_units += units;
    if (!closed && wholly_free(heap))
        retire(heap);
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
    struct heap *heap, *next;

    for (heap = set->open; heap != NULL; heap = next) {
        next = heap->next_open;
        purge(heap, false, PURGE_UNITS_MIN);
    }
}

size_t heap_set_release(struct heap_set *set)
{
    struct heap *heap, *next;
    size_t bytes = 0;

    set->idle = NULL;
    for (heap = set->open; heap != NULL; heap = next) {
        size_t size = heap_size(heap);

        next = heap->next_open;
        if (wholly_free(heap) && heap_destroy(heap))
            bytes += size;
    }
    return bytes;
}

size_t heap_set_trim(struct heap_set *set)
{
    struct heap *heap, *next;
    size_t bytes = heap_set_release(set);

    for (heap = set->open; heap != NULL; heap = next) {
        next = heap->next_open;
        bytes += purge(heap, false, 1);
    }
    return bytes;
}

void heap_set_forget(struct heap_set *set)
{
    set->open = NULL;
    set->idle = NULL;
    for (unsigned entry = 0; entry < OWN_HEAPS; entry++)
        set->own[entry] = entry == 0 ? OWN_NONE : 0;
}

void heap_forget(struct heap *heap)
{
    all_free(heap);
    for (unsigned word = 0; word < UNIT_WORDS; word++) {
        heap->dirty[word] = ~heap->reserved[word];
        heap->aged[word] = 0;
    }
}

void heap_adopt(struct heap *heap)
{
    if (heap->free_units > 0)
        open_insert(heap->set, heap);
    own_insert(heap->set, heap->base);
}
