/*
 * The clock is read at a few steps in a thousand only, so that a step costs nothing.
 */
#include "progress.h"

#include <stdio.h>
#include <unistd.h>

enum { BAR_COLUMNS = 30 };

void progress_begin(struct progress *progress, const char *what, size_t total)
{
    *progress = (struct progress){.what = what, .total = total, .percent = -1};
    progress->wanted = total > 0 && isatty(STDERR_FILENO);
    clock_gettime(CLOCK_MONOTONIC, &progress->began);
}

static bool is_long(const struct progress *progress)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec - progress->began.tv_sec > 1 ||
           (now.tv_sec - progress->began.tv_sec == 1 && now.tv_nsec >= progress->began.tv_nsec);
}

void progress_step(struct progress *progress, size_t done)
{
    int percent, filled;

    if (!progress->wanted || done < progress->next)
        return;
    progress->next = done + progress->total / 500 + 1;
    if (!progress->shown && !is_long(progress))
        return;
    percent = (int)(100.0 * (double)done / (double)progress->total);
    if (percent == progress->percent)
        return;
    progress->shown = true;
    progress->percent = percent;
    filled = percent * BAR_COLUMNS / 100;
    fprintf(stderr, "\r%s [%.*s%*s] %3d %%", progress->what, filled,
            "##############################", BAR_COLUMNS - filled, "", percent);
    fflush(stderr);
}

void progress_end(struct progress *progress)
{
    if (progress->shown)
        fputs("\r\033[K", stderr);
    progress->shown = false;
    progress->wanted = false;
}
