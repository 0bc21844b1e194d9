/*
 * Which processes run on the library.
 */
#ifndef FTM_PROCESSES_H
#define FTM_PROCESSES_H

#include <stddef.h>

/*
 * The numbers of the processes whose maps we may read and that have the shared library mapped, but
 * not our own; to be freed. A program that the archive is linked into is not found.
 */
int *processes_on_library(size_t *count);

#endif
