/*
 * Guarded chunks: chunks that end or begin at a page that nobody may touch, so that an access
 * beyond them stops the program at the instruction. A chunk that was freed cannot be touched
 * either, until its place is needed again. They are for FT_MALLOC_GUARD (debug/guard.h).
 *
 * The pool is a range of address space, cut into slots of 1 MiB. A slot has at most one chunk, and
 * memory only while that is live: slots are opened and closed by mapping over them. The last page
 * of each slot is never opened. Freed slots are reused in the order in which they were freed, and
 * at most half of the slots are live, so a freed chunk stays out of reach until half of the pool
 * has been freed after it.
 *
 * What surrounds the chunk in its pages is filled with a pattern, which is checked when the chunk
 * is freed. So writes that miss the guard are noticed, too.
 *
 * Any thread may call any function here.
 */
#ifndef FT_BINS_GUARD_POOL_H
#define FT_BINS_GUARD_POOL_H

#include "base/caller.h"
#include "bins/chunk.h"

#include <stdatomic.h>

enum {
    GUARD_SLOT_SHIFT = 20,
    GUARD_SLOTS = 1024,
    /* The largest chunk, whatever the page; and the largest alignment. */
    GUARD_SIZE_MAX = (1 << GUARD_SLOT_SHIFT) - (64 << 10),
    /* How many frames are kept of the call that allocated a chunk and of the one that freed it. */
    GUARD_DEPTH = 24,
    /* `life` is the number of chunks that the slot has had, shifted by this, plus a state. */
    GUARD_LIFE_SHIFT = 8,
    GUARD_STATE_MASK = (1 << GUARD_LIFE_SHIFT) - 1,
    GUARD_THREAD_SHIFT = 32,
    GUARD_TRUNCATED = 1 << 16,
};

enum guard_state {
    GUARD_UNUSED,
    GUARD_OPENING, /* memory is being mapped, by one thread */
    GUARD_LIVE,
    GUARD_CLOSING, /* freed; memory is being returned, by one thread */
    GUARD_FREED,
    GUARD_LOST, /* freed; the kernel refused to change the range, which is not used again */
};

/*
 * A call, as other threads may read it while it is overwritten: see `life`. `where` is the thread,
 * shifted by GUARD_THREAD_SHIFT, plus the depth, plus GUARD_TRUNCATED if there were more frames.
 */
struct guard_call {
    _Atomic uint64_t time, where;
    _Atomic uint64_t frames[GUARD_DEPTH];
};

/*
 * Everything but `next` is written by the thread that took the slot from UNUSED or FREED to
 * OPENING, or from LIVE to CLOSING, and read by any thread. Each store is a release and each load
 * an acquire: who has read something of the slot's next life reads a newer `life` afterwards. So a
 * reader that finds the same `life` before and after has read one life.
 */
struct guard_slot {
    _Atomic uint64_t life;
    _Atomic uint64_t start, requested;
    _Atomic uint64_t opened; /* bytes of its pages */
    /* The next slot in the order of reuse, plus 1; or 0. Guarded by the lock of the pool. */
    uint64_t next;
    struct guard_call allocated, freed;
};

struct guard_pool {
    /* Constant once the pool is known to others. */
    uint64_t base, slots;
    /*
     * Figures; any thread adds to them and reads them, relaxed: how many chunks were opened, and
     * how many were not because the pool was full or memory or mappings were short.
     */
    _Atomic uint64_t opened, dropped;
    struct guard_slot slot[GUARD_SLOTS];
};

/*
 * The pool, or NULL if the process has none. Written once with release, and read with acquire; it
 * is never unmapped.
 */
extern _Atomic(struct guard_pool *) guard_pool;

static inline struct guard_pool *guard_pool_now(void)
{
    return atomic_load_explicit(&guard_pool, memory_order_acquire); /* see guard_pool */
}

/* Returns NULL if the address is outside of the pool, or `pool` is NULL. */
static inline struct guard_slot *guard_slot_around(struct guard_pool *pool, uintptr_t address)
{
    return pool == NULL || address - pool->base >= pool->slots << GUARD_SLOT_SHIFT
               ? NULL
               : &pool->slot[(address - pool->base) >> GUARD_SLOT_SHIFT];
}

/* Acquire, and release: see struct guard_slot. */
static inline uint64_t guard_load(const _Atomic uint64_t *word)
{
    return atomic_load_explicit(word, memory_order_acquire);
}

static inline void guard_store(_Atomic uint64_t *word, uint64_t value)
{
    atomic_store_explicit(word, value, memory_order_release);
}

/*
 * Makes the pool in zero-filled memory of the size of a struct guard_pool, which it keeps. Returns
 * false, and keeps nothing, if there is no address space for it, or if there is a pool already.
 */
bool guard_pool_begin(void *memory);

/*
 * Returns a chunk at a multiple of `align`, a power of two, at the beginning of its slot if `front`
 * is true, else at its end. The memory is zero. Returns NULL if that is impossible now; errno is
 * left alone.
 */
void *guard_pool_open(size_t size, size_t align, bool front, const struct caller *caller);

/*
 * Frees the live chunk that starts at the address, and returns true. Returns false, having done
 * nothing, if there is none. Reports, in the name of `function`, what was written beside the chunk.
 */
bool guard_pool_close(uintptr_t address, const char *function, const struct caller *caller);

/* Makes a live chunk smaller. Only its holder may call this. */
void guard_pool_shrink(uintptr_t address, size_t requested);

/* Like lookup_any(), for any value. Returns CHUNK_FOREIGN for an address outside of the pool. */
enum verdict guard_pool_find(uintptr_t address, struct chunk *chunk);

/*
 * Tells who allocated and who freed the last chunk of the slot around the address. Returns its
 * state; GUARD_UNUSED if there was none. `freed` is set if the state is not GUARD_LIVE. Either may
 * be NULL.
 */
enum guard_state guard_pool_callers(uintptr_t address, struct caller *allocated,
                                    struct caller *freed);

/* What peek() does, for a guarded chunk (debug/peek.h). */
bool guard_pool_peek(uintptr_t start, size_t offset, void *to, size_t size);

/* Calls `visit` for each live chunk, in the order of addresses. */
void guard_pool_walk(void (*visit)(void *context, const struct chunk *chunk), void *context);

/* Called in the child of a fork. */
void guard_pool_after_fork(void);

#endif
