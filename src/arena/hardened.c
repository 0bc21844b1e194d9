/*
 * Hardened arenas: random choice, canaries, the quarantine.
 */
#include "arena/hardened.h"

#include "arena/remote.h"
#include "debug/report.h"
#include "os/canary.h"
#include "os/os.h"

enum { QUARANTINE_CHUNKS = 512, QUARANTINE_BYTES = 512 << 10 };

/* A ring: `count` chunks from `first` on, the oldest first. Their states say FREE. */
struct quarantine {
    uintptr_t chunks[QUARANTINE_CHUNKS];
    uint8_t classes[QUARANTINE_CHUNKS];
    unsigned first;
    unsigned count;
    size_t bytes;
};

static void release_oldest(struct arena *arena)
{
    struct quarantine *quarantine = arena->quarantine;
    unsigned at = quarantine->first;
    unsigned class = quarantine->classes[at];

    quarantine->first = (at + 1) % QUARANTINE_CHUNKS;
    quarantine->count--;
    quarantine->bytes -= size_classes[class].size;
    bin_free(&arena->bins.of[class], (void *)quarantine->chunks[at]); // NOLINT: an address becomes a pointer
}

static bool have_quarantine(struct arena *arena)
{
    /* Without memory for it chunks do not wait. */
    if (unlikely(arena->quarantine == NULL))
        arena->quarantine = os_map(round_up(sizeof(struct quarantine), os_page_size()));
    return arena->quarantine != NULL;
}

static void put(struct arena *arena, uintptr_t address, unsigned class)
{
    struct quarantine *quarantine;
    unsigned at;

    if (!have_quarantine(arena)) {
        bin_free(&arena->bins.of[class], (void *)address); // NOLINT: an address becomes a pointer
        return;
    }
    quarantine = arena->quarantine;
    if (quarantine->count == QUARANTINE_CHUNKS)
        release_oldest(arena);
    at = (quarantine->first + quarantine->count++) % QUARANTINE_CHUNKS;
    quarantine->chunks[at] = address;
    quarantine->classes[at] = (uint8_t) class;
    quarantine->bytes += size_classes[class].size;
    while (quarantine->bytes > QUARANTINE_BYTES)
        release_oldest(arena);
}

void hardened_flush(struct arena *arena)
{
    while (arena->quarantine != NULL && arena->quarantine->count > 0)
        release_oldest(arena);
}

void hardened_forget(struct arena *arena)
{
    if (arena->quarantine == NULL)
        return;
    arena->quarantine->first = 0;
    arena->quarantine->count = 0;
    arena->quarantine->bytes = 0;
}

/* Any of those in the stack, which was filled at random. */
static void *pop_random(struct arena *arena, struct bin *bin)
{
    unsigned count = bin_count(bin);
    void **picked = bin->slots + ((os_random(&arena->random) >> 32) * count >> 32);
    void *chunk = *picked;

    *picked = *--bin->top;
    return chunk;
}

void *hardened_alloc_quick(struct arena *arena, unsigned class, size_t requested)
{
    struct bin *bin = &arena->bins.of[class];
    uintptr_t chunk;

    if (unlikely(bin_count(bin) == 0))
        return NULL;
    chunk = (uintptr_t)pop_random(arena, bin);
    if (unlikely(!canary_zero(chunk, size_classes[class].size)))
        report_corruption("memory written to after free: chunk", chunk);
    /* First of all: what says FREE is zero, also in the child of a fork that another thread makes now. */
    bin_mark_live(bin, chunk, requested);
    canary_set(chunk, requested, size_classes[class].size);
    return (void *)chunk; // NOLINT: an address becomes a pointer
}

void *hardened_alloc(struct arena *arena, unsigned class, size_t requested)
{
    struct bin *bin = &arena->bins.of[class];

    if (bin_count(bin) == 0)
        remote_receive(arena);
    if (bin_count(bin) == 0 && !bin_refill(bin, &arena->random))
        return NULL;
    return hardened_alloc_quick(arena, class, requested);
}

void hardened_check(uintptr_t start, size_t requested, size_t usable, const char *function)
{
    if (likely(canary_intact(start, requested, usable)))
        return;
    report_overflow(function, start);
    canary_mend(start, requested, usable);
}

/* Of the live chunk at an address in a heap of ours: its class, and by how much its request was smaller. */
static inline unsigned own_class(struct arena *arena, uintptr_t address, size_t *slack)
{
    if (likely(heap_owned(arena->own_tiny, address, TINY_HEAP_SHIFT))) {
        /* Relaxed, here and below: the caller holds the chunk. */
        uint8_t state = atomic_load_explicit(tiny_state(address), memory_order_relaxed);

        *slack = state & TINY_SLACK_MAX;
        return (int8_t)state > 0 ? (unsigned)tiny_class_around(address) : SIZE_CLASSES;
    }
    if (likely(heap_owned(arena->own_small, address, SMALL_HEAP_SHIFT))) {
        uint32_t state = atomic_load_explicit(small_state(address), memory_order_relaxed);

        *slack = state & SMALL_SLACK_MAX;
        return small_state_lives(state, address) ? small_state_class(state) : SIZE_CLASSES;
    }
    return SIZE_CLASSES;
}

static inline void mark_free(uintptr_t address, unsigned class)
{
    if (class < TINY_CLASSES) {
        _Atomic uint8_t *state = tiny_state(address);

        atomic_store_explicit(state,
                              atomic_load_explicit(state, memory_order_relaxed) ^
                                  tiny_state_of(STATE_LIVE ^ STATE_FREE, 0),
                              memory_order_relaxed);
    } else {
        _Atomic uint32_t *state = small_state(address);

        atomic_store_explicit(
            state, atomic_load_explicit(state, memory_order_relaxed) ^ small_kinds(STATE_LIVE, STATE_FREE),
            memory_order_relaxed);
    }
}

bool hardened_free_quick(struct arena *arena, uintptr_t address, const char *function)
{
    size_t slack, usable;
    unsigned class = own_class(arena, address, &slack);

    if (unlikely(class == SIZE_CLASSES))
        return false;
    usable = size_classes[class].size;
    hardened_check(address, usable - slack, usable, function);
    canary_wipe(address, usable - slack, usable);
    mark_free(address, class);
    put(arena, address, class);
    return true;
}

void hardened_free(struct arena *arena, const struct chunk *chunk, const char *function)
{
    hardened_check(chunk->start, chunk->requested, chunk->usable, function);
    canary_wipe(chunk->start, chunk->requested, chunk->usable);
    if (chunk->arena != arena) {
        remote_free(arena, chunk);
        return;
    }
    chunk_mark(chunk, STATE_FREE);
    put(arena, chunk->start, chunk->class);
}

void hardened_arrive(struct arena *arena, const struct chunk *chunk, size_t held)
{
    memset((void *)chunk->start, 0, held); // NOLINT: an address becomes a pointer
    chunk_mark(chunk, STATE_FREE);
    put(arena, chunk->start, chunk->class);
}
