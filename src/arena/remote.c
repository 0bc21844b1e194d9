/*
 * Collects chunks of other arenas, and sends them. receive.c unpacks what arrives.
 */
#include "arena/remote.h"

#include "arena/fork.h"
#include "arena/parcel.h"
#include "arena/visit.h"
#include "base/clock.h"
#include "base/options.h"
#include "os/os.h"

enum {
    /* Chunks that have waited so long are sent, however few they are. */
    SEND_AGE = CLOCK_TENTH,
    /* TINY chunks are not added up; each counts as so many bytes. */
    TINY_ESTIMATE = TINY_MAX / 8,
};

unsigned fork_generation;

static void push(struct arena *owner, struct parcel *parcel)
{
    struct parcel *next =
        /* relaxed: the exchange checks it */
        atomic_load_explicit(&owner->inbox, memory_order_relaxed);
    size_t bytes = parcel->bytes;

    do {
        os_count_rmw();
        parcel->next = next;
        /*
         * Sequentially consistent: see `restless`. Also release: whoever takes the inbox finds the
         * contents of the parcel.
         */
    } while (!atomic_compare_exchange_weak_explicit(&owner->inbox, &next, parcel,
                                                    memory_order_seq_cst, memory_order_relaxed));
    arena_stir(owner);
    visit_after_push(owner, bytes);
}

/* Takes the parcel away. Chunks with the tag may still be collected here. */
static struct parcel *close(struct cache *cache, struct outgoing *outgoing)
{
    struct parcel *parcel = outgoing->parcel;

    parcel->count = (uint16_t)(outgoing->next - parcel->chunks);
    parcel->tag = outgoing->tag;
    parcel->bytes =
        outgoing->tag & TAG_SMALL ? outgoing->bytes : (size_t)parcel->count * TINY_ESTIMATE;
    outgoing->next = outgoing->end = NULL;
    outgoing->parcel = NULL;
    /* A fork may have come between, which forgets all of them. */
    if (likely(cache->collecting > 0))
        cache->collecting--;
    return parcel;
}

void remote_send(struct cache *cache, struct outgoing *outgoing)
{
    struct parcel *parcel;

    if (outgoing->next == NULL)
        return;
    parcel = close(cache, outgoing);
    if (parcel->count > 0 && parcel->fork == fork_generation)
        push(outgoing->owner, parcel);
    else
        parcel_put(cache, parcel);
}

void remote_send_all(struct cache *cache)
{
    if (!cache->sends)
        return;
    for (unsigned i = 0; i < OUTGOING; i++)
        remote_send(cache, &cache->outgoing[i]);
}

void remote_send_old(struct cache *cache)
{
    uint64_t now = clock_now();

    /* It is due when the time has come, and when the clock has jumped back. */
    if (cache->send_at - now - 1 < SEND_AGE)
        return;
    cache->send_at = now + SEND_AGE;
    remote_send_all(cache);
}

static void forget_heaps(struct cache *cache, const struct outgoing *outgoing)
{
    for (unsigned i = 0; i < FOREIGN; i++)
        if (outgoing == NULL || cache->foreign[i].outgoing == outgoing)
            cache->foreign[i].end = 0;
}

void remote_drop(struct cache *cache)
{
    forget_heaps(cache, NULL);
    /* An interrupted call may be writing to the parcel, so that stays where it is. */
    for (unsigned i = 0; i < OUTGOING; i++) {
        cache->outgoing[i].tag = TAG_NONE;
        cache->outgoing[i].next = cache->outgoing[i].end = NULL;
    }
    cache->collecting = 0;
}

/*
 * Returns where chunks with this tag are collected. There are two possible places, so that two
 * arenas that alternate do not collide; the one with fewer chunks is given up.
 */
static struct outgoing *outgoing_for(struct cache *cache, uint16_t tag)
{
    unsigned place = (tag ^ tag >> 12) % OUTGOING;
    struct outgoing *first = &cache->outgoing[place];
    struct outgoing *second = &cache->outgoing[(place + OUTGOING / 2 + tag / OUTGOING) % OUTGOING];

    if (first->tag == tag || second->tag == tag)
        return first->tag == tag ? first : second;
    if (first->next == NULL)
        return first;
    return second->next == NULL ||
                   second->next - second->parcel->chunks < first->next - first->parcel->chunks
               ? second
               : first;
}

/*
 * Bounds what is collected in one place. A thread that collects for several arenas, TINY and SMALL
 * chunks for each, would otherwise keep much memory from them.
 */
static void limit(struct outgoing *outgoing, unsigned arenas)
{
    enum { PARTS_MAX = 4 };
    unsigned parts = arenas < PARTS_MAX ? arenas : PARTS_MAX;

    outgoing->end = outgoing->parcel->chunks + PARCEL_CHUNKS / parts;
    outgoing->most_kib = (uint16_t)((REMOTE_BATCH_BYTES >> 10) / arenas);
}

/* Prepares for the next chunk with the tag. Returns false if there is no memory for a parcel. */
static bool make_room(struct cache *cache, struct outgoing *outgoing, struct arena *owner,
                      uint16_t tag)
{
    if (outgoing->tag != tag || outgoing->next == outgoing->end) {
        if (outgoing->next != NULL)
            remote_send(cache, outgoing);
        if (outgoing->tag != tag)
            forget_heaps(cache, outgoing);
    }
    if (outgoing->next != NULL)
        return true;
    if (outgoing->parcel == NULL)
        outgoing->parcel = parcel_get(cache);
    if (outgoing->parcel == NULL) {
        outgoing->tag = TAG_NONE;
        return false;
    }
    cache->sends = true;
    outgoing->parcel->fork = fork_generation;
    outgoing->owner = owner;
    outgoing->tag = tag;
    outgoing->bytes = 0;
    outgoing->next = outgoing->parcel->chunks;
    limit(outgoing, cache->collecting / 2 + 1);
    cache->collecting++;
    return true;
}

/*
 * Returns a parcel with room for the tag among those that wait to be unpacked, or puts an empty one
 * in front of them. Returns NULL if there is no memory. The arena's lock is held.
 */
static struct parcel *waiting_parcel(struct arena *owner, uint16_t tag)
{
    struct parcel *parcel = owner->unpacking;

    /* TINY and SMALL chunks may alternate. */
    for (unsigned seen = 0; seen < 2 && parcel != NULL; seen++, parcel = parcel->next)
        if (parcel->tag == tag && parcel->count < PARCEL_CHUNKS)
            return parcel;
    parcel = parcel_get_one();
    if (parcel == NULL)
        return NULL;
    parcel->tag = tag;
    parcel->count = 0;
    parcel->bytes = 0;
    parcel->next = owner->unpacking;
    owner->unpacking = parcel;
    return parcel;
}

/*
 * Leaves the chunk to the arena's threads, one of which has to put it into its quarantine. Returns
 * false if there is no memory for a parcel.
 */
static bool leave_to_quarantine(struct arena *owner, const struct chunk *chunk, uint16_t tag)
{
    struct parcel *parcel = waiting_parcel(owner, tag);

    if (parcel == NULL)
        return false;
    if (chunk->kind != STATE_REMOTE)
        chunk_mark(chunk, STATE_REMOTE);
    parcel->chunks[parcel->count++] = chunk->start;
    return true;
}

/*
 * Returns a chunk to its slab at once, with the arena's lock, for a thread that cannot collect it:
 * there is no memory for a parcel, or the thread has no cache of its own. `kind` is the state that
 * the chunk was in for the caller; if it has another one, another thread has freed it, too.
 */
static void return_directly(struct arena *owner, uintptr_t address, uint16_t tag, unsigned kind)
{
    struct chunk chunk;

    arena_lock(owner);
    bins_enter(&owner->bins, NULL, NULL, false, HEAP_ALLOWANCE);
    arena_stir(owner);
    if (chunk_find(address, tag, &chunk) == CHUNK_NONE || chunk.kind != kind) {
        remote_report_twice(address);
    } else if (!arena_leave_for_repair(&chunk) &&
               (!policy_quarantine() || !leave_to_quarantine(owner, &chunk, tag))) {
        chunk_mark(&chunk, STATE_FREE);
        arena_take_back(owner, &chunk);
    }
    arena_unlock(owner);
}

/* For a chunk in state REMOTE. */
static void collect(struct cache *cache, struct arena *owner, uintptr_t address, uint16_t tag,
                    unsigned bytes)
{
    struct outgoing *outgoing = outgoing_for(cache, tag);

    if (!make_room(cache, outgoing, owner, tag)) {
        return_directly(owner, address, tag, STATE_REMOTE);
        return;
    }
    *outgoing->next++ = address;
    outgoing->bytes += bytes;
    if (outgoing_is_much(outgoing))
        remote_send(cache, outgoing);
}

static void count_remote_free(struct cache *cache)
{
    if (unlikely(mode_is_on(MODE_STATS)) && cache != NULL)
        atomic_store_explicit(&cache->remote_frees,
                              atomic_load_explicit(&cache->remote_frees, memory_order_relaxed) + 1,
                              memory_order_relaxed);
}

void remote_free(struct cache *cache, const struct chunk *chunk)
{
    struct arena *owner = chunk->arena;
    bool small = chunk->zone == ZONE_SMALL;
    uint16_t tag = small ? owner->small_tag : owner->tiny_tag;

    count_remote_free(cache);
    if (unlikely(cache == NULL || cache->common)) {
        return_directly(owner, chunk->start, tag, STATE_LIVE);
        return;
    }
    if (unlikely(arena_leave_for_repair(chunk)))
        return;
    chunk_mark(chunk, STATE_REMOTE);
    collect(cache, owner, chunk->start, tag, small ? (unsigned)chunk->usable : 0);
}

/* The next chunks in this heap are then freed by remote_free_known(). */
static void know_heap(struct cache *cache, uintptr_t address, uintptr_t end, uint16_t tag,
                      unsigned since)
{
    struct outgoing *outgoing = outgoing_for(cache, tag);
    uintptr_t part = address & ~(((uintptr_t)1 << HEAP_SHIFT) - 1);

    if (outgoing->tag != tag)
        return;
    if (cache->foreign_since != since)
        forget_heaps(cache, NULL);
    cache->foreign_since = since;
    cache->foreign[part >> HEAP_SHIFT & (FOREIGN - 1)] = (struct foreign){
        .key = part + (tag & TAG_SMALL ? FOREIGN_SMALL : 0), .end = end, .outgoing = outgoing};
}

bool remote_free_aligned(struct cache *cache, uintptr_t address, uint16_t tag)
{
    /*
     * Read before the look at the heap, which is then there at this value or at a later one.
     * Relaxed: see the declaration.
     */
    unsigned since = atomic_load_explicit(&heap_map_removals, memory_order_relaxed);
    const struct heap *heap = heap_at(address, tag);
    struct arena *owner = heap->arena;
    /* The chunk keeps the heap mapped only until it is collected. */
    uintptr_t end = heap->base + (uintptr_t)heap->units * UNIT_SIZE;
    unsigned bytes = 0;

    /*
     * The heap has no arena if the pointer is wrong and the heap was just unmapped: see
     * bins/limbo.h. Acquire: see arena_repair_step().
     */
    if (unlikely(owner == NULL) || unlikely(owner->apart) ||
        unlikely(atomic_load_explicit(&owner->damaged, memory_order_acquire) != ARENA_SOUND))
        return false;
    if (tag & TAG_SMALL)
        bytes = remote_leave_small(&cache->stacks, address, false, 0);
    if (tag & TAG_SMALL ? bytes == 0 : !remote_leave_tiny(&cache->stacks, address, false, 0))
        return false;
    collect(cache, owner, address, tag, bytes);
    know_heap(cache, address, end, tag, since);
    return true;
}
