/*
 * How much of the process is in memory.
 */
#ifndef FT_SUPPORT_RESIDENT_H
#define FT_SUPPORT_RESIDENT_H

#include "support/require.h"

#include <stdio.h>
#include <unistd.h>

/* Returns the resident memory in KiB. Ends the process if the kernel does not tell it. */
static inline long resident_kib(void)
{
    long pages, all;
    FILE *file = fopen("/proc/self/statm", "r");

    REQUIRE(file != NULL && fscanf(file, "%ld %ld", &all, &pages) == 2, "no statm");
    fclose(file);
    return pages * (sysconf(_SC_PAGESIZE) / 1024);
}

#endif
