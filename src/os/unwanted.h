/*
 * Internal to src/os: mappings in the wrong place that the kernel refused to unmap. At its limit of
 * mappings, no mapping may be cut in two. They wait until the next request that could leave another
 * one behind. Any thread may call this.
 */
#ifndef FT_OS_UNWANTED_H
#define FT_OS_UNWANTED_H

#include <stdbool.h>
#include <stddef.h>

/* Unmaps memory that can be written to, now or later. */
void unwanted_unmap(void *address, size_t size);

/*
 * Unmaps address space that cannot be touched, now or later. It is lost if the kernel refuses and
 * four such ranges wait already. Returns true if it was unmapped now.
 */
bool unwanted_unmap_space(void *address, size_t size);

/*
 * Tries to unmap what waits. Returns false if some of it is left; then the caller must not risk
 * leaving more.
 */
bool unwanted_gone(void);

#endif
