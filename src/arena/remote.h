/*
 * Remote frees: chunks that a thread frees without being in front of their arena. The thread marks
 * the state, collects the address in a parcel for that arena, and pushes the full parcel to the
 * arena's inbox by one atomic operation. A thread of the arena takes the inbox when one of its
 * stacks runs empty, and pushes the chunks on its stacks. If the threads of the arena make no slow
 * calls, any other thread may return the chunks to their slabs, with the arena's lock.
 */
#ifndef FT_ARENA_REMOTE_H
#define FT_ARENA_REMOTE_H

#include "arena/cache.h"

/*
 * The number of forks between this process and the one that loaded the library. Chunks that were
 * collected before the last fork are not sent, because the repair has found them by their states.
 * Written in the child while it has one thread.
 */
extern unsigned fork_generation;

/*
 * SMALL chunks of one arena are sent when they keep this many bytes from it; or a part of that, if
 * the thread collects for several arenas.
 */
enum { REMOTE_BATCH_BYTES = 256 << 10 };

/*
 * Marks a live chunk as freed, and collects it for its arena, which the caller's cache is not in
 * front of. `cache` may be NULL, or a common one. The caller holds no lock.
 */
void remote_free(struct cache *cache, const struct chunk *chunk);

/*
 * Does the same by address alone, aligned as a chunk is, in a heap of another arena, with its tag.
 * Returns false, having done nothing, if the chunk is not live or cannot be freed so easily.
 */
bool remote_free_aligned(struct cache *cache, uintptr_t address, uint16_t tag);

/*
 * Send the chunks that were collected in one place; all, when the thread ends and for
 * malloc_trim(); or all if some have waited for a while, which a thread looks at after a slow call.
 * The caller holds no lock.
 */
void remote_send(struct cache *cache, struct outgoing *outgoing);
void remote_send_all(struct cache *cache);
void remote_send_old(struct cache *cache);

static inline bool outgoing_is_much(const struct outgoing *outgoing)
{
    return outgoing->bytes >= (uint32_t)outgoing->most_kib << 10;
}

/*
 * Marks the chunk as freed remotely. Returns false if it is not live, or with `sized` if it has
 * another size. The stacks of any cache tell what belongs to a class.
 */
static inline bool remote_leave_tiny(const struct stacks *stacks, uintptr_t address, bool sized,
                                     size_t size)
{
    /* Relaxed, here and below: the holder of a chunk got it with its state. */
    uint8_t seen = atomic_load_explicit(tiny_chunk_state(address), memory_order_relaxed);

    if (unlikely(!tiny_lives(seen)) ||
        (sized && unlikely(!tiny_has_size(seen, stacks->of[tiny_chunk_class(address)].live, size))))
        return false;
    tiny_turn(address, seen, STATE_LIVE, STATE_REMOTE, memory_order_relaxed);
    return true;
}

/* Returns the size of the chunk, or 0 if it is not live, or with `sized` if it has another size. */
static inline unsigned remote_leave_small(const struct stacks *stacks, uintptr_t address,
                                          bool sized, size_t size)
{
    uint32_t seen = atomic_load_explicit(small_chunk_state(address), memory_order_relaxed);

    if (unlikely(!small_lives_at(seen, address)) ||
        (sized &&
         unlikely(!small_has_size(seen, stacks->of[small_state_class(seen)].live, address, size))))
        return 0;
    small_turn(address, seen, STATE_LIVE, STATE_REMOTE, memory_order_relaxed);
    return size_classes[small_state_class(seen)].size;
}

/*
 * Fast path of a remote free, with `sized` of a chunk that must have that size: the heap is known,
 * and there is room in the parcel. Returns false in any other case, having done nothing.
 */
static inline __attribute__((always_inline)) bool
remote_free_known(struct cache *cache, uintptr_t address, bool sized, size_t size)
{
    const struct foreign *foreign = &cache->foreign[address >> HEAP_SHIFT & (FOREIGN - 1)];
    uintptr_t key = heap_key(address, HEAP_SHIFT);
    struct outgoing *outgoing = foreign->outgoing;
    uintptr_t *next;

    /* relaxed: see the declaration */
    if (atomic_load_explicit(&heap_map_removals, memory_order_relaxed) != cache->foreign_since ||
        unlikely(address >= foreign->end))
        return false;
    if (foreign->key == key) {
        next = outgoing->next;
        if (unlikely(next >= outgoing->end) ||
            unlikely(!remote_leave_tiny(&cache->stacks, address, sized, size)))
            return false;
    } else {
        unsigned bytes;

        if (foreign->key != key + FOREIGN_SMALL)
            return false;
        next = outgoing->next;
        if (unlikely(next >= outgoing->end))
            return false;
        bytes = remote_leave_small(&cache->stacks, address, sized, size);
        if (unlikely(bytes == 0))
            return false;
        *next = address;
        outgoing->next = next + 1;
        outgoing->bytes += bytes;
        if (unlikely(outgoing_is_much(outgoing)))
            remote_send(cache, outgoing);
        return true;
    }
    *next = address;
    outgoing->next = next + 1;
    return true;
}

/*
 * Forgets what was collected, and which heaps are known: in the child of a fork, because the repair
 * finds the chunks, and when the thread has ended and nothing is left to send.
 */
void remote_drop(struct cache *cache);

/*
 * Unpacks some of the parcels that have arrived into the stacks of a cache of the arena, for a
 * request that `wanted`, one of these stacks, should serve. The arena's lock is held, here and
 * below.
 */
void remote_receive(struct cache *cache, const struct stack *wanted);
void remote_receive_all(struct cache *cache);

/* Returns whether no parcel waits. */
bool remote_inbox_empty(struct arena *arena);

/*
 * Returns chunks that have arrived to their slabs, for any thread: those of some parcels, or of
 * all. The first function returns about how many bytes these were. A hardened process leaves the
 * inbox to the arena's own threads, because the chunks have to pass the quarantine.
 */
size_t remote_return(struct arena *arena);
void remote_return_all(struct arena *arena);

/* Reports a chunk whose state says that another thread has freed it at the same moment. */
void remote_report_twice(uintptr_t address);

/* For the repair after a fork: forgets what has arrived. */
void remote_forget(struct arena *arena);

#endif
