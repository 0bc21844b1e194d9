/*
 * A line on stderr that says how far a long work is, if stderr is a terminal and the work takes
 * more than a second. It is removed at the end.
 */
#ifndef FTM_PROGRESS_H
#define FTM_PROGRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <time.h>

struct progress {
    const char *what;
    size_t total, next; /* the clock is read again at the step `next` */
    struct timespec began;
    bool wanted, shown;
    int percent; /* that the line shows */
};

void progress_begin(struct progress *progress, const char *what, size_t total);
void progress_step(struct progress *progress, size_t done);

/* Removes the line. Steps that come afterwards show nothing. */
void progress_end(struct progress *progress);

#endif
