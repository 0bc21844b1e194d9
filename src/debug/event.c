/*
 * Passes each event on to those that want it.
 */
#include "debug/event.h"

#include "debug/stats.h"

void event_deliver(const struct event *event)
{
    stats_count(event);
}
