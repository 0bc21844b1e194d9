/*
 * The memory of the modes: mappings apart from the program's chunks and from the allocator's own
 * structures. It is counted, and each mode has a cap. No figure about the program includes it.
 *
 * A mode that is switched off keeps its memory, because another thread may still be in the middle
 * of a call that uses it. So what begins again uses it again, and the cap holds for the life of the
 * process.
 */
#ifndef FT_DEBUG_MODE_MEMORY_H
#define FT_DEBUG_MODE_MEMORY_H

#include "base/modes.h"

#include <stddef.h>
#include <stdint.h>

struct mode_memory {
    size_t used; /* bytes that are mapped */
    size_t cap;  /* the most that may be mapped, in bytes */
    /* How often something was not recorded, because the cap or the kernel left no room. */
    uint64_t dropped;
};

/*
 * Returns zero-filled memory for one mode, rounded up to whole pages. Returns NULL if it would
 * exceed the cap, or if the kernel refuses. Any thread may call this at any time, with any lock
 * held; errno stays as it was. Whoever has to do without what the memory was for also calls
 * mode_memory_drop().
 */
void *mode_memory_map(enum mode mode, size_t size);

/* Unmaps memory that no other thread can know, of the size that was asked for. */
void mode_memory_unmap(enum mode mode, void *memory, size_t size);

/*
 * Adds to or subtracts from what a mode uses, for one that commits parts of reserved address space
 * itself. The first returns false, having added nothing, if it would exceed the cap.
 */
bool mode_memory_take(enum mode mode, size_t size);
void mode_memory_give(enum mode mode, size_t size);

/* Counts something that was not recorded. */
void mode_memory_drop(enum mode mode);

/* Returns the figures of one mode. */
struct mode_memory mode_memory_of(enum mode mode);

/* Returns the bytes of all modes. */
size_t mode_memory_used(void);

#endif
