/*
 * What the files that make and add up sites share.
 */
#ifndef FTM_SITES_OWN_H
#define FTM_SITES_OWN_H

#include "sites.h"

/* Says by which id the site is known. Ids must be given in increasing order. */
void sites_name(struct sites *sites, uint64_t id, const struct site *site);

/* Adds the figures of a site to those of a sum. Huge figures of a broken source wrap around. */
void site_sum(struct site *sum, const struct site *site);

#endif
