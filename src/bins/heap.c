/*
 * Makes heaps, takes runs of units from them, and joins runs that are returned. Free runs are bits
 * in a map, so neighbours are joined without any work and serve any class. A run that is memory is
 * preferred, and of several the lowest, so that high units drain. heap_return.c gives memory back
 * to the kernel.
 */
#include "bins/heap.h"

#include "base/bits.h"
#include "bins/heap_guards.h"
#include "bins/heap_lists.h"
#include "bins/heap_pages.h"
#include "bins/heap_purge.h"
#include "bins/heap_states.h"
#include "bins/heap_steps.h"
#include "bins/space.h"

#include "base/mappings.h"
#include "base/structure_lock.h"
#include "os/os.h"

/*
 * How many heaps a set searches for a run that is memory, before any run will do. A program whose
 * memory is in pieces has many heaps with free units, and few runs.
 */
enum { LOOKED_AT = 16 };

static_assert(TINY_HEAP_SIZE == 1 << TINY_HEAP_SHIFT && SMALL_HEAP_SIZE == 1 << SMALL_HEAP_SHIFT,
              "shifts");
static_assert((TINY_UNITS - TINY_FIRST_UNIT) * (UNIT_SIZE / TINY_MAX) >= 100,
              "100 chunks in a TINY heap");
static_assert((SMALL_UNITS - SMALL_FIRST_UNIT) / SLAB_UNITS_MAX >= 100,
              "100 chunks in a SMALL heap");

void heap_set_init(struct heap_set *set, struct arena *arena, uint16_t tag, bool small,
                   heap_reclaim *reclaim)
{
    *set = (struct heap_set){.arena = arena,
                             .tag = tag,
                             .small = small,
                             .reclaim = reclaim,
                             .alone = true,
                             .allowance = HEAP_ALLOWANCE_ALL};
}

void own_heaps_clear(struct own_heaps *own)
{
    *own = (struct own_heaps){.of = {OWN_NONE}};
}

static void free_all_units(struct heap *heap)
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
    size_t least = set->small ? SMALL_HEAP_LEAST : TINY_HEAP_LEAST;
    size_t committed = heap_first_part(set);
    uintptr_t base = space_find_heap(&size, least, set->reclaim, &committed);
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
    heap->generation = mappings_generation();
    heap_reserve_behind(heap, committed);
    if (heap_has_guards())
        heap_guard(heap);
    free_all_units(heap);
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
    mappings_add(HEAP_MAPPINGS);
    heap_reserve_states(heap);
    return heap;
}

/* Which free units will do: any, those that can be written to, or those that are kept (kept.h). */
enum choice { ANY, COMMITTED, KEPT };

static uint64_t chosen(const struct heap *heap, enum choice choice, unsigned word)
{
    if (choice == KEPT)
        return heap->vacant[word] & heap->dirty[word];
    return choice == ANY ? heap->vacant[word] : heap->vacant[word] & ~heap->reserved[word];
}

/* Returns an open heap with such a run, and the first unit of the lowest one; or NULL. */
static struct heap *find_open(const struct heap_set *set, enum choice choice, unsigned units,
                              unsigned align, unsigned *first)
{
    unsigned end = set->small ? SMALL_UNITS : TINY_UNITS, looked_at = 0;
    uint64_t map[UNIT_WORDS];
    struct heap *heap;

    if (choice == KEPT && kept_units(&set->kept) < units)
        return NULL;
    for (heap = set->open; heap != NULL; heap = heap->next_open) {
        if (heap->free_units < units)
            continue;
        if (choice == KEPT && looked_at++ == LOOKED_AT)
            return NULL;
        for (unsigned word = 0; word < end / 64; word++)
            map[word] = chosen(heap, choice, word);
        *first = run_find(map, end, units, align);
        if (*first < end)
            break;
    }
    return heap;
}

bool heap_set_keeps(const struct heap_set *set, unsigned units, unsigned align)
{
    unsigned first;

    return find_open(set, KEPT, units, align, &first) != NULL;
}

struct heap *heap_set_take_aligned(struct heap_set *set, unsigned units, unsigned align,
                                   unsigned *first, bool *clean)
{
    struct heap *heap = find_open(set, KEPT, units, align, first);
    unsigned fresh;

    if (heap == NULL)
        heap = find_open(set, ANY, units, align, first);
    if (heap == NULL) {
        unsigned end = set->small ? SMALL_UNITS : TINY_UNITS;

        heap = heap_create(set);
        if (heap == NULL)
            return NULL;
        *first = run_find(heap->vacant, end, units, align);
        /* The guards inside may leave no such place. The heap then serves other requests. */
        if (*first >= end)
            return NULL;
    }
    /* If the kernel refuses a step, there may still be memory in another place. */
    if (unlikely(!heap_commit(heap, *first, units)))
        heap = find_open(set, COMMITTED, units, align, first);
    if (heap == NULL)
        return NULL;
    if (set->idle == heap)
        set->idle = NULL;
    fresh = units - bits_count(heap->dirty, *first, units);
    *clean = fresh == units;
    set->fresh += (size_t)fresh * UNIT_SIZE;
    set->pages.fresh += (size_t)fresh * UNIT_SIZE;
    ageing_take(&set->ageing, fresh);
    heap_claim(heap, *first, units);
    return heap;
}

bool heap_claim(struct heap *heap, unsigned first, unsigned units)
{
    unsigned regretted;

    if (first < heap_first_unit(heap) || first + units > heap_units(heap) ||
        bit_next(heap->vacant, first, first + units, ~UINT64_C(0)) != first + units)
        return false;
    regretted = bits_count(heap->made_way, first, units);
    if (unlikely(regretted > 0)) {
        kept_regret(regretted);
        bits_clear(heap->made_way, first, units);
    }
    kept_change(&heap->set->kept, -bits_count(heap->dirty, first, units), units);
    bits_clear(heap->vacant, first, units);
    bits_clear(heap->aged, first, units);
    if (unlikely(heap->noted))
        heap_pages_claimed(heap, first, units);
    heap->free_units -= units;
    heap_states_used(heap, first, units);
    if (unlikely(heap->leaving))
        open_keep(heap->set, heap);
    if (heap->free_units == 0 && !being_rebuilt(heap))
        open_remove(heap->set, heap);
    return true;
}

void heap_lose(struct heap *heap, unsigned first, unsigned units)
{
    kept_change(&heap->set->kept, -bits_count(heap->dirty, first, units), 0);
    bits_clear(heap->vacant, first, units);
    bits_set(heap->lost, first, units);
    heap->free_units -= units;
    /* A heap with lost units is never unmapped. */
    if (heap->leaving)
        open_keep(heap->set, heap);
    if (heap->free_units == 0)
        open_remove(heap->set, heap);
}

void heap_give_touched(struct heap *heap, unsigned first, unsigned units, unsigned touched)
{
    struct heap_set *set = heap->set;
    bool closed = being_rebuilt(heap);

    if (heap->free_units == 0 && !closed)
        open_insert(set, heap);
    bits_set(heap->vacant, first, units);
    bits_set(heap->dirty, first, touched);
    kept_change(&set->kept, bits_count(heap->dirty, first, units), -units);
    heap->free_units += units;
    if (!closed && wholly_free(heap))
        heap_retire(heap);
}

void heap_set_forget(struct heap_set *set)
{
    set->open = set->open_last = set->idle = set->age_next = NULL;
    set->pages = (struct page_rounds){.patience = set->pages.patience};
    set->in_round = set->thorough = set->waiting = false;
    kept_change(&set->kept, -kept_units(&set->kept), -set->kept.used);
}

void heap_forget(struct heap *heap)
{
    free_all_units(heap);
    heap_pages_forget(heap);
    heap->leaving = false;
    for (unsigned word = 0; word < UNIT_WORDS; word++) {
        heap->dirty[word] = ~heap->reserved[word];
        heap->aged[word] = 0;
    }
    kept_change(&heap->set->kept, heap_kept(heap), 0);
}

void heap_adopt(struct heap *heap)
{
    if (heap->free_units > 0)
        open_insert(heap->set, heap);
    own_insert(heap->set, heap->base);
}
