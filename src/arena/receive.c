/*
 * Unpacks parcels that have arrived. Each address is one that the sender found to be a live chunk
 * of this arena and turned to state REMOTE. If it is in another state now, two threads have freed
 * it at the same moment.
 */
#include "arena/chunk_quarantine.h"
#include "arena/parcel.h"
#include "arena/remote.h"
#include "base/options.h"
#include "base/report_line.h"
#include "os/os.h"

/*
 * The number of parcels that a call unpacks which needs a single chunk, so that a long backlog
 * causes no long pause.
 */
enum { UNPACK_PARCELS = 16 };

/* Turns the state of a chunk to FREE. Returns false if it is not REMOTE. */
static inline bool arrive_tiny(uintptr_t address)
{
    /* Relaxed, here and below: ordered by the inbox. */
    uint8_t seen = atomic_load_explicit(tiny_chunk_state(address), memory_order_relaxed);

    if (unlikely(!tiny_is_remote(seen)))
        return false;
    tiny_turn(address, seen, STATE_REMOTE, STATE_FREE, memory_order_relaxed);
    return true;
}

/* Stores the class, too. */
static inline bool arrive_small(uintptr_t address, unsigned *size_class)
{
    uint32_t seen = atomic_load_explicit(small_chunk_state(address), memory_order_relaxed);

    if (unlikely(!small_is_at(seen, STATE_REMOTE, address)))
        return false;
    *size_class = small_state_class(seen);
    small_turn(address, seen, STATE_REMOTE, STATE_FREE, memory_order_relaxed);
    return true;
}

__attribute__((noinline)) void remote_report_twice(uintptr_t address)
{
    report_corruption("chunk freed twice at once: found", address);
}

static void tiny_to_stacks(struct stacks *stacks, const struct parcel *parcel)
{
    const uintptr_t *at = parcel->chunks, *end = at + parcel->count;

    for (; at < end; at++) {
        /*
         * The copy saves a second load: a state is a byte, so the compiler has to assume that
         * storing one changes *at.
         */
        uintptr_t address = *at;

        if (likely(arrive_tiny(address)))
            stack_free(&stacks->of[tiny_chunk_class(address)], pointer_to(address));
        else
            remote_report_twice(address);
    }
}

static void small_to_stacks(struct stacks *stacks, const struct parcel *parcel)
{
    const uintptr_t *at = parcel->chunks, *end = at + parcel->count;
    unsigned size_class;

    for (; at < end; at++) {
        uintptr_t address = *at;

        if (likely(arrive_small(address, &size_class)))
            stack_free(&stacks->of[size_class], pointer_to(address));
        else
            remote_report_twice(address);
    }
}

static void to_quarantine(struct cache *cache, const struct parcel *parcel)
{
    struct chunk chunk;

    for (unsigned i = 0; i < parcel->count; i++)
        if (chunk_find(parcel->chunks[i], parcel->tag, &chunk) == CHUNK_FREED &&
            chunk.kind == STATE_REMOTE)
            chunk_quarantine_receive(cache, &chunk);
        else
            remote_report_twice(parcel->chunks[i]);
}

static void unpack(struct cache *cache, struct parcel *parcel)
{
    if (unlikely(policy_quarantine()))
        to_quarantine(cache, parcel);
    else if (parcel->tag & TAG_SMALL)
        small_to_stacks(&cache->stacks, parcel);
    else
        tiny_to_stacks(&cache->stacks, parcel);
    parcel_put(cache, parcel);
}

/* Returns the chunks of a parcel to their slabs, those of one class that are in a row together. */
static void to_slabs(struct arena *arena, struct parcel *parcel)
{
    unsigned kept = 0, class_before = SIZE_CLASSES;
    void *chunks[PARCEL_CHUNKS];

    for (unsigned i = 0; i < parcel->count; i++) {
        uintptr_t address = parcel->chunks[i];
        unsigned size_class;
        bool small = parcel->tag & TAG_SMALL;

        if (unlikely(small ? !arrive_small(address, &size_class) : !arrive_tiny(address))) {
            remote_report_twice(address);
            continue;
        }
        if (!small)
            size_class = (unsigned)tiny_chunk_class(address);
        if (size_class != class_before && kept > 0) {
            bin_to_slabs(&arena->bins.of[class_before], chunks, kept);
            kept = 0;
        }
        chunks[kept++] = pointer_to(address);
        class_before = size_class;
    }
    if (kept > 0)
        bin_to_slabs(&arena->bins.of[class_before], chunks, kept);
}

/* Takes the inbox, unless parcels taken before are left. Returns the first parcel, or NULL. */
static struct parcel *open_inbox(struct arena *arena)
{
    struct parcel *parcel = arena->unpacking;

    /* Relaxed: the exchange below orders it. */
    if (parcel != NULL || atomic_load_explicit(&arena->inbox, memory_order_relaxed) == NULL)
        return parcel;
    /* Acquire: the contents of the parcels. */
    parcel = atomic_exchange_explicit(&arena->inbox, NULL, memory_order_acquire);
    os_count_rmw();
    /* Relaxed: an estimate. What is pushed meanwhile may be missing in it. */
    atomic_store_explicit(&arena->inbox_bytes, 0, memory_order_relaxed);
    return parcel;
}

/*
 * Returns whether the caller should leave the next parcels to the threads that share the arena with
 * it. If it took them all, its stacks would overflow, and the other threads would cut fresh chunks.
 */
static bool has_enough(const struct cache *cache, const struct stack *wanted)
{
    enum { ENOUGH = 2 };

    return wanted != NULL && stack_count(wanted) >= ENOUGH && !cache->arena->tiny.alone;
}

/* `wanted` is NULL if the caller wants everything, and not chunks of one stack. */
static void receive(struct cache *cache, const struct stack *wanted, unsigned most)
{
    struct arena *arena = cache->arena;
    struct parcel *parcel = open_inbox(arena), *next;

    for (; parcel != NULL && most-- > 0 && !has_enough(cache, wanted); parcel = next) {
        next = parcel->next;
        /* The next parcel comes from another processor's cache, so its load starts early. */
        __builtin_prefetch(next);
        arena->unpacking = next;
        unpack(cache, parcel);
    }
}

void remote_receive(struct cache *cache, const struct stack *wanted)
{
    receive(cache, wanted, UNPACK_PARCELS);
}

bool remote_inbox_empty(struct arena *arena)
{
    return arena->unpacking == NULL &&
           /* sequentially consistent: see `restless` */
           atomic_load_explicit(&arena->inbox, memory_order_seq_cst) == NULL;
}

void remote_receive_all(struct cache *cache)
{
    while (!remote_inbox_empty(cache->arena))
        receive(cache, NULL, ~0u);
}

static size_t return_some(struct arena *arena, unsigned most)
{
    struct parcel *first = open_inbox(arena), *last = first, *parcel;
    size_t bytes = 0;

    if (first == NULL)
        return 0;
    for (parcel = first; parcel != NULL && most-- > 0; parcel = parcel->next) {
        arena->unpacking = parcel->next;
        to_slabs(arena, parcel);
        bytes += parcel->bytes;
        last = parcel;
    }
    parcel_put_chain(first, last);
    return bytes;
}

size_t remote_return(struct arena *arena)
{
    return policy_quarantine() ? 0 : return_some(arena, UNPACK_PARCELS);
}

void remote_return_all(struct arena *arena)
{
    while (!policy_quarantine() && !remote_inbox_empty(arena))
        return_some(arena, ~0u);
}

void remote_forget(struct arena *arena)
{
    arena->unpacking = NULL;
    /*
     * Relaxed: a thread that frees now only marks the chunk, with the repair lock: see
     * arena_leave_for_repair().
     */
    atomic_store_explicit(&arena->inbox, NULL, memory_order_relaxed);
    atomic_store_explicit(&arena->inbox_bytes, 0, memory_order_relaxed);
}
