/*
 * Hardened arenas: random choice, canaries, the quarantine.
 */
#include "arena/hardened.h"

#include "arena/fork.h"
#include "arena/remote.h"
#include "base/report_line.h"
#include "os/os.h"

enum { QUARANTINE_CHUNKS = 512, QUARANTINE_BYTES = 512 << 10 };

/* A ring: the last `count` chunks before place number `next`. Their states say FREE. */
struct quarantine {
    uintptr_t chunks[QUARANTINE_CHUNKS];
    uint8_t classes[QUARANTINE_CHUNKS];
    unsigned next;
    unsigned count;
    size_t bytes;
};

/*
 * The stack is in random order always: a chunk that comes takes any place, and the one that was
 * there goes on top. So whichever is handed out next is a matter of chance, and yet known in
 * advance, for the processor to fetch it.
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

/* Without memory for a quarantine chunks do not wait. */
static __attribute__((noinline)) void put_first(struct arena *arena, uintptr_t address,
                                                unsigned size_class)
{
    if (make_quarantine(arena))
        hardened_put(arena, address, size_class);
    else
        put_into_stack(arena, size_class, address);
}

void hardened_put(struct arena *arena, uintptr_t address, unsigned size_class)
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

void hardened_flush(struct arena *arena)
{
    while (arena->quarantine != NULL && arena->quarantine->count > 0)
        release_oldest(arena, arena->quarantine);
}

void hardened_forget(struct arena *arena)
{
    if (arena->quarantine == NULL)
        return;
    arena->quarantine->count = 0;
    arena->quarantine->bytes = 0;
}

static void mark_live(const struct bin *bin, uintptr_t chunk, size_t requested)
{
    if (bin->size_class < TINY_CLASSES) {
        hardened_mark_tiny(chunk, size_classes[bin->size_class].size - requested);
        return;
    }
    small_mark_live(chunk, bin->live, requested);
    atomic_signal_fence(memory_order_seq_cst); /* see hardened_mark_tiny() */
}

__attribute__((noinline)) void *hardened_alloc_written(struct bin *bin, uintptr_t chunk,
                                                       size_t requested)
{
    report_corruption("memory written to after free: chunk", chunk);
    mark_live(bin, chunk, requested);
    canary_set(chunk, requested, size_classes[bin->size_class].size);
    return pointer_to(chunk);
}

/* From the stack, if there is one. */
static inline void *take(struct bin *bin, size_t requested)
{
    size_t usable = size_classes[bin->size_class].size;
    uintptr_t chunk = (uintptr_t)bin_pop(bin);

    if (unlikely(chunk == 0))
        return NULL;
    __builtin_prefetch(bin->top[-1], 1); /* see hardened_alloc_tiny() */
    if (unlikely(!canary_zero(chunk, usable)))
        return hardened_alloc_written(bin, chunk, requested);
    mark_live(bin, chunk, requested);
    canary_set(chunk, requested, usable);
    return pointer_to(chunk);
}

void *hardened_alloc_small(struct arena *arena, size_t size)
{
    return take(&arena->bins.of[spaced_class(size + 1)], size);
}

void *hardened_alloc(struct arena *arena, unsigned size_class, size_t requested)
{
    struct bin *bin = &arena->bins.of[size_class];

    if (bin_count(bin) == 0)
        remote_receive(arena);
    if (bin_count(bin) == 0 && !bin_refill(bin, &arena->random))
        return NULL;
    return take(bin, requested);
}

static struct reported_chunk reported(const struct chunk *chunk)
{
    return (struct reported_chunk){
        .start = chunk->start, .zone = chunk->zone, .requested = chunk->requested};
}

void hardened_check(const struct chunk *chunk, const char *function)
{
    const struct reported_chunk told = reported(chunk);

    /* A chunk that ends where a guard begins has no canary. */
    if (chunk->requested == chunk->usable ||
        likely(canary_intact(chunk->start, chunk->requested, chunk->usable)))
        return;
    report_overflow(function, &told);
    canary_mend(chunk->start, chunk->requested, chunk->usable);
}

__attribute__((noinline)) void hardened_free_overflowed(struct arena *arena, uintptr_t address,
                                                        size_t requested, size_t usable)
{
    const struct reported_chunk told = {.start = address,
                                        .zone = usable <= TINY_MAX ? ZONE_TINY : ZONE_SMALL,
                                        .requested = requested};

    report_overflow("free()", &told);
    canary_mend(address, requested, usable);
    hardened_free_quick(arena, address, false, 0);
}

__attribute__((noinline)) void hardened_look_beside(uintptr_t address, size_t usable)
{
    enum beside where = beside_look(address, usable);
    struct reported_chunk told;
    struct chunk chunk;

    if (likely(where == BESIDE_CLEAN))
        return;
    chunk_find(address, heap_map_tag(address), &chunk);
    told = reported(&chunk);
    report_beside(where == BESIDE_FRONT, &told);
}

void hardened_free_longer(struct arena *arena, uintptr_t address, size_t requested,
                          unsigned size_class)
{
    uint8_t seen = atomic_load_explicit(tiny_state(address),
                                        memory_order_relaxed); /* the caller holds the chunk */

    canary_wipe(address, requested, size_classes[size_class].size);
    /* Release: what says FREE is zero, also in the child of a fork. */
    tiny_turn(address, seen, STATE_LIVE, STATE_FREE, memory_order_release);
    hardened_put(arena, address, size_class);
}

bool hardened_free_small(struct arena *arena, uintptr_t address, bool sized, size_t size)
{
    uint32_t seen = atomic_load_explicit(small_state(address),
                                         memory_order_relaxed); /* the caller holds the chunk */
    size_t requested, usable;

    if (unlikely(!small_lives_at(seen, address)))
        return false;
    usable = size_classes[small_state_class(seen)].size;
    requested = usable - small_slack(seen);
    if (sized && unlikely(size != requested))
        return false;
    if (unlikely(!canary_intact(address, requested, usable))) {
        hardened_free_overflowed(arena, address, requested, usable);
        return true;
    }
    hardened_look_beside(address, usable);
    canary_wipe(address, requested, usable);
    /* Release: what says FREE is zero, also in the child of a fork. */
    small_turn(address, seen, STATE_LIVE, STATE_FREE, memory_order_release);
    hardened_put(arena, address, small_state_class(seen));
    return true;
}

void hardened_free(struct arena *arena, const struct chunk *chunk, const char *function)
{
    hardened_check(chunk, function);
    if (chunk->arena == arena)
        hardened_look_beside(chunk->start, chunk->usable);
    canary_wipe(chunk->start, chunk->requested, chunk->usable);
    if (chunk->arena != arena) {
        remote_free(arena, chunk);
        return;
    }
    if (unlikely(arena_is_damaged(arena)) && arena_keep_for_repair(chunk))
        return;
    chunk_mark(chunk, STATE_FREE);
    hardened_put(arena, chunk->start, chunk->size_class);
}

void hardened_arrive(struct arena *arena, const struct chunk *chunk, size_t held)
{
    /*
     * Who freed it could not look: not being the owner, it would have seen states in the middle of
     * a change.
     */
    if (chunk->zone != ZONE_TINY ||
        beside_tiny(chunk->start, chunk->usable, tiny_state(chunk->start)))
        hardened_look_beside(chunk->start, chunk->usable);
    memset(pointer_to(chunk->start), 0, held);
    chunk_mark(chunk, STATE_FREE);
    hardened_put(arena, chunk->start, chunk->size_class);
}
