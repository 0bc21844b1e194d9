/*
 * Checks the memory beside a chunk in hardened mode, where free memory is zero. So a write in front
 * of a chunk, or one behind it that jumped over the canary, is detected when the chunk is freed.
 * Live neighbours are left alone: each has a canary of its own, and its holder may be freeing it.
 * No other thread uses the arena in hardened mode, except with its lock in every call. So only the
 * caller makes chunks of the arena free and live again, and free neighbours do not change for it.
 */
#ifndef FT_BINS_BESIDE_H
#define FT_BINS_BESIDE_H

#include "bins/slab.h"

#include <string.h>

/* How many bytes are checked on each side. */
enum { BESIDE_BYTES = 2 * CHUNK_ALIGN };

enum beside { BESIDE_CLEAN, BESIDE_FRONT, BESIDE_BEHIND };

/*
 * Checks both sides, wherever the chunk lies in its slab. Clears what was written to, for programs
 * that continue. `usable` is the size of the chunk's class.
 */
enum beside beside_look(uintptr_t chunk, size_t usable);

/* Reports it if beside_look() finds anything. */
void beside_check(uintptr_t address, size_t usable);

/*
 * Returns true if the chunk of a TINY state is neither live nor on its way to its arena. Relaxed:
 * only the caller can change the state of such a chunk, and no other state matters.
 */
static inline bool beside_free(const _Atomic uint8_t *state)
{
    return tiny_is_owners(atomic_load_explicit(state, memory_order_relaxed));
}

static inline bool beside_zero(uintptr_t at)
{
    uint64_t words[CHUNK_ALIGN / sizeof(uint64_t)];

    memcpy(words, pointer_to(at), sizeof words);
    return (words[0] | words[1]) == 0;
}

/* Checks two chunks on each side. Returns true if a free one was written to. */
static inline bool beside_smallest(uintptr_t chunk, const _Atomic uint8_t *state)
{
    for (intptr_t away = -2; away <= 2; away++)
        if (away != 0 && beside_free(state + away) &&
            unlikely(!beside_zero(chunk + away * CHUNK_ALIGN)))
            return true;
    return false;
}

/*
 * Returns true if beside_look() has to be called: something is wrong beside a TINY chunk, or the
 * chunk is near the beginning or the end of its slab. Does not check behind longer chunks, because
 * that is another cache line.
 */
static inline bool beside_tiny(uintptr_t chunk, size_t usable, const _Atomic uint8_t *state)
{
    enum { BEHIND_MAX = 64 };
    uintptr_t offset = chunk % UNIT_SIZE;
    size_t near = usable / CHUNK_ALIGN;

    if (unlikely(offset < BESIDE_BYTES || offset + usable + BESIDE_BYTES > UNIT_SIZE))
        return true;
    if (usable < BESIDE_BYTES)
        return beside_smallest(chunk, state);
    return (beside_free(state - near) &&
            unlikely(!beside_zero(chunk - BESIDE_BYTES) || !beside_zero(chunk - CHUNK_ALIGN))) ||
           (usable <= BEHIND_MAX && beside_free(state + near) &&
            unlikely(!beside_zero(chunk + usable) || !beside_zero(chunk + usable + CHUNK_ALIGN)));
}

#endif
