/*
 * Collects what is known.
 */
#include "who.h"

#include "sites.h"

#include <string.h>

static const char *state_of(const struct view_slab *slab, unsigned index,
                            const struct ft_malloc_layout *layout)
{
    unsigned kind = slab->kinds[index];

    if (kind == layout->state_live)
        return "live";
    if (kind == layout->state_remote)
        return "freed, on its way to its arena";
    if ((slab->vacant_bits[index / 64] >> (index % 64) & 1) == 0)
        return kind == layout->state_none ? "never handed out, in a cache" : "freed, in a cache";
    return kind == layout->state_none ? "never handed out" : "freed";
}

struct slab_visit {
    struct answer *answer;
    const struct view *view;
};

static void take_slab(void *context, const struct view_slab *slab)
{
    const struct slab_visit *visit = context;
    const struct ft_malloc_layout *layout = view_layout(visit->view);
    struct answer *answer = visit->answer;
    uint64_t at = answer->chunk.start != 0 ? answer->chunk.start : answer->address;
    unsigned index = (unsigned)((at - slab->start) / slab->chunk_size);

    answer->has_slab = true;
    answer->slab_start = slab->start;
    answer->slab_end = slab->start + (uint64_t)slab->units * layout->unit_size;
    answer->chunks = slab->chunks;
    answer->live = slab->live;
    answer->vacant = slab->vacant;
    answer->cached = slab->cached;
    for (unsigned i = 1; i <= NEIGHBOURS && i <= index && index - i < slab->chunks; i++)
        answer->before[answer->before_count++] =
            (struct neighbour){slab->start + (uint64_t)(index - i) * slab->chunk_size,
                               slab->chunk_size, state_of(slab, index - i, layout)};
    for (unsigned i = 1; i <= NEIGHBOURS && index + i < slab->chunks; i++)
        answer->after[answer->after_count++] =
            (struct neighbour){slab->start + (uint64_t)(index + i) * slab->chunk_size,
                               slab->chunk_size, state_of(slab, index + i, layout)};
}

/* Completes what the history says by what the profile knows of live chunks. */
static void ask_sites(const struct who *who, struct answer *answer)
{
    const struct site_chunk *noted =
        who->sites == NULL ? NULL : sites_chunk(who->sites, answer->chunk.start);
    const struct site *site = noted == NULL ? NULL : &who->sites->items[noted->site];

    if (site == NULL || answer->verdict == VIEW_FREED)
        return;
    if (answer->age == 0)
        answer->age = noted->age_ns;
    if (answer->allocated.kind != NULL)
        return;
    answer->allocated = (struct past_call){.kind = "", .thread = noted->thread};
    answer->allocated.truncated = site->truncated;
    answer->allocated.depth = site->depth < PAST_DEPTH_MAX ? site->depth : PAST_DEPTH_MAX;
    memcpy(answer->allocated.frames, site->pcs,
           answer->allocated.depth * sizeof answer->allocated.frames[0]);
}

void find_answer(const struct who *who, uint64_t address, struct answer *answer)
{
    struct view *view = who->target.view;
    struct slab_visit visit = {.answer = answer, .view = view};

    *answer = (struct answer){.address = address};
    answer->verdict = view_find(view, address, &answer->chunk);
    if (answer->verdict == VIEW_FOREIGN)
        return;
    if (answer->chunk.zone != ZONE_LARGE && !answer->chunk.guarded)
        (void)view_slab_at(view, address, take_slab, &visit);
    if (answer->verdict == VIEW_NONE)
        return;
    history_of(view, answer->chunk.start, &answer->allocated, &answer->freed);
    if (answer->allocated.kind != NULL)
        answer->age = history_age(view, answer->allocated.time);
    ask_sites(who, answer);
}
