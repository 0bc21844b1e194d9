/*
 * The state of a chunk: its header, out of line. This file owns the layout of states, every test of
 * one and every change of one; no other file looks at their bits. `tiny_...` is for TINY heaps, the
 * `small_...` of the same name does the same for SMALL heaps.
 *
 *            from the top                             where the state of `address` is stored
 *   TINY     kind 2, slack 6                          a byte for each 16 bytes of the heap
 *   SMALL    kind 2, place 5, class 7, slack 18       four bytes for each 512 bytes of the heap
 *
 * Slack is the chunk's size minus the requested size. Place says where in its 512 bytes the chunk
 * starts, in units of 16. In a hardened process a TINY chunk always has some slack, so there slack
 * 0 means 64. The kinds:
 *
 *   NONE     no chunk that starts here was ever handed out; the value 0
 *   LIVE     the program holds the chunk
 *   FREE     the chunk is in its slab, in the stack of a thread, or in the quarantine
 *   REMOTE   a thread of another arena freed the chunk, and it is on its way to its own arena
 *
 * The changes that there are. Nobody makes another one: state_may_turn() is this table as code, and
 * a forbidden change ends the process.
 *
 *   from         to      who                    order    why this order is enough
 *   NONE, FREE   LIVE    owner, malloc          release  a walker that reads LIVE also reads the
 *                                                        slab's identity of that time
 *   LIVE         LIVE    holder, realloc        release  the same store, with another slack
 *   LIVE         FREE    owner, free            relaxed  only the owner hands the chunk out again
 *                        owner, hardened free   release  the child of a fork that reads FREE finds
 *                                                        the chunk zero
 *   LIVE         REMOTE  another thread, free   relaxed  pushing to the owner's inbox publishes it
 *                        any, repair pending    release  the repair lock orders it; release comes
 *                                                        from sharing the code of the others
 *   REMOTE       FREE    owner, inbox           relaxed  taking from the inbox was an acquire
 *                        repair after fork      relaxed  the repair lock is held
 *   NONE, FREE   NONE    owner, new SMALL slab  relaxed  the slab is published afterwards
 *
 * "Owner" is the thread that has the chunk in its cache, or holds the arena's lock while the chunk
 * is in no cache. Only the holder of a live chunk changes its state, so loading it, testing it and
 * storing to it are three plain steps without a read-modify-write. Two threads that free one chunk
 * at the same moment break that rule; receive.c detects them when the chunk arrives twice.
 */
#ifndef FT_BINS_STATE_H
#define FT_BINS_STATE_H

#include "base/options.h"
#include "bins/heap.h"

enum {
    STATE_NONE = 0,
    STATE_LIVE = 1, /* the only kind that is positive as a signed number: one comparison tests it */
    STATE_FREE = 2,
    STATE_REMOTE = 3,
    TINY_SLACK_MAX = 63,
    TINY_KIND_SHIFT = 6,
    SMALL_KIND_SHIFT = 30,
    SMALL_PLACE_SHIFT = 25,
    SMALL_CLASS_SHIFT = 18,
    SMALL_SLACK_MAX = (1 << SMALL_CLASS_SHIFT) - 1,
};

static_assert(SMALL_HEAP_SIZE / SMALL_GRANULE * sizeof(uint32_t) <= SMALL_HEADER_OFFSET,
              "the states of a SMALL heap end before what else its header holds");
static_assert(SIZE_CLASSES <= 1 << (SMALL_PLACE_SHIFT - SMALL_CLASS_SHIFT) &&
                  SMALL_GRANULE / CHUNK_ALIGN <= 1 << (SMALL_KIND_SHIFT - SMALL_PLACE_SHIFT) &&
                  (int)TINY_MAX >= (int)SMALL_GRANULE && SMALL_MAX - 1 <= SMALL_SLACK_MAX,
              "a SMALL state holds all it has to; no two chunks share one");

/* Where which bits are, for the initialiser of ft_malloc_layout (debug/layout.h). */
#define TINY_STATE_BITS .kind_shift = TINY_KIND_SHIFT, .slack_mask = TINY_SLACK_MAX
#define SMALL_STATE_BITS                                                                           \
    .kind_shift = SMALL_KIND_SHIFT, .place_shift = SMALL_PLACE_SHIFT,                              \
    .place_mask = (1 << (SMALL_KIND_SHIFT - SMALL_PLACE_SHIFT)) - 1,                               \
    .class_shift = SMALL_CLASS_SHIFT,                                                              \
    .class_mask = (1 << (SMALL_PLACE_SHIFT - SMALL_CLASS_SHIFT)) - 1,                              \
    .slack_mask = SMALL_SLACK_MAX

/* Everything below is part of fast paths; kinds and orders are constants there. */
#define STATE_INLINE static inline __attribute__((always_inline))

/*
 * The table at the top of this file without its last line, since only small_forget() makes a state
 * NONE.
 */
STATE_INLINE bool state_may_turn(unsigned from, unsigned to)
{
    switch (from) {
    case STATE_LIVE:
        return to != STATE_NONE;
    case STATE_REMOTE:
        return to == STATE_FREE;
    default:
        return to == STATE_LIVE;
    }
}

STATE_INLINE void state_require(bool allowed)
{
    if (!allowed)
        __builtin_trap();
}

/* Where states are stored. */

STATE_INLINE _Atomic uint8_t *tiny_state(uintptr_t address)
{
    uintptr_t base = address & ~(uintptr_t)(TINY_HEAP_SIZE - 1);

    return (_Atomic uint8_t *)pointer_to(base) + (address - base) / CHUNK_ALIGN;
}

/*
 * Returns the same for an address that is aligned as a chunk is. A fast path has compared the base
 * of the heap in this form, so it need not compute it again.
 */
STATE_INLINE _Atomic uint8_t *tiny_chunk_state(uintptr_t address)
{
    return (_Atomic uint8_t *)pointer_to(heap_key(address, TINY_HEAP_SHIFT)) +
           (address & (TINY_HEAP_SIZE - 1)) / CHUNK_ALIGN;
}

/* Returns the state of the chunk that starts in the same SMALL_GRANULE; no two chunks do. */
STATE_INLINE _Atomic uint32_t *small_state(uintptr_t address)
{
    uintptr_t base = address & ~(uintptr_t)(SMALL_HEAP_SIZE - 1);

    return (_Atomic uint32_t *)pointer_to(base) + (address - base) / SMALL_GRANULE;
}

/* Returns the same for an address that is aligned as a chunk is: see tiny_chunk_state(). */
STATE_INLINE _Atomic uint32_t *small_chunk_state(uintptr_t address)
{
    return (_Atomic uint32_t *)pointer_to(heap_key(address, SMALL_HEAP_SHIFT)) +
           (address & (SMALL_HEAP_SIZE - 1)) / SMALL_GRANULE;
}

/* How states are composed. */

STATE_INLINE uint8_t tiny_state_of(unsigned kind, size_t slack)
{
    return (uint8_t)(kind << TINY_KIND_SHIFT | slack % (TINY_SLACK_MAX + 1));
}

/* The part of a SMALL state that says where in its granule the chunk starts. */
STATE_INLINE uint32_t small_state_place(uintptr_t address)
{
    return (uint32_t)(address % SMALL_GRANULE / CHUNK_ALIGN) << SMALL_PLACE_SHIFT;
}

STATE_INLINE uint32_t small_state_of(unsigned kind, unsigned size_class, uintptr_t address,
                                     size_t slack)
{
    return (uint32_t)kind << SMALL_KIND_SHIFT | small_state_place(address) |
           (uint32_t)size_class << SMALL_CLASS_SHIFT | (uint32_t)slack;
}

/*
 * Returns what a bin keeps as `live`: the state of a live chunk of the class without slack, plus
 * the size of the class. Subtracting the requested size gives the state to store; for SMALL, the
 * place has to be added, too.
 */
STATE_INLINE uint32_t state_live_base(unsigned size_class)
{
    uint32_t state = size_class < TINY_CLASSES ? tiny_state_of(STATE_LIVE, 0)
                                               : small_state_of(STATE_LIVE, size_class, 0, 0);

    return state + size_classes[size_class].size;
}

/* Returns the class's size, given what its bin keeps. */
STATE_INLINE size_t tiny_base_size(uint32_t live)
{
    return live - tiny_state_of(STATE_LIVE, 0);
}

/* What a state tells. */

STATE_INLINE unsigned tiny_kind(uint8_t seen)
{
    return seen >> TINY_KIND_SHIFT;
}

STATE_INLINE unsigned small_kind(uint32_t seen)
{
    return seen >> SMALL_KIND_SHIFT;
}

/* Returns true if a live chunk starts at the address of the state. */
STATE_INLINE bool tiny_lives(uint8_t seen)
{
    return (int8_t)seen > 0;
}

/* Returns true if a live chunk starts in the granule of the state. */
STATE_INLINE bool small_lives(uint32_t seen)
{
    return (int32_t)seen > 0;
}

/* Returns true if this is the state of a chunk of this kind that starts at the address. */
STATE_INLINE bool small_is_at(uint32_t seen, unsigned kind, uintptr_t address)
{
    uint32_t kind_alone = (uint32_t)kind << (SMALL_KIND_SHIFT - SMALL_PLACE_SHIFT);

    return (seen >> SMALL_PLACE_SHIFT) * CHUNK_ALIGN ==
           kind_alone * CHUNK_ALIGN + address % SMALL_GRANULE;
}

STATE_INLINE bool small_lives_at(uint32_t seen, uintptr_t address)
{
    return small_is_at(seen, STATE_LIVE, address);
}

/*
 * Returns true if only the owner of the chunk may change the state: NONE or FREE. The other two
 * kinds have this bit in common.
 */
STATE_INLINE bool tiny_is_owners(uint8_t seen)
{
    return (seen & tiny_state_of(STATE_LIVE & STATE_REMOTE, 0)) == 0;
}

/* REMOTE is the highest of the kinds, so one comparison tells. */
STATE_INLINE bool tiny_is_remote(uint8_t seen)
{
    static_assert(STATE_REMOTE > STATE_LIVE && STATE_REMOTE > STATE_FREE, "the highest");
    return seen >= tiny_state_of(STATE_REMOTE, 0);
}

STATE_INLINE bool small_is_owners(uint32_t seen)
{
    return (seen & (uint32_t)(STATE_LIVE & STATE_REMOTE) << SMALL_KIND_SHIFT) == 0;
}

/*
 * Returns whether only the owner may change the state of the chunk of the class at the address.
 * Relaxed: the caller is the owner, and nobody else changes such a state.
 */
STATE_INLINE bool state_is_owners(unsigned size_class, uintptr_t address)
{
    if (size_class < TINY_CLASSES)
        return tiny_is_owners(atomic_load_explicit(tiny_state(address), memory_order_relaxed));
    return small_is_owners(atomic_load_explicit(small_state(address), memory_order_relaxed));
}

/* Returns the slack of a chunk of a hardened process: 1 to 64. */
STATE_INLINE size_t tiny_slack_with_canary(uint8_t seen)
{
    return (seen - 1u) % (TINY_SLACK_MAX + 1) + 1;
}

/* Returns the slack in any process. */
STATE_INLINE size_t tiny_slack(uint8_t seen)
{
    return policy_zero_and_canary() ? tiny_slack_with_canary(seen) : seen & TINY_SLACK_MAX;
}

STATE_INLINE size_t small_slack(uint32_t seen)
{
    return seen & SMALL_SLACK_MAX;
}

/* Returns the most slack that a TINY state can tell, in any process. */
STATE_INLINE size_t tiny_slack_max(void)
{
    return (size_t)TINY_SLACK_MAX + policy_zero_and_canary();
}

/* Returns how many bytes into its granule the chunk starts. */
STATE_INLINE size_t small_place(uint32_t seen)
{
    return (size_t)(seen >> SMALL_PLACE_SHIFT) * CHUNK_ALIGN % SMALL_GRANULE;
}

STATE_INLINE unsigned small_state_class(uint32_t seen)
{
    return seen >> SMALL_CLASS_SHIFT & ((1 << (SMALL_PLACE_SHIFT - SMALL_CLASS_SHIFT)) - 1);
}

/* Returns the class of the state, shifted to the left. */
STATE_INLINE uint32_t small_class_shifted(uint32_t seen, unsigned shift)
{
    const uint32_t mask = (1 << (SMALL_PLACE_SHIFT - SMALL_CLASS_SHIFT)) - 1;

    return seen >> (SMALL_CLASS_SHIFT - shift) & mask << shift;
}

/* Returns true if a live chunk was requested with this size. `live` is what its bin keeps. */
STATE_INLINE bool tiny_has_size(uint8_t seen, uint32_t live, size_t size)
{
    return live - size == seen;
}

STATE_INLINE bool small_has_size(uint32_t seen, uint32_t live, uintptr_t address, size_t size)
{
    return live - size + small_state_place(address) == seen;
}

/* The changes. */

/*
 * Hands out a chunk that is NONE or FREE, or gives a live one another requested size. `live` is
 * what its bin keeps. `identity` in struct slab explains the release.
 */
STATE_INLINE void tiny_mark_live(uintptr_t address, uint32_t live, size_t requested)
{
    atomic_store_explicit(tiny_state(address), (uint8_t)(live - requested), memory_order_release);
}

STATE_INLINE void small_mark_live(uintptr_t address, uint32_t live, size_t requested)
{
    atomic_store_explicit(small_state(address),
                          live - (uint32_t)requested + small_state_place(address),
                          memory_order_release);
}

/*
 * Changes only the kind. `seen` is the state as it is, and `from` is its kind. `from` is not NONE,
 * because the rest of such a state means nothing.
 */
STATE_INLINE void tiny_turn(uintptr_t address, uint8_t seen, unsigned from, unsigned to,
                            memory_order order)
{
    state_require(from != STATE_NONE && state_may_turn(from, to));
    atomic_store_explicit(tiny_chunk_state(address), seen ^ tiny_state_of(from ^ to, 0), order);
}

STATE_INLINE void small_turn(uintptr_t address, uint32_t seen, unsigned from, unsigned to,
                             memory_order order)
{
    state_require(from != STATE_NONE && state_may_turn(from, to));
    atomic_store_explicit(small_chunk_state(address),
                          seen ^ (uint32_t)(from ^ to) << SMALL_KIND_SHIFT, order);
}

/* Changes the kind and the slack, for callers that know the chunk and not the state. */
STATE_INLINE void tiny_rewrite(uintptr_t address, unsigned from, unsigned to, size_t slack)
{
    state_require(state_may_turn(from, to));
    atomic_store_explicit(tiny_state(address), tiny_state_of(to, slack), memory_order_release);
}

STATE_INLINE void small_rewrite(uintptr_t address, unsigned from, unsigned to, unsigned size_class,
                                size_t slack)
{
    state_require(state_may_turn(from, to));
    atomic_store_explicit(small_state(address), small_state_of(to, size_class, address, slack),
                          memory_order_release);
}

/*
 * Makes a state NONE that an earlier slab left behind. TINY has no such function: a state that is
 * left there is FREE, which does no harm.
 */
STATE_INLINE void small_forget(uintptr_t address)
{
    atomic_store_explicit(small_state(address), STATE_NONE, memory_order_relaxed);
}

#undef STATE_INLINE

#endif
