/*
 * The walk itself.
 */
#include "debug/walk.h"

#include "bins/empty.h"
#include "bins/guard_pool.h"
#include "bins/heap_walk.h"

struct walker {
    const struct walk_visitor *visitor;
    void *context;
};

static void walk_slabs(const struct walker *walker, struct heap *heap)
{
    unsigned unit = heap_first_unit(heap);
    struct walk_slab at = {.heap = heap};

    while ((at.slab = heap_next_slab(heap, &unit, &at.identity)) != NULL) {
        at.shape = &size_classes[identity_class(at.identity)];
        at.start = heap->base + (uintptr_t)identity_unit(at.identity) * UNIT_SIZE;
        walker->visitor->slab(walker->context, &at);
    }
}

static void walk_heaps(const struct walker *walker, struct heap_set *set)
{
    for (struct heap *heap = heap_walk(set, NULL); heap != NULL; heap = heap_walk(set, heap)) {
        if (walker->visitor->heap != NULL)
            walker->visitor->heap(walker->context, heap);
        if (walker->visitor->slab != NULL)
            walk_slabs(walker, heap);
    }
}

static void visit_region(void *context, uintptr_t start, size_t size)
{
    const struct walker *walker = context;

    if (walker->visitor->region != NULL)
        walker->visitor->region(walker->context, start, size);
}

static void visit_empty(void *context, uintptr_t address)
{
    const struct walker *walker = context;

    if (walker->visitor->empty != NULL)
        walker->visitor->empty(walker->context, address);
}

static void visit_large(void *context, const struct large_info *info)
{
    const struct walker *walker = context;

    if (info->live)
        walker->visitor->large(walker->context, info);
}

static void walk_one(const struct walker *walker, struct arena *arena)
{
    if (walker->visitor->arena != NULL)
        walker->visitor->arena(walker->context, arena);
    walk_heaps(walker, &arena->tiny);
    walk_heaps(walker, &arena->small);
}

void walk_arena(struct arena *arena, const struct walk_visitor *visitor, void *context)
{
    walk_one(&(struct walker){.visitor = visitor, .context = context}, arena);
}

void walk_all(const struct walk_visitor *visitor, void *context)
{
    struct walker walker = {.visitor = visitor, .context = context};

    if (visitor->large != NULL)
        large_walk(visit_large, &walker);
    empty_walk(visit_region, visit_empty, &walker);
    if (visitor->guarded != NULL)
        guard_pool_walk(visitor->guarded, context);
    /* Acquire: each arena is complete. */
    for (struct arena *arena = atomic_load_explicit(&arena_list, memory_order_acquire);
         arena != NULL; arena = arena->next)
        walk_one(&walker, arena);
}

/*
 * The requested size of the chunk of a heap, or SIZE_MAX if it is not live. Acquire: see
 * walk_same_slab().
 */
static size_t live_size(bool small, uintptr_t address, size_t size)
{
    if (small) {
        uint32_t seen = atomic_load_explicit(small_state(address), memory_order_acquire);

        return small_lives(seen) ? size - small_slack(seen) : SIZE_MAX;
    } else {
        uint8_t seen = atomic_load_explicit(tiny_state(address), memory_order_acquire);

        return tiny_lives(seen) ? size - tiny_slack(seen) : SIZE_MAX;
    }
}

unsigned walk_live(const struct walk_slab *slab, struct walk_chunk *out)
{
    const struct size_class *shape = slab->shape;
    bool small = slab->heap->set->small;
    uintptr_t address = slab->start;
    unsigned count = 0;

    for (unsigned index = 0; index < shape->chunks; index++, address += shape->size) {
        size_t requested = live_size(small, address, shape->size);

        if (requested != SIZE_MAX)
            out[count++] = (struct walk_chunk){
                .start = address, .requested = (uint32_t)requested, .usable = shape->size};
    }
    return walk_same_slab(slab) ? count : 0;
}
