/*
 * Which live chunks keep slabs that are nearly empty: with the chunk gone, the slab's memory could
 * be given back. For map.c alone.
 */
#ifndef FTM_MAP_PINS_H
#define FTM_MAP_PINS_H

#include "map.h"

/* Looks at one slab. */
void map_pins_add(struct map *map, const struct view_slab *slab, const struct map_slab *facts);

/* Adds up by stack, or by class, and sorts. */
void map_pins_finish(struct map *map);

#endif
