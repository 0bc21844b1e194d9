/*
 * Reports: one line on standard error, then a call of the program's handler if there is one, then
 * SIGABRT unless FT_MALLOC_ON_ERROR=report is set. The reports of damaged memory are here as well,
 * since their callers know the chunk; debug/report.h finds out which chunk a wrong pointer refers
 * to. Any thread may report. No lock is taken here.
 */
#ifndef FT_BASE_REPORT_LINE_H
#define FT_BASE_REPORT_LINE_H

#include "base/text.h"
#include "base/zone.h"
#include "ft_malloc.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Begins a line with "ft_malloc: FUNCTION: ". */
void report_begin(struct text *text, const char *function);

/* Adds " (ZONE, N bytes)". */
void report_put_size(struct text *text, enum zone zone, size_t requested);

/* What the program's handler is told beside the line. */
struct report {
    enum ft_malloc_error_kind kind;
    const char *function; /* NULL if the line names none */
    uintptr_t address;
    /* The start of the chunk that it is about, live or freed; 0 if there is none. */
    uintptr_t chunk;
    /* True if the call that is reported has emitted its event (debug/event.h), or begun to. */
    bool noted;
    /* True if the caller holds no lock and is not inside an arena: see may_allocate. */
    bool unlocked;
};

/*
 * Sets a function that adds lines to each report, after its first one and before the handler is
 * called. It must be safe with any lock held, and flush the text.
 */
typedef void report_details(struct text *text, const struct report *report);
void report_set_details(report_details *function);

/*
 * Both write the line and call the handler, which may leave by longjmp() if report->unlocked.
 * report_end() also aborts the process, unless the options say otherwise.
 */
void report_end_line(struct text *text, const struct report *report);
void report_end(struct text *text, const struct report *report);

/* What ft_malloc_on_error() does. */
ft_malloc_error_handler report_set_handler(ft_malloc_error_handler handler);

/* What a report says of a live chunk. */
struct reported_chunk {
    uintptr_t start;
    enum zone zone;
    size_t requested;
};

/* Report that something was written behind the end of a live chunk, or in front of it. */
void report_overflow(const char *function, const struct reported_chunk *chunk);
void report_underflow(const char *function, const struct reported_chunk *chunk);

/*
 * Reports that free memory was written to, in front of (`front`) or behind a chunk that is being
 * freed.
 */
void report_beside(bool front, const struct reported_chunk *chunk);

/*
 * Reports that free memory was written to, or that a chunk was freed by two calls at once. `what`
 * is the sentence up to the address.
 */
void report_corruption(const char *what, uintptr_t address);

#endif
