/*
 * Checks beside any chunk. What lies there may belong to another slab or to none, be part of the
 * header, or be a guard.
 */
#include "bins/beside.h"

#include "base/bits.h"
#include "base/report_line.h"
#include "bins/chunk.h"
#include "bins/heap_pages.h"

static_assert((int)BESIDE_BYTES <= (int)HEADER_ZERO_END, "the end of a header is never used");

/*
 * Returns true if the chunk of the slab at the address is free. What is behind the last chunk
 * always is.
 */
static bool free_in_slab(const struct slab *slab, uintptr_t at)
{
    const struct size_class *shape = &size_classes[slab->size_class];
    uintptr_t start = slab_start(slab);
    unsigned index = chunk_index(shape, (uint32_t)(at - start));

    /* The inverse is rounded up: see chunk_find(). */
    if (index * shape->size > at - start)
        index--;
    return index >= shape->chunks ||
           state_is_owners(slab->size_class, start + (uintptr_t)index * shape->size);
}

/* Returns true if the address is memory that can be read and that nobody holds. */
static bool free_at(const struct heap *heap, uintptr_t at)
{
    unsigned unit = (unsigned)((at - heap->base) / UNIT_SIZE), first = heap_first_unit(heap);
    const struct slab *slab;

    if (unit < first)
        return unit == first - 1;
    if (unit >= heap_units(heap) || bit_get(heap->guards, unit) || bit_get(heap->reserved, unit) ||
        bit_get(heap->lost, unit))
        return false;
    slab = heap->set->small ? small_slab(at) : tiny_slab(at);
    /* Ask the slab first: until a heap is rebuilt after a fork, its map of units means nothing. */
    if (slab != NULL && (atomic_load_explicit(&slab->identity, memory_order_relaxed) & 1) != 0)
        return free_in_slab(slab, at);
    return bit_get(heap->vacant, unit);
}

/* Returns true if the 16 bytes are free and were written to; clears them then. */
static bool mend(const struct heap *heap, uintptr_t at)
{
    char *memory = pointer_to(at);
    uint64_t words[2];

    if (!free_at(heap, at))
        return false;
    memcpy(words, memory, sizeof words);
    if ((words[0] | words[1]) == 0)
        return false;
    memset(memory, 0, sizeof words);
    return true;
}

enum beside beside_look(uintptr_t chunk, size_t usable)
{
    const struct heap *heap = heap_at(chunk, heap_map_tag(chunk));
    bool front = false, behind = false;

    for (uintptr_t away = 0; away < BESIDE_BYTES; away += CHUNK_ALIGN) {
        front |= mend(heap, chunk - away - CHUNK_ALIGN);
        behind |= mend(heap, chunk + usable + away);
    }
    return front ? BESIDE_FRONT : behind ? BESIDE_BEHIND : BESIDE_CLEAN;
}

__attribute__((noinline)) void beside_check(uintptr_t address, size_t usable)
{
    enum beside where = beside_look(address, usable);
    struct reported_chunk told;
    struct chunk chunk;

    if (likely(where == BESIDE_CLEAN))
        return;
    chunk_find(address, heap_map_tag(address), &chunk);
    told = (struct reported_chunk){
        .start = chunk.start, .zone = chunk.zone, .requested = chunk.requested};
    report_beside(where == BESIDE_FRONT, &told);
}
