/*
 * How much address space LARGE chunks get beyond what they need, and when they get none. Two
 * resources are limited: address space, of which all chunks together get a sixteenth, and the
 * kernel's mappings (base/mappings.h).
 */
#ifndef FT_LARGE_HEADROOM_H
#define FT_LARGE_HEADROOM_H

#include <stdbool.h>
#include <stddef.h>

/*
 * headroom_ample() returns the headroom that a growing chunk should have; headroom_first(), that of
 * a chunk which has not grown yet.
 */
size_t headroom_ample(size_t mapped);
size_t headroom_first(size_t mapped);

/*
 * Returns as much of `wanted` as a chunk of `mapped` bytes can have, in whole pages; or 0 if it has
 * to do without. The chunk's descriptor remembers the sum of both in `promised`, and
 * headroom_give() takes that number back.
 */
size_t headroom_take(size_t mapped, size_t wanted);
void headroom_give(size_t promised);

#endif
