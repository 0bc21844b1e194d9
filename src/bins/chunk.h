/*
 * Which chunk is at an address? For any value whatever, from any thread, for TINY and SMALL;
 * nothing is read that is not known to be ours. The answer says what is wrong with a pointer that
 * is not a live chunk's.
 */
#ifndef FT_BINS_CHUNK_H
#define FT_BINS_CHUNK_H

#include "base/zone.h"
#include "bins/slab.h"

enum verdict {
    CHUNK_LIVE,
    CHUNK_FREED,    /* was a chunk: freed, and not handed out since */
    CHUNK_INTERIOR, /* inside the live chunk that `chunk` describes */
    CHUNK_NONE,     /* in no chunk that was ever handed out */
};

struct chunk {
    uintptr_t start;
    /* Bytes that the program asked for, and that it may use. */
    size_t requested;
    size_t usable;
    enum zone zone;
    /* Not for LARGE. */
    struct arena *arena;
    struct slab *slab;
    unsigned size_class;
    unsigned index;
    /* What its state said: STATE_LIVE, STATE_FREE, STATE_REMOTE or STATE_NONE. */
    unsigned kind;
};

/* Not for LARGE, both: the chunk's heap, and the unit in which its slab begins. */
static inline struct heap *chunk_heap(const struct chunk *chunk)
{
    return heap_at(chunk->start, chunk->zone == ZONE_SMALL ? TAG_SMALL : 0);
}

static inline unsigned chunk_first_unit(const struct chunk *chunk)
{
    uintptr_t slab = chunk->start - (uintptr_t)chunk->index * size_classes[chunk->size_class].size;

    return (unsigned)((slab - chunk_heap(chunk)->base) / UNIT_SIZE);
}

/* `tag` is heap_map_tag(address), not TAG_NONE. */
enum verdict chunk_find(uintptr_t address, uint16_t tag, struct chunk *chunk);

/* Changes the state of a chunk that was found, from chunk->kind to `kind`. */
void chunk_mark(const struct chunk *chunk, unsigned kind);

/* Records a new requested size; false if the state cannot express it, and nothing has changed. */
bool chunk_resize(const struct chunk *chunk, size_t requested);

#endif
