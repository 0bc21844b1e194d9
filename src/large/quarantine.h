/*
 * The addresses of LARGE chunks that were freed: for a while nobody gets them, so a pointer to such
 * a chunk leads nowhere. No memory is kept, only address space that nobody may touch; bounded in
 * ranges, and each in bytes. Any thread may call anything here; no lock is taken.
 */
#ifndef FT_LARGE_QUARANTINE_H
#define FT_LARGE_QUARANTINE_H

#include <stddef.h>
#include <stdint.h>

/* How many ranges are kept, and how many bytes of each, from its beginning. */
enum { QUARANTINE_RANGES = 128, QUARANTINE_RANGE_BYTES = 32 << 20 };

/*
 * Takes the range that was just unmapped, in the place of any other, which others may have from now
 * on.
 */
void quarantine_keep(uintptr_t start, size_t size);

/* Gives all of it back, because address space or mappings are short. Returns the bytes. */
size_t quarantine_empty(void);

#endif
