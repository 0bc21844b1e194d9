/*
 * How much of the process is in memory.
 */
#ifndef FT_SUPPORT_RESIDENT_H
#define FT_SUPPORT_RESIDENT_H

#include "support/require.h"

#include <stdbool.h>
#include <stdio.h>
#include <sys/mman.h>
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

/*
 * Returns true if memory that nobody has written to becomes resident when it is read. Most kernels
 * show a page of zeros that all processes share; some give the process pages of its own.
 */
static inline bool reading_takes_memory(void)
{
    enum { SIZE = 4 << 20, STEP = 4096 };
    volatile const unsigned char *memory =
        mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    long before = resident_kib(), after;
    unsigned sum = 0;

    REQUIRE(memory != MAP_FAILED, "no memory");
    for (size_t at = 0; at < SIZE; at += STEP)
        sum |= memory[at];
    after = resident_kib();
    munmap((void *)memory, SIZE);
    return sum == 0 && after - before > SIZE / 2048;
}

#endif
