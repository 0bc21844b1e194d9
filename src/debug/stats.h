/*
 * Figures for people: the line of FT_MALLOC_STATS=1, and what malloc_stats() prints.
 */
#ifndef FT_DEBUG_STATS_H
#define FT_DEBUG_STATS_H

struct event;

/* Counts a call. Any thread. */
void stats_count(const struct event *event);

/* Writes one line to stderr if FT_MALLOC_STATS is set. */
void stats_at_exit(void);

/* Writes a table to stderr. */
void stats_print(void);

#endif
