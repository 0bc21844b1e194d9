/*
 * The placeholder for a thread that has no arena. It has a file of its own so that it can be linked
 * behind all other constants: it is large, and only the first call of a thread reads it.
 */
#include "arena/arena.h"

const struct arena arena_none = {
    .own_tiny = {OWN_NONE},
    .own_small = {OWN_NONE},
    .tiny_tag = TAG_IMPOSSIBLE,
    .small_tag = TAG_IMPOSSIBLE,
};
