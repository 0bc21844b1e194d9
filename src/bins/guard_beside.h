/*
 * What is beside a guarded chunk in its pages: a pattern, which shows writes that miss the guard.
 */
#ifndef FT_BINS_GUARD_BESIDE_H
#define FT_BINS_GUARD_BESIDE_H

#include <stddef.h>
#include <stdint.h>

/* A chunk, and the pages that are open for it. */
struct guard_place {
    uintptr_t start;
    size_t requested;
    size_t opened; /* bytes of pages from the one where the chunk starts; 0 if there are none */
};

/* Fills what is beside a chunk, up to 1 KiB on each side. */
void guard_beside_fill(const struct guard_place *place);

/* Reports, in the name of `function`, if it is not filled any more. */
void guard_beside_check(const struct guard_place *place, const char *function);

#endif
