/*
 * Figures for people: the line of FT_MALLOC_STATS=1, and what malloc_stats() prints. Figures for
 * programs: the line of FT_MALLOC_STATS=json, an object of JSON.
 */
#ifndef FT_DEBUG_STATS_H
#define FT_DEBUG_STATS_H

#include "base/text.h"

struct event;

/* Counts a call. Any thread. */
void stats_count(const struct event *event);

/*
 * Calls `visit` with the number of calls of each kind, of calls that failed, of bytes that were
 * asked for, and of chunks that were freed for another arena; all since the first time that the
 * mode was on, and only of calls while it was.
 */
void stats_calls(void (*visit)(struct text *text, const char *name, uint64_t value),
                 struct text *text);

/* Writes the line of JSON. Returns 0, or what write() failed with. */
int stats_json(int fd);

/* Writes one line to stderr if FT_MALLOC_STATS is set. */
void stats_at_exit(void);

/* Writes a table to stderr. */
void stats_print(void);

#endif
