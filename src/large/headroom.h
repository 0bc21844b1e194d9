/*
 * How much address space LARGE chunks get beyond what they need, and when they do without. Two
 * things run out: the address space, of which all chunks together get a sixteenth, and the kernel's
 * mappings (base/mappings.h).
 */
#ifndef FT_LARGE_HEADROOM_H
#define FT_LARGE_HEADROOM_H

#include <stdbool.h>
#include <stddef.h>

/*
 * What a chunk that grows would like to have in advance; what one may like that has not grown yet.
 */
size_t headroom_ample(size_t mapped);
size_t headroom_first(size_t mapped);

/*
 * For a chunk of `mapped` bytes: as much of `wanted` as it can have, in whole pages; 0: it does
 * without. The chunk's descriptor remembers all of it, mapped and headroom, in `promised`; then
 * headroom_give() takes that number back.
 */
size_t headroom_take(size_t mapped, size_t wanted);
void headroom_give(size_t promised);

#endif
