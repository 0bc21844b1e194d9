/*
 * What the library writes to stderr, line by line, for programs that run with
 * FT_MALLOC_ON_ERROR=report and try many misuses. Each misuse must give exactly one line, the
 * expected one.
 */
#ifndef FT_TEST_MISUSE_REPORTS_H
#define FT_TEST_MISUSE_REPORTS_H

#include <stddef.h>

/* Redirects stderr into a memory file. */
void reports_open(void);

/* Returns how often reports_expect() was called since the program began. */
extern size_t reports_tried;

/* Requires that this line and nothing else was written since the last call. */
void reports_expect(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Requires that one line was written since the last call, which begins like this. */
void reports_expect_beginning(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Requires that nothing was written since the last call. */
void reports_expect_none(void);

/* Restores stderr. Prints how many misuses `what` were tried, all of which were detected. */
void reports_close(const char *what);

#endif
