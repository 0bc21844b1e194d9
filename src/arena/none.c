/*
 * The placeholder for a thread that has no cache. It has a file of its own so that it can be linked
 * behind all other constants: it is large, and only the first call of a thread reads it.
 */
#include "arena/cache.h"

const struct cache cache_none = {
    .own_tiny = {.of = {OWN_NONE}},
    .own_small = {.of = {OWN_NONE}},
    .tiny_tag = TAG_IMPOSSIBLE,
    .small_tag = TAG_IMPOSSIBLE,
};
