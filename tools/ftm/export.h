/*
 * Writers of other tools' formats, from a table of sites.
 */
#ifndef FTM_EXPORT_H
#define FTM_EXPORT_H

#include "groups.h"

#include <stdio.h>

struct export
{
    const struct sites *sites;
    struct symbols *symbols;
    enum site_value value; /* folded stacks carry only one number */
    bool count;            /* that number is chunks, not bytes */
    double min_percent;    /* folded: stacks with less than this share of the whole are left out */
};

/* Each returns whether everything was written. */
bool export_pprof(const struct export *export, FILE *file); /* not compressed */
bool export_folded(const struct export *export, FILE *file);
bool export_dhat(const struct export *export, FILE *file);

#endif
