/*
 * What the states of a heap that was read say.
 */
#include "view_private.h"

uint32_t heap_copy_state(const struct heap_copy *copy, uint64_t address)
{
    uint64_t index = (address - copy->heap.base) / copy->zone->granule;
    const unsigned char *state = copy->header + index * copy->zone->state_size;

    return copy->zone->state_size == 1 ? *state : get32(state, 0);
}

unsigned view_state_kind(const struct layout_zone *zone, uint32_t state)
{
    return state >> zone->kind_shift;
}

uint64_t view_state_requested(const struct view *view, enum zone zone, uint32_t state,
                              unsigned size)
{
    uint32_t mask = layout_zone(view, zone)->slack_mask, slack = state & mask;

    if (slack == 0 && zone == ZONE_TINY && view->hardened)
        slack = mask + 1;
    return slack <= size ? size - slack : 0;
}

static uint64_t slab_start(const struct heap_copy *copy, const struct slab_copy *slab)
{
    return copy->heap.base + (uint64_t)slab->unit * copy->view->layout.unit_size;
}

static bool is_vacant(const struct view_slab *slab, unsigned index)
{
    return (slab->vacant_bits[index / 64] >> (index % 64) & 1) != 0;
}

void heap_copy_slab(struct heap_copy *copy, const struct slab_copy *slab, struct view_slab *out)
{
    const struct ft_malloc_layout *layout = &copy->view->layout;
    const struct view_class *class = &copy->view->classes[slab->size_class];

    *out = (struct view_slab){
        .heap = &copy->heap,
        .start = slab_start(copy, slab),
        .unit = slab->unit,
        .units = class->units,
        .size_class = slab->size_class,
        .chunk_size = class->size,
        .chunks = class->chunks,
        .kinds = copy->kinds,
        .vacant_bits =
            (const uint64_t *)(const void *)(copy->header + slab->record + layout->slab_vacant),
    };
    for (unsigned i = 0; i < class->chunks; i++) {
        uint32_t state = heap_copy_state(copy, out->start + (uint64_t)i * class->size);
        unsigned kind = view_state_kind(copy->zone, state);

        copy->kinds[i] = (uint8_t)kind;
        if (kind == layout->state_live) {
            out->live++;
            out->requested += view_state_requested(copy->view, copy->heap.zone, state, class->size);
        } else if (is_vacant(out, i)) {
            out->vacant++;
        }
    }
    out->cached = out->chunks - out->live - out->vacant;
}

static int each_in_slab(const struct heap_copy *copy, const struct slab_copy *slab,
                        struct view_chunk *chunk,
                        int (*visit)(void *context, const struct view_chunk *chunk), void *context)
{
    const struct view_class *class = &copy->view->classes[slab->size_class];
    uint32_t live = copy->view->layout.state_live;
    int result = 0;

    chunk->start = slab_start(copy, slab);
    chunk->size_class = slab->size_class;
    chunk->usable = class->size;
    for (unsigned i = 0; i < class->chunks && result == 0; i++, chunk->start += class->size) {
        uint32_t state = heap_copy_state(copy, chunk->start);

        if (view_state_kind(copy->zone, state) != live)
            continue;
        chunk->requested = view_state_requested(copy->view, chunk->zone, state, class->size);
        result = visit(context, chunk);
    }
    return result;
}

int heap_copy_each_chunk(const struct heap_copy *copy,
                         int (*visit)(void *context, const struct view_chunk *chunk), void *context)
{
    const struct slab_copy *slabs = (const struct slab_copy *)(const void *)copy->slabs.items;
    struct view_chunk chunk = {.place = copy->heap.base,
                               .zone = copy->heap.zone,
                               .arena = copy->heap.arena,
                               .state = copy->view->layout.state_live};
    int result = 0;

    for (size_t i = 0; i < copy->slabs.count && result == 0; i++)
        result = each_in_slab(copy, &slabs[i], &chunk, visit, context);
    return result;
}

static int each_slab_of(struct heap_copy *copy,
                        int (*visit_heap)(void *, const struct view_heap *heap),
                        int (*visit_slab)(void *, const struct view_slab *slab), void *context)
{
    const struct slab_copy *slabs = (const struct slab_copy *)(const void *)copy->slabs.items;
    int result = visit_heap == NULL ? 0 : visit_heap(context, &copy->heap);

    for (size_t i = 0; i < copy->slabs.count && result == 0 && visit_slab != NULL; i++) {
        struct view_slab slab;

        heap_copy_slab(copy, &slabs[i], &slab);
        result = visit_slab(context, &slab);
    }
    return result;
}

int view_each_slab(struct view *view, int (*visit_heap)(void *, const struct view_heap *heap),
                   int (*visit_slab)(void *, const struct view_slab *slab), void *context)
{
    struct array heaps = {.items = NULL};
    struct heap_copy copy;
    int result;

    view->unread = 0;
    result = view_list_heaps(view, &heaps);
    if (result == 0 && !heap_copy_begin(&copy, view)) {
        result = view_no_memory();
        heap_copy_end(&copy);
    } else if (result == 0) {
        const struct mapped_heap *at = (const struct mapped_heap *)(const void *)heaps.items;

        for (size_t i = 0; i < heaps.count && result == 0; i++)
            if (heap_copy_read(&copy, &at[i]))
                result = each_slab_of(&copy, visit_heap, visit_slab, context);
        heap_copy_end(&copy);
    }
    array_end(&heaps);
    return result;
}
