/*
 * Passes each event on to those that want it.
 */
#include "debug/event.h"

#include "base/clock.h"
#include "base/modes.h"
#include "debug/history.h"
#include "debug/profile.h"
#include "debug/stats.h"

void event_deliver(struct event *event)
{
    event->time = mode_is_on(MODES_OF_TIME) ? clock_now() : 0;
    if (mode_is_on(MODE_HISTORY))
        history_note(event);
    if (mode_is_on(MODE_PROFILE | MODE_RECORD))
        profile_note(event);
    if (event->kind == EVENT_REALLOC_BEGINS)
        return; /* which is for those that keep a table of live chunks */
    if (mode_is_on(MODE_STATS))
        stats_count(event);
}
