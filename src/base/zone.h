/*
 * The zones: how users see a chunk's size.
 */
#ifndef FT_BASE_ZONE_H
#define FT_BASE_ZONE_H

enum zone { ZONE_TINY, ZONE_SMALL, ZONE_LARGE };

enum { ZONES = ZONE_LARGE + 1 };

/* Returns the name used in messages and listings. */
static inline const char *zone_name(enum zone zone)
{
    return zone == ZONE_TINY ? "TINY" : zone == ZONE_SMALL ? "SMALL" : "LARGE";
}

#endif
