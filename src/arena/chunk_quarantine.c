/*
 * The quarantine of an arena's chunks, and the random order of its stacks.
 */
#include "arena/chunk_quarantine.h"

#include "base/secret.h"
#include "bins/beside.h"
#include "os/os.h"

#include <string.h>

enum { QUARANTINE_CHUNKS = 512, QUARANTINE_BYTES = 512 << 10 };

/* A ring: the last `count` chunks before place number `next`. They are in state FREE. */
struct quarantine {
    uintptr_t chunks[QUARANTINE_CHUNKS];
    uint8_t classes[QUARANTINE_CHUNKS];
    unsigned next;
    unsigned count;
    size_t bytes;
};

/*
 * The stack is always in random order: a chunk that is freed takes a random place, and the chunk
 * from that place is pushed on top. So it is random which chunk is handed out next, and yet known
 * in advance, so that the processor can fetch it.
 */
static inline void put_into_stack(struct arena *arena, unsigned size_class, uintptr_t chunk)
{
    struct bin *bin = &arena->bins.of[size_class];
    void **top, **place;

    if (unlikely(bin->top == bin->end))
        bin_spill(bin);
    top = bin->top;
    place = bin->slots + ((secret_random(&arena->random) >> 32) * (bin_count(bin) + 1) >> 32);
    bin->top = top + 1;
    *top = *place;
    *place = pointer_to(chunk);
}

static __attribute__((noinline)) void release_oldest(struct arena *arena,
                                                     struct quarantine *quarantine)
{
    unsigned at = (quarantine->next - quarantine->count--) % QUARANTINE_CHUNKS;

    quarantine->bytes -= size_classes[quarantine->classes[at]].size;
    put_into_stack(arena, quarantine->classes[at], quarantine->chunks[at]);
}

static __attribute__((noinline)) bool make_quarantine(struct arena *arena)
{
    arena->quarantine = os_map(round_up(sizeof(struct quarantine), os_page_size()));
    return arena->quarantine != NULL;
}

/* Without memory for a quarantine, chunks do not wait. */
static __attribute__((noinline)) void put_first(struct arena *arena, uintptr_t address,
                                                unsigned size_class)
{
    if (make_quarantine(arena))
        chunk_quarantine_add(arena, address, size_class);
    else
        put_into_stack(arena, size_class, address);
}

void chunk_quarantine_add(struct arena *arena, uintptr_t address, unsigned size_class)
{
    struct quarantine *quarantine = arena->quarantine;
    unsigned at, oldest_class;
    uintptr_t oldest;

    if (unlikely(quarantine == NULL)) {
        put_first(arena, address, size_class);
        return;
    }
    at = quarantine->next++ % QUARANTINE_CHUNKS;
    oldest = quarantine->chunks[at];
    oldest_class = quarantine->classes[at];
    quarantine->chunks[at] = address;
    quarantine->classes[at] = (uint8_t)size_class;
    quarantine->bytes += size_classes[size_class].size;
    if (likely(quarantine->count == QUARANTINE_CHUNKS)) {
        quarantine->bytes -= size_classes[oldest_class].size;
        put_into_stack(arena, oldest_class, oldest);
    } else {
        quarantine->count++;
    }
    while (unlikely(quarantine->bytes > QUARANTINE_BYTES))
        release_oldest(arena, quarantine);
}

void chunk_quarantine_flush(struct arena *arena)
{
    while (arena->quarantine != NULL && arena->quarantine->count > 0)
        release_oldest(arena, arena->quarantine);
}

void chunk_quarantine_forget(struct arena *arena)
{
    if (arena->quarantine == NULL)
        return;
    arena->quarantine->count = 0;
    arena->quarantine->bytes = 0;
}

void chunk_quarantine_receive(struct arena *arena, const struct chunk *chunk, size_t held)
{
    /*
     * The thread that freed the chunk could not check its neighbours: it does not own them, and
     * would have seen states in the middle of a change.
     */
    if (chunk->zone != ZONE_TINY ||
        beside_tiny(chunk->start, chunk->usable, tiny_state(chunk->start)))
        beside_check(chunk->start, chunk->usable);
    memset(pointer_to(chunk->start), 0, held);
    chunk_mark(chunk, STATE_FREE);
    chunk_quarantine_add(arena, chunk->start, chunk->size_class);
}
