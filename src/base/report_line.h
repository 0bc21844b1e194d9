/*
 * The line on standard error that every report is, and what follows it: SIGABRT, or nothing with
 * FT_MALLOC_ON_ERROR=report. Also the reports of damage to memory, whose callers know the chunk.
 * Which chunk a wrong pointer means is debug/report.h's business. Any thread may report; no lock
 * is taken here.
 */
#ifndef FT_BASE_REPORT_LINE_H
#define FT_BASE_REPORT_LINE_H

#include "base/text.h"
#include "base/zone.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Begins a line with "ft_malloc: FUNCTION: ". */
void report_begin(struct text *text, const char *function);

/* Adds " (ZONE, N bytes)". */
void report_put_size(struct text *text, enum zone zone, size_t requested);

/* Ends and writes the line; the second also ends the process, unless the options say otherwise. */
void report_end_line(struct text *text);
void report_end(struct text *text);

/* A live chunk, as far as reports name it. */
struct reported_chunk {
    uintptr_t start;
    enum zone zone;
    size_t requested;
};

/* Something was written behind the end of a live chunk. */
void report_overflow(const char *function, const struct reported_chunk *chunk);

/* Free memory in front of a chunk that is being freed was written to, or else behind it. */
void report_beside(bool front, const struct reported_chunk *chunk);

/*
 * Free memory was written to, or a chunk was freed twice at once. `what` ends in the word that the
 * address follows.
 */
void report_corruption(const char *what, uintptr_t address);

#endif
