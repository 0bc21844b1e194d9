/*
 * Where a chunk comes from: who allocated it and who freed it, as far as a mode knows. Guarded
 * chunks know it themselves, of the others the history does. Reports tell it behind their line.
 *
 * Nothing here takes a lock or allocates, so a report may be made with any lock held.
 */
#ifndef FT_DEBUG_ORIGIN_H
#define FT_DEBUG_ORIGIN_H

#include "base/caller.h"
#include "base/text.h"

#include <stdbool.h>
#include <stdint.h>

struct origin {
    bool allocated_known, freed_known;
    struct caller allocated, freed;
};

/*
 * Finds out what is known of the chunk that starts, or started, at the address. Calls with an order
 * of `before` or more are left out (debug/history.h).
 */
void origin_find(uintptr_t address, uint64_t before, struct origin *origin);

/* Makes reports tell it from now on. Called when a mode begins that knows something. */
void origin_begin(void);

/* Adds " 1.234 seconds" for the time from `time` to `now`, both of clock_now(). */
void origin_put_time(struct text *text, uint64_t time, uint64_t now);

/* Adds a line for each frame of a call, indented by four. */
void origin_put_frames(struct text *text, const struct caller *caller);

#endif
