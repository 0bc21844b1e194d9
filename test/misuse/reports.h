/*
 * What the library says on stderr, line by line, for programs that run with
 * FT_MALLOC_ON_ERROR=report and try many misuses: each must give exactly one line, the one that is
 * expected.
 */
#ifndef FT_TEST_MISUSE_REPORTS_H
#define FT_TEST_MISUSE_REPORTS_H

#include <stddef.h>

/* From now on stderr goes into a file of memory. */
void reports_open(void);

/* How often reports_expect() was called since the program began. */
extern size_t reports_tried;

/* Since the last call, this line and nothing else was written. */
void reports_expect(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The same for a line that begins so. */
void reports_expect_beginning(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Since the last call, nothing was written. */
void reports_expect_none(void);

/* Stderr is what it was. Prints how many misuses `what` were tried, all of which were detected. */
void reports_close(const char *what);

#endif
