/*
 * Where free memory is zero: what lies beside a chunk, and is free, must be. So a write in front of
 * a chunk, or one behind it that jumped over the canary, is found when the chunk is freed. What is
 * live is left alone: it has a canary of its own, and its holder may be freeing it. Only the owner
 * makes chunks free and live again, so for it what is free stands still: owner only, all of it.
 */
#ifndef FT_BINS_BESIDE_H
#define FT_BINS_BESIDE_H

#include "bins/slab.h"

#include <string.h>

/* How far is looked, to each side. */
enum { BESIDE_BYTES = 2 * CHUNK_ALIGN };

enum beside { BESIDE_CLEAN, BESIDE_FRONT, BESIDE_BEHIND };

/*
 * Looks at each side, wherever the chunk lies in its slab; what was written to is cleared, for
 * those who go on. `usable`: the size of its class.
 */
enum beside beside_look(uintptr_t chunk, size_t usable);

/*
 * Whether the chunk of a TINY state is neither live nor on its way to its owner. Relaxed: only the
 * owner, who asks, can change the state of such a chunk, and no other chunk is looked at.
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

/* Two chunks to each side. */
static inline bool beside_smallest(uintptr_t chunk, const _Atomic uint8_t *state)
{
    for (intptr_t away = -2; away <= 2; away++)
        if (away != 0 && beside_free(state + away) &&
            unlikely(!beside_zero(chunk + away * CHUNK_ALIGN)))
            return true;
    return false;
}

/*
 * True if beside_look() has to be asked: something is wrong beside a TINY chunk, or it is one of
 * the first or the last ones of its slab. Behind longer chunks, which end in other cache lines, it
 * does not look.
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
