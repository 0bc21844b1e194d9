/*
 * Keeps the addresses of freed LARGE chunks reserved for a while, so that a pointer to such a chunk
 * leads nowhere. Only address space is kept, no memory. The number of ranges and the bytes of each
 * are bounded. Any thread may call any function here; no lock is taken.
 */
#ifndef FT_LARGE_QUARANTINE_H
#define FT_LARGE_QUARANTINE_H

#include <stddef.h>
#include <stdint.h>

/* How many ranges are kept, and how many bytes of each, from its beginning. */
enum { QUARANTINE_RANGES = 128, QUARANTINE_RANGE_BYTES = 32 << 20 };

/* Reserves the range that was just unmapped, and releases one of the older ranges for it. */
void quarantine_keep(uintptr_t start, size_t size);

/* Releases all ranges, because address space or mappings are short. Returns their bytes. */
size_t quarantine_empty(void);

#endif
