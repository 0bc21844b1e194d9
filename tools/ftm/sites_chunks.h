/*
 * Looking up live chunks in a table of sites.
 */
#ifndef FTM_SITES_CHUNKS_H
#define FTM_SITES_CHUNKS_H

#include "sites.h"

/* No site: nothing knows who allocated a chunk. */
#define NO_SITE SIZE_MAX

/* Returns the index of the first chunk at or behind the address. */
size_t sites_chunk_from(const struct sites *sites, uint64_t address);

/* Returns the index of the site that allocated the chunk, or NO_SITE. `sites` may be NULL. */
size_t sites_site_at(const struct sites *sites, uint64_t address);

#endif
