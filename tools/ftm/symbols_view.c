/*
 * Which addresses of code a snapshot needs names for.
 */
#include "history.h"
#include "number_set.h"
#include "progress.h"
#include "sites.h"
#include "symbols.h"
#include "view.h"

#include <stdlib.h>

static void add(struct number_set *pcs, const uint64_t *frames, unsigned depth)
{
    for (unsigned i = 0; i < depth; i++)
        number_set_add(pcs, frames[i] - 1);
}

static int add_call(void *context, const struct past_call *call)
{
    struct number_set *pcs = context;

    add(pcs, call->frames, call->depth);
    return number_set_count(pcs) > 1 << 20;
}

struct guarded {
    struct view *view;
    struct number_set *pcs;
};

static int add_guarded(void *context, const struct view_chunk *chunk)
{
    struct guarded *guarded = context;
    struct past_call allocated, freed;

    if (!chunk->guarded)
        return 0;
    history_of(guarded->view, chunk->start, &allocated, &freed);
    if (allocated.kind != NULL)
        add(guarded->pcs, allocated.frames, allocated.depth);
    return 0;
}

static void add_sites(struct number_set *pcs, struct view *view)
{
    struct sites *sites = sites_present(view) ? sites_read(view) : NULL;

    for (size_t i = 0; sites != NULL && i < sites->count; i++)
        add(pcs, sites->items[i].pcs, sites->items[i].depth);
    sites_free(sites);
}

static bool write_symbols(struct symbols *symbols, const struct number_set *set, FILE *file)
{
    uint64_t *pcs = number_set_sorted(set);
    size_t count = number_set_count(set);
    struct progress progress;
    bool written = true;

    progress_begin(&progress, "reading symbols", count);
    for (size_t i = 0; i < count && written; i++) {
        written = symbols_write(symbols, &pcs[i], 1, file);
        progress_step(&progress, i + 1);
    }
    progress_end(&progress);
    free(pcs);
    return written;
}

bool symbols_write_view(struct view *view, FILE *symbols_file, FILE *modules_file)
{
    struct symbols *symbols = symbols_open(view_source(view));
    struct number_set pcs = {.slots = NULL};
    bool written;

    add_sites(&pcs, view);
    history_each(view, add_call, &pcs);
    view_each_chunk(view, add_guarded, &(struct guarded){view, &pcs});
    written =
        write_symbols(symbols, &pcs, symbols_file) && symbols_write_modules(symbols, modules_file);
    number_set_free(&pcs);
    symbols_close(symbols);
    return written;
}
