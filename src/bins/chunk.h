/*
 * Tells which chunk is at an address. Any thread may ask, for any value in a TINY or SMALL heap;
 * only memory that is known to be ours is read. The answer says what is wrong with a pointer that
 * is not that of a live chunk.
 */
#ifndef FT_BINS_CHUNK_H
#define FT_BINS_CHUNK_H

#include "base/zone.h"
#include "bins/slab.h"

enum verdict {
    CHUNK_LIVE,
    CHUNK_FREED,    /* a chunk that was freed, and not handed out since */
    CHUNK_INTERIOR, /* inside a live chunk, which `chunk` describes */
    CHUNK_NONE,     /* in no chunk that was ever handed out */
    /* For arena/lookup.h only. */
    CHUNK_GONE,    /* was freed, and its mapping or its slab is gone */
    CHUNK_FOREIGN, /* in no memory of this allocator */
};

struct chunk {
    uintptr_t start;
    /* Bytes that the program requested, and that it may use. */
    size_t requested;
    size_t usable;
    enum zone zone;
    bool guarded; /* see bins/guard_pool.h */
    /* The rest is not set for LARGE and for guarded chunks. */
    struct arena *arena;
    struct slab *slab;
    unsigned size_class;
    unsigned index;
    /* Its kind: STATE_LIVE, STATE_FREE, STATE_REMOTE or STATE_NONE. */
    unsigned kind;
};

/* The chunk's heap, and the unit in which its slab begins. Neither is for LARGE chunks. */
static inline struct heap *chunk_heap(const struct chunk *chunk)
{
    return heap_at(chunk->start, chunk->zone == ZONE_SMALL ? TAG_SMALL : 0);
}

static inline unsigned chunk_first_unit(const struct chunk *chunk)
{
    uintptr_t slab = chunk->start - (uintptr_t)chunk->index * size_classes[chunk->size_class].size;

    return (unsigned)((slab - chunk_heap(chunk)->base) / UNIT_SIZE);
}

/* Looks up the chunk at the address. `tag` is heap_map_tag(address), and not TAG_NONE. */
enum verdict chunk_find(uintptr_t address, uint16_t tag, struct chunk *chunk);

/*
 * For reports: describes the chunk that started at the address in a heap and was freed, if its slab
 * has gone and nothing else began there since. Returns false if the states tell of no such chunk.
 * `chunk` is as chunk_find() has left it.
 */
bool chunk_find_gone(uintptr_t address, struct chunk *chunk);

/* Changes the state of a chunk that was looked up, from chunk->kind to `kind`. */
void chunk_mark(const struct chunk *chunk, unsigned kind);

/*
 * Stores a new requested size. Returns false if the state cannot express it; nothing has changed
 * then.
 */
bool chunk_resize(const struct chunk *chunk, size_t requested);

#endif
