/*
 * Freed LARGE chunks of one thread, without a lock. A stashed chunk has a descriptor in the hash
 * which says that it is free, like that of a cached chunk, so a second free is detected. Whoever
 * sets `requested` to 0 by an exchange has freed the chunk, with the registry's lock or without it.
 *
 * The cache counts stashed chunks as live until they leave the stash.
 */
#include "large/stash.h"

#include "large/registry.h"
#include "os/os.h"

enum { STASH_BYTES = 4 << 20, STASH_CHUNK = 1 << 20 };

/*
 * All stashes that were ever filled; the list only grows. Added to with release, walked with
 * acquire.
 */
static _Atomic(struct large_stash *) stashes;

/*
 * True if something was put into a stash since all of them were seen empty. Relaxed: it only tells
 * whether a look is worth the lock.
 */
OS_TOUCHED static _Atomic bool filled;

/*
 * Under the registry's lock. True while what nobody took for a whole period is being collected, a
 * few chunks at a time.
 */
static bool collecting;

static struct large **hint_for(struct large_stash *stash, uintptr_t address)
{
    uint64_t hash = (uint64_t)(address >> OS_PAGE_SHIFT) * UINT64_C(0x9e3779b97f4a7c15);

    return &stash->handed[hash >> 58];
}

static void enter_in_list(struct large_stash *stash)
{
    struct large_stash *first = atomic_load_explicit(&stashes, memory_order_relaxed);

    stash->entered = true;
    do
        stash->next = first;
    while (!atomic_compare_exchange_weak_explicit(&stashes, &first, stash, memory_order_release,
                                                  memory_order_relaxed));
}

/* Relaxed: only the owner writes it; others want a figure. */
static size_t mapped_in(struct large_stash *stash, unsigned slot)
{
    return atomic_load_explicit(&stash->mapped[slot], memory_order_relaxed);
}

static void set_mapped(struct large_stash *stash, unsigned slot, size_t mapped)
{
    stash->bytes += mapped - mapped_in(stash, slot);
    atomic_store_explicit(&stash->mapped[slot], mapped, memory_order_relaxed);
}

/* If a signal handler forks, it must find the descriptor in its slot or in the thread's hand. */
static struct large *take_slot(struct large_stash *stash, unsigned slot)
{
    struct large *large;

    stash->hand = atomic_load_explicit(&stash->freed[slot], memory_order_relaxed);
    atomic_signal_fence(memory_order_seq_cst);
    os_count_rmw();
    large = atomic_exchange_explicit(&stash->freed[slot], NULL, memory_order_acquire);
    set_mapped(stash, slot, 0);
    return large;
}

void *large_stash_take(struct large_stash *stash, size_t size)
{
    size_t needed = large_mapping_size(round_up(size, OS_PAGE));
    struct large *large = NULL;
    uintptr_t address = 0;

    if (size > STASH_CHUNK || stash->bytes == 0)
        return NULL;
    for (unsigned slot = 0; slot < STASH_SLOTS && large == NULL; slot++)
        if (mapped_in(stash, slot) >= needed && mapped_in(stash, slot) <= needed * 2)
            large = take_slot(stash, slot);
    if (large != NULL) {
        /* Relaxed, here and below: this thread owns the descriptor. */
        address = atomic_load_explicit(&large->address, memory_order_relaxed);
        atomic_store_explicit(&large->requested, size + 1, memory_order_relaxed);
        *hint_for(stash, address) = large;
    }
    atomic_signal_fence(memory_order_seq_cst);
    stash->hand = NULL;
    return pointer_to(address);
}

static bool is_empty(struct large_stash *stash, unsigned slot)
{
    /* Relaxed: only the owner fills it. */
    return atomic_load_explicit(&stash->freed[slot], memory_order_relaxed) == NULL;
}

static void fill_slot(struct large_stash *stash, unsigned slot, struct large *large)
{
    if (!stash->entered)
        enter_in_list(stash);
    set_mapped(stash, slot, large->mapped);
    atomic_store_explicit(&stash->fresh[slot], true, memory_order_relaxed);
    /* Release: whoever takes the chunk sees what was written to its descriptor. */
    atomic_store_explicit(&stash->freed[slot], large, memory_order_release);
    if (!atomic_load_explicit(&filled, memory_order_relaxed))
        atomic_store_explicit(&filled, true, memory_order_relaxed);
}

/*
 * Puts a freed chunk into the stash, if it is plain and there is room. Chunks with headroom, and
 * lent ones, are left for growing chunks: they belong in the cache, where all threads find them.
 */
static bool stash_put(struct large_stash *stash, struct large *large)
{
    unsigned slot = 0;

    if (large->mapped > STASH_CHUNK || large->lent != 0 || large->reserved != large->mapped)
        return false;
    while (slot < STASH_SLOTS && !is_empty(stash, slot))
        slot++;
    if (slot == STASH_SLOTS)
        return false;
    for (unsigned each = slot; each < STASH_SLOTS; each++)
        if (mapped_in(stash, each) != 0 && is_empty(stash, each))
            set_mapped(stash, each, 0);
    if (stash->bytes + large->mapped > STASH_BYTES)
        return false;
    fill_slot(stash, slot, large);
    return true;
}

bool large_stash_free(struct large_stash *stash, uintptr_t address)
{
    struct large *large = *hint_for(stash, address);
    size_t requested;
    bool stashed;

    if (large == NULL || atomic_load_explicit(&large->address, memory_order_relaxed) != address)
        return false;
    stash->hand = large;
    atomic_signal_fence(memory_order_seq_cst);
    requested = registry_mark_free(large);
    /*
     * If two threads free the same chunk at once, the other one may have unmapped it meanwhile, and
     * the descriptor may describe another chunk. That chunk gets its size back, and the look-up
     * under the lock then reports what is wrong.
     */
    if (requested != 0 &&
        unlikely(atomic_load_explicit(&large->address, memory_order_relaxed) != address)) {
        atomic_store_explicit(&large->requested, requested, memory_order_relaxed);
        requested = 0;
    }
    if (requested != 0) {
        atomic_store_explicit(&large->was, requested - 1, memory_order_relaxed);
        stashed = stash_put(stash, large);
    } else {
        stashed = true;
    }
    if (!stashed)
        large_free_marked(large, &stash->hand);
    atomic_signal_fence(memory_order_seq_cst);
    stash->hand = NULL;
    return requested != 0;
}

void large_stash_hand_out(struct large_stash *stash, uintptr_t address)
{
    struct large *large;

    registry_lock();
    large = registry_find(address);
    registry_unlock();
    *hint_for(stash, address) = large;
}

bool stash_filled(void)
{
    return atomic_load_explicit(&filled, memory_order_relaxed);
}

/*
 * Takes old chunks, or all, out of the stashes; at most `*most`, which is reduced by their number.
 * Returns `list` with these in front.
 */
static struct large *take_from_all(bool all, unsigned *most, struct large *list)
{
    unsigned left = *most;
    struct large_stash *stash = atomic_load_explicit(&stashes, memory_order_acquire);

    for (; stash != NULL; stash = stash->next)
        for (unsigned slot = 0; slot < STASH_SLOTS && left > 0; slot++) {
            struct large *large = NULL;

            if (atomic_load_explicit(&stash->freed[slot], memory_order_relaxed) != NULL &&
                (all || !atomic_load_explicit(&stash->fresh[slot], memory_order_relaxed)))
                large = atomic_exchange_explicit(&stash->freed[slot], NULL, memory_order_acquire);
            if (large == NULL)
                continue;
            cache_count_live(-large->mapped);
            registry_take_out(large);
            large->next = list;
            list = large;
            left--;
        }
    *most = left;
    return list;
}

/* Marks what is in a stash now. If nobody takes it until the next time, it is old then. */
static void mark_all_old(void)
{
    struct large_stash *stash = atomic_load_explicit(&stashes, memory_order_acquire);
    bool any = false;

    atomic_store_explicit(&filled, false, memory_order_relaxed);
    for (; stash != NULL; stash = stash->next)
        for (unsigned slot = 0; slot < STASH_SLOTS; slot++) {
            atomic_store_explicit(&stash->fresh[slot], false, memory_order_relaxed);
            any |= atomic_load_explicit(&stash->freed[slot], memory_order_relaxed) != NULL;
        }
    if (any)
        atomic_store_explicit(&filled, true, memory_order_relaxed);
}

struct large *stash_collect(bool all, bool period, unsigned most, struct large *list)
{
    unsigned left = all ? UINT32_MAX : most;

    collecting |= period;
    if (!all && (!collecting || !stash_filled()))
        return list;
    list = take_from_all(all, &left, list);
    if (left > 0) {
        collecting = false;
        mark_all_old();
    }
    return list;
}

void stash_reset(const struct large *hand)
{
    struct large_stash *stash = atomic_load_explicit(&stashes, memory_order_acquire);

    for (; stash != NULL; stash = stash->next)
        for (unsigned slot = 0; slot < STASH_SLOTS; slot++)
            if (atomic_load_explicit(&stash->freed[slot], memory_order_relaxed) != hand)
                atomic_store_explicit(&stash->freed[slot], NULL, memory_order_relaxed);
}

size_t stash_bytes(void)
{
    struct large_stash *stash = atomic_load_explicit(&stashes, memory_order_acquire);
    size_t bytes = 0;

    for (; stash != NULL; stash = stash->next)
        for (unsigned slot = 0; slot < STASH_SLOTS; slot++)
            if (!is_empty(stash, slot))
                bytes += mapped_in(stash, slot);
    return bytes;
}
