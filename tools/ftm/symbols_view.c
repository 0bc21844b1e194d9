/*
 * Which addresses of code a snapshot needs names for.
 */
#include "history.h"
#include "memory.h"
#include "progress.h"
#include "sites.h"
#include "symbols.h"
#include "view.h"

#include <stdlib.h>

struct pcs {
    uint64_t *items;
    size_t count, room;
};

static void add(struct pcs *pcs, const uint64_t *frames, unsigned depth)
{
    for (unsigned i = 0; i < depth; i++) {
        pcs->items = memory_grow(pcs->items, &pcs->room, pcs->count, sizeof(*pcs->items));
        pcs->items[pcs->count++] = frames[i] - 1;
    }
}

static int compare(const void *one, const void *other)
{
    uint64_t a = *(const uint64_t *)one, b = *(const uint64_t *)other;

    return (a > b) - (a < b);
}

/* Sorts them, and keeps each once. */
static void sort(struct pcs *pcs)
{
    size_t kept = 0;

    if (pcs->count > 0)
        qsort(pcs->items, pcs->count, sizeof(*pcs->items), compare);
    for (size_t i = 0; i < pcs->count; i++)
        if (i == 0 || pcs->items[i] != pcs->items[i - 1])
            pcs->items[kept++] = pcs->items[i];
    pcs->count = kept;
}

static int add_call(void *context, const struct past_call *call)
{
    struct pcs *pcs = context;

    add(pcs, call->frames, call->depth);
    /* A history has many calls from few places: do not let them pile up. */
    if (pcs->count > 1 << 20)
        sort(pcs);
    return pcs->count > 1 << 20;
}

struct guarded {
    struct view *view;
    struct pcs *pcs;
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

static void add_sites(struct pcs *pcs, struct view *view)
{
    struct sites *sites = sites_present(view) ? sites_read(view) : NULL;

    for (size_t i = 0; sites != NULL && i < sites->count; i++)
        add(pcs, sites->items[i].pcs, sites->items[i].depth);
    sites_free(sites);
}

static bool write_symbols(struct symbols *symbols, const struct pcs *pcs, FILE *file)
{
    struct progress progress;
    bool written = true;

    progress_begin(&progress, "reading symbols", pcs->count);
    for (size_t i = 0; i < pcs->count && written; i++) {
        written = symbols_write(symbols, &pcs->items[i], 1, file);
        progress_step(&progress, i + 1);
    }
    progress_end(&progress);
    return written;
}

bool symbols_write_view(struct view *view, FILE *symbols_file, FILE *modules_file)
{
    struct symbols *symbols = symbols_open(view_source(view));
    struct pcs pcs = {0};
    bool written;

    add_sites(&pcs, view);
    history_each(view, add_call, &pcs);
    view_each_chunk(view, add_guarded, &(struct guarded){view, &pcs});
    sort(&pcs);
    written =
        write_symbols(symbols, &pcs, symbols_file) && symbols_write_modules(symbols, modules_file);
    free(pcs.items);
    symbols_close(symbols);
    return written;
}
