/*
 * Opens one thing after the other, and gives up at the first that fails.
 */
#include "opened.h"

#include "sites.h"
#include "source.h"
#include "symbols.h"
#include "view.h"

bool opened_begin(struct opened *opened, const char *name)
{
    *opened = (struct opened){.source = source_open(name)};
    if (opened->source != NULL)
        opened->view = view_open(opened->source);
    if (opened->view != NULL)
        opened->sites = sites_read(opened->view);
    if (opened->sites == NULL) {
        opened_end(opened);
        return false;
    }
    opened->symbols = symbols_open(opened->source);
    return true;
}

void opened_end(struct opened *opened)
{
    symbols_close(opened->symbols);
    sites_free(opened->sites);
    if (opened->view != NULL)
        view_close(opened->view);
    if (opened->source != NULL)
        source_close(opened->source);
    *opened = (struct opened){0};
}
