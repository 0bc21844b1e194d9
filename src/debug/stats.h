/*
 * Figures for people: the line of FT_MALLOC_STATS=1, and what malloc_stats() prints.
 */
#ifndef FT_DEBUG_STATS_H
#define FT_DEBUG_STATS_H

/* One line on stderr, if the option is set. */
void stats_at_exit(void);

/* A table on stderr. */
void stats_print(void);

#endif
