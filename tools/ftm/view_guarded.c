/*
 * Guarded chunks (FT_MALLOC_GUARD). A slot counts if its life was the same before and after it was
 * read.
 */
#include "view_private.h"

#include <stdlib.h>
#include <string.h>

static bool members_are_sound(const struct ft_malloc_layout *layout)
{
    uint32_t bytes = layout->guard_bytes;

    return bytes >= 8 && bytes <= 1 << 16 && layout->guard_shift < 48 &&
           layout->guard_life <= bytes - 8 && layout->guard_start <= bytes - 8 &&
           layout->guard_requested <= bytes - 8 && layout->guard_first <= 1 << 16;
}

bool view_guard_pool(struct view *view, struct guard_slots *slots)
{
    enum { SLOTS_MAX = 1 << 20 };
    const struct ft_malloc_layout *layout = &view->layout;
    uint64_t pool;

    if (layout->guard_pool == NULL || !members_are_sound(layout) ||
        !read64(view, root_of(layout->guard_pool), &pool) || pool == 0)
        return false;
    slots->first = pool + layout->guard_first;
    return read64(view, pool + layout->guard_base, &slots->base) &&
           read64(view, pool + layout->guard_slots, &slots->count) && slots->count <= SLOTS_MAX;
}

static enum zone zone_of(const struct view *view, uint64_t size)
{
    const struct ft_malloc_layout *layout = &view->layout;

    if (layout->tiny_classes > 0 && size <= view->classes[layout->tiny_classes - 1].size)
        return ZONE_TINY;
    return layout->class_count > 0 && size <= view->classes[layout->class_count - 1].size
               ? ZONE_SMALL
               : ZONE_LARGE;
}

/* Returns the slot's state, and describes its last chunk. */
static unsigned describe(const struct view *view, const unsigned char *slot,
                         struct view_chunk *chunk)
{
    const struct ft_malloc_layout *layout = &view->layout;
    unsigned state = (unsigned)get64(slot, layout->guard_life) & layout->guard_state_mask;

    *chunk = (struct view_chunk){.start = get64(slot, layout->guard_start),
                                 .requested = get64(slot, layout->guard_requested),
                                 .size_class = VIEW_NO_CLASS,
                                 .state = state == layout->guard_is_live ? layout->state_live
                                                                         : layout->state_free,
                                 .guarded = true};
    chunk->usable = chunk->requested;
    chunk->place = chunk->start >> layout->guard_shift << layout->guard_shift;
    chunk->zone = zone_of(view, chunk->requested);
    return state;
}

/* Makes the reading of a slot one of a single life. */
static bool settle(struct view *view, uint64_t address, unsigned char *slot)
{
    enum { TRIES = 64 };
    const struct ft_malloc_layout *layout = &view->layout;
    uint64_t life = get64(slot, layout->guard_life), again;

    for (unsigned tries = 0; tries < TRIES; tries++) {
        if (!read64(view, address + layout->guard_life, &again))
            return false;
        if (life == again)
            return true;
        if (!source_read(view->source, address, slot, layout->guard_bytes))
            return false;
        life = get64(slot, layout->guard_life);
    }
    return false;
}

/* Reads a slot, of which `slot` may have an older copy. Returns its state; 0: there is no chunk. */
static unsigned read_slot(struct view *view, uint64_t address, unsigned char *slot,
                          struct view_chunk *chunk)
{
    return settle(view, address, slot) ? describe(view, slot, chunk) : 0;
}

int view_list_guarded(struct view *view, struct array *chunks)
{
    uint32_t bytes = view->layout.guard_bytes;
    struct guard_slots slots;
    unsigned char *copy;

    if (!view_guard_pool(view, &slots) || slots.count == 0)
        return 0;
    copy = calloc(slots.count, bytes);
    if (copy == NULL)
        return view_no_memory();
    if (!source_read(view->source, slots.first, copy, slots.count * bytes)) {
        view->unread++;
        slots.count = 0;
    }
    for (uint64_t i = 0; i < slots.count; i++) {
        struct view_chunk chunk, *added;

        if (read_slot(view, slots.first + i * bytes, copy + i * bytes, &chunk) !=
            view->layout.guard_is_live)
            continue;
        added = array_add(chunks);
        if (added != NULL)
            *added = chunk;
    }
    free(copy);
    return chunks->failed ? view_no_memory() : 0;
}

bool view_guard_space(struct view *view, uint64_t *base, uint64_t *size)
{
    struct guard_slots slots;

    if (!view_guard_pool(view, &slots))
        return false;
    *base = slots.base;
    *size = slots.count << view->layout.guard_shift;
    return true;
}

int view_each_guarded(struct view *view,
                      int (*visit)(void *context, const struct view_chunk *chunk), void *context)
{
    struct array list = {.item_size = sizeof(struct view_chunk)};
    int result = view_list_guarded(view, &list);
    const struct view_chunk *chunks = (const struct view_chunk *)(const void *)list.items;

    for (size_t i = 0; i < list.count && result == 0; i++)
        result = visit(context, &chunks[i]);
    array_end(&list);
    return result;
}

enum view_verdict view_find_guarded(struct view *view, uint64_t address, struct view_chunk *chunk)
{
    const struct ft_malloc_layout *layout = &view->layout;
    enum view_verdict verdict = VIEW_NONE;
    struct guard_slots slots;
    unsigned char *copy;
    uint64_t at;
    unsigned state;

    if (!view_guard_pool(view, &slots) ||
        (address - slots.base) >> layout->guard_shift >= slots.count)
        return VIEW_FOREIGN;
    copy = malloc(layout->guard_bytes);
    at = slots.first + ((address - slots.base) >> layout->guard_shift) * layout->guard_bytes;
    if (copy == NULL || !source_read(view->source, at, copy, layout->guard_bytes)) {
        free(copy);
        view->unread++;
        return VIEW_FOREIGN;
    }
    state = read_slot(view, at, copy, chunk);
    free(copy);
    if (state == layout->guard_is_live && address - chunk->start < chunk->requested)
        verdict = VIEW_INTERIOR;
    if (address == chunk->start && state == layout->guard_is_live)
        verdict = VIEW_LIVE;
    else if (address == chunk->start &&
             (state == layout->guard_is_closing || state == layout->guard_is_freed ||
              state == layout->guard_is_lost))
        verdict = VIEW_FREED;
    else if (state == layout->guard_is_lost)
        verdict = VIEW_FOREIGN;
    return verdict;
}
