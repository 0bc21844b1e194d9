/*
 * Looking up live chunks: a search in the sorted list.
 */
#include "sites_chunks.h"

#include "search.h"
size_t sites_chunk_from(const struct sites *sites, uint64_t address)
{
    return SEARCH_FROM(sites->chunks, sites->chunk_count, address, address);
}

size_t sites_site_at(const struct sites *sites, uint64_t address)
{
    size_t at = sites == NULL ? 0 : sites_chunk_from(sites, address);

    if (sites == NULL || at == sites->chunk_count || sites->chunks[at].address != address ||
        sites->chunks[at].site >= sites->count)
        return NO_SITE;
    return (size_t)sites->chunks[at].site;
}
