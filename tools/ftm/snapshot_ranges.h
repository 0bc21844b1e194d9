/*
 * Which memory of a process a snapshot needs.
 */
#ifndef FTM_SNAPSHOT_RANGES_H
#define FTM_SNAPSHOT_RANGES_H

#include "ranges.h"

#include <stdbool.h>

struct view;

/*
 * Adds what the library knows: its data, what it mapped for itself, the headers of heaps. With
 * `contents`, also everything that the process can write to.
 */
void snapshot_ranges(struct view *view, bool contents, struct ranges *ranges);

#endif
