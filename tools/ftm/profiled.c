/*
 * Opens one thing after the other, and gives up at the first that fails.
 */
#include "profiled.h"

#include "sites.h"
#include "source.h"
#include "symbols.h"
#include "view.h"

bool profiled_begin(struct profiled *profiled, const char *name)
{
    *profiled = (struct profiled){.source = source_open(name)};
    if (profiled->source != NULL)
        profiled->view = view_open(profiled->source);
    if (profiled->view != NULL)
        profiled->sites = sites_read(profiled->view);
    if (profiled->sites == NULL) {
        profiled_end(profiled);
        return false;
    }
    profiled->symbols = symbols_open(profiled->source);
    return true;
}

void profiled_end(struct profiled *profiled)
{
    symbols_close(profiled->symbols);
    sites_free(profiled->sites);
    if (profiled->view != NULL)
        view_close(profiled->view);
    if (profiled->source != NULL)
        source_close(profiled->source);
    *profiled = (struct profiled){0};
}
