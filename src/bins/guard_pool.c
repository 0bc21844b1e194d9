/*
 * The pool. A slot changes from state to state by compare-and-exchange of its `life`, so of two
 * threads that free the same chunk one is told. The lock guards only the order in which slots are
 * reused, and is never held during a system call.
 */
#include "bins/guard_pool.h"

#include "bins/guard_beside.h"

#include "base/child.h"
#include "base/mappings.h"
#include "base/outside.h"
#include "os/os.h"

#include <pthread.h>
#include <string.h>

enum {
    SLOT_SIZE = 1 << GUARD_SLOT_SHIFT,
    /* The pool if address space is limited, in slots. */
    SLOTS_LEAST = 16,
    /* An open slot cuts the pool's one mapping into three. */
    MAPPINGS = 2,
    /* Bytes of memory that live chunks may take. */
    OPEN_MOST = 64 << 20,
};

_Atomic(struct guard_pool *) guard_pool;

/*
 * Guarded by the lock: slots that have never been opened begin with number `unused`; freed slots
 * wait in a list from `first` to `last`, numbers plus 1 or 0.
 */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct {
    unsigned unused;
    uint64_t first, last;
    unsigned live;
    size_t open_bytes;
} order;

/*
 * True while this thread is opening or closing a slot. If a signal handler forks meanwhile, this
 * call goes on in the child, and nothing of the list can be relied upon there.
 */
static _Thread_local bool changing;

/* Written in the child of a fork, while it has one thread. */
static bool closed_for_good;

static size_t slots_wanted(void)
{
    return os_memory_limit() == SIZE_MAX ? GUARD_SLOTS : SLOTS_LEAST;
}

bool guard_pool_begin(void *memory)
{
    size_t slots = slots_wanted(), size = (slots + 1) * SLOT_SIZE;
    struct guard_pool *pool = memory, *none = NULL;
    char *space = os_reserve(size);

    if (space == NULL)
        return false;
    /* One more slot, for the alignment and for a page in front of the first slot. */
    pool->base = round_up((uintptr_t)space + os_page_size(), SLOT_SIZE);
    pool->slots = slots;
    if (pool->base + pool->slots * SLOT_SIZE > (uintptr_t)space + size)
        pool->slots--;
    outside_add(pool->base, pool->slots * SLOT_SIZE);
    /* Release: whoever finds the pool finds it complete. */
    if (atomic_compare_exchange_strong_explicit(&guard_pool, &none, pool, memory_order_release,
                                                memory_order_relaxed))
        return true;
    os_unmap(space, size);
    return false;
}

static void lock_order(void)
{
    child_check();
    os_count_rmw();
    pthread_mutex_lock(&lock);
}

static void unlock_order(void)
{
    os_count_rmw();
    pthread_mutex_unlock(&lock);
}

/* The slot for the next chunk, or NULL. */
static struct guard_slot *take_slot(struct guard_pool *pool, size_t bytes)
{
    struct guard_slot *slot = NULL;

    lock_order();
    if (order.live >= pool->slots / 2 || bytes > OPEN_MOST - order.open_bytes) {
        slot = NULL;
    } else if (order.unused < pool->slots) {
        slot = &pool->slot[order.unused++];
    } else if (order.first != 0) {
        slot = &pool->slot[order.first - 1];
        order.first = slot->next;
    }
    if (slot != NULL) {
        order.live++;
        order.open_bytes += bytes;
    }
    unlock_order();
    return slot;
}

/* With the lock held. */
static void append(struct guard_pool *pool, struct guard_slot *slot)
{
    uint64_t number = (uint64_t)(slot - pool->slot) + 1;

    slot->next = 0;
    if (order.first == 0)
        order.first = number;
    else
        pool->slot[order.last - 1].next = number;
    order.last = number;
}

/* The slot is closed; with `again`, it may be used again. */
static void put_slot(struct guard_pool *pool, struct guard_slot *slot, size_t bytes, bool again)
{
    if (closed_for_good)
        return;
    lock_order();
    order.live--;
    order.open_bytes -= bytes;
    if (again)
        append(pool, slot);
    unlock_order();
}

static void set_state(struct guard_slot *slot, enum guard_state state)
{
    guard_store(&slot->life, (guard_load(&slot->life) & ~(uint64_t)GUARD_STATE_MASK) | state);
}

static void store_call(struct guard_call *call, const struct caller *caller)
{
    unsigned depth = caller->depth < GUARD_DEPTH ? caller->depth : GUARD_DEPTH;
    bool truncated = caller->truncated || caller->depth > GUARD_DEPTH;

    guard_store(&call->time, caller->time);
    guard_store(&call->where, (uint64_t)caller->thread << GUARD_THREAD_SHIFT |
                                  (truncated ? GUARD_TRUNCATED : 0) | depth);
    for (unsigned n = 0; n < depth; n++)
        guard_store(&call->frames[n], caller->frames[n]);
}

/* Where a chunk begins in a slot, or 0 if it does not fit. */
static uintptr_t place_in(uintptr_t base, size_t size, size_t align, bool front)
{
    size_t most = SLOT_SIZE - os_page_size();

    if (align < CHUNK_ALIGN)
        align = CHUNK_ALIGN;
    if (size > most || align > SLOT_SIZE)
        return 0;
    if (front)
        return base;
    return (base + most - size) & ~(uintptr_t)(align - 1);
}

/* The bytes of the pages that a chunk needs. */
static size_t pages_of(uintptr_t start, size_t size)
{
    uintptr_t first = start & ~(uintptr_t)(os_page_size() - 1);

    return size == 0 ? 0 : round_up(start + size, os_page_size()) - first;
}

static void *first_page(const struct guard_place *place)
{
    return pointer_to(place->start & ~(uintptr_t)(os_page_size() - 1));
}

/* Opens the slot that was taken. Returns false if the kernel refuses. */
static bool open_slot(struct guard_slot *slot, const struct guard_place *place,
                      const struct caller *caller)
{
    uint64_t turn = (guard_load(&slot->life) >> GUARD_LIFE_SHIFT) + 1;

    guard_store(&slot->life, turn << GUARD_LIFE_SHIFT | GUARD_OPENING);
    guard_store(&slot->start, place->start);
    guard_store(&slot->requested, place->requested);
    guard_store(&slot->opened, place->opened);
    store_call(&slot->allocated, caller);
    if (place->opened > 0 && !os_renew(first_page(place), place->opened)) {
        guard_store(&slot->start, 0); /* nobody was given it */
        set_state(slot, GUARD_LOST);
        return false;
    }
    guard_beside_fill(place);
    set_state(slot, GUARD_LIVE);
    return true;
}

static uintptr_t take_and_open(struct guard_pool *pool, size_t size, size_t align, bool front,
                               const struct caller *caller)
{
    struct guard_place place = {.start = place_in(pool->base, size, align, front),
                                .requested = size};
    struct guard_slot *slot;
    bool counted;

    place.opened = pages_of(place.start, size);
    slot = place.start == 0 ? NULL : take_slot(pool, place.opened);
    if (slot == NULL)
        return 0;
    place.start += (uintptr_t)(slot - pool->slot) * SLOT_SIZE;
    counted = mappings_take(MAPPINGS);
    if (counted && open_slot(slot, &place, caller))
        return place.start;
    put_slot(pool, slot, place.opened, !counted);
    return 0;
}

void *guard_pool_open(size_t size, size_t align, bool front, const struct caller *caller)
{
    struct guard_pool *pool = guard_pool_now();
    uintptr_t start = 0;

    if (pool == NULL)
        return NULL;
    child_check();
    if (!closed_for_good) {
        changing = true;
        atomic_signal_fence(memory_order_seq_cst);
        start = take_and_open(pool, size, align, front, caller);
        atomic_signal_fence(memory_order_seq_cst);
        changing = false;
    }
    /* Relaxed: figures. */
    atomic_fetch_add_explicit(start != 0 ? &pool->opened : &pool->dropped, 1, memory_order_relaxed);
    return pointer_to(start);
}

/*
 * Takes the slot from its life, in which a chunk was live at the address. Returns false if another
 * thread was faster. Acquire and release: see struct guard_slot.
 */
static bool begin_to_close(struct guard_slot *slot, uint64_t life)
{
    return atomic_compare_exchange_strong_explicit(
        &slot->life, &life, (life & ~(uint64_t)GUARD_STATE_MASK) | GUARD_CLOSING,
        memory_order_acq_rel, memory_order_relaxed);
}

static void close_slot(struct guard_pool *pool, struct guard_slot *slot, const char *function,
                       const struct caller *caller)
{
    struct guard_place place = {.start = guard_load(&slot->start),
                                .requested = guard_load(&slot->requested),
                                .opened = guard_load(&slot->opened)};
    bool closed;

    store_call(&slot->freed, caller);
    guard_beside_check(&place, function);
    /* A reader that has found the chunk live has ended then: see guard_pool_peek(). */
    lock_order();
    unlock_order();
    closed = place.opened == 0 || os_forbid(first_page(&place), place.opened);
    set_state(slot, closed ? GUARD_FREED : GUARD_LOST);
    if (closed)
        mappings_give(MAPPINGS);
    put_slot(pool, slot, place.opened, closed);
}

bool guard_pool_close(uintptr_t address, const char *function, const struct caller *caller)
{
    struct guard_pool *pool = guard_pool_now();
    struct guard_slot *slot = guard_slot_around(pool, address);
    uint64_t life = slot == NULL ? 0 : guard_load(&slot->life);
    bool ours;

    if ((life & GUARD_STATE_MASK) != GUARD_LIVE || guard_load(&slot->start) != address)
        return false;
    child_check();
    changing = true;
    atomic_signal_fence(memory_order_seq_cst);
    ours = begin_to_close(slot, life);
    if (ours)
        close_slot(pool, slot, function, caller);
    atomic_signal_fence(memory_order_seq_cst);
    changing = false;
    return ours;
}

void guard_pool_shrink(uintptr_t address, size_t requested)
{
    struct guard_slot *slot = guard_slot_around(guard_pool_now(), address);
    const struct guard_place place = {
        .start = address, .requested = requested, .opened = guard_load(&slot->opened)};

    guard_store(&slot->requested, requested);
    guard_beside_fill(&place);
}

bool guard_pool_peek(uintptr_t start, size_t offset, void *to, size_t size)
{
    struct chunk chunk;
    bool live;

    /* Whoever frees the chunk gets the lock between the end of its life and that of its memory. */
    lock_order();
    live = guard_pool_find(start, &chunk) == CHUNK_LIVE && chunk.requested >= size &&
           offset <= chunk.requested - size;
    if (live)
        memcpy(to, (const char *)pointer_to(start) + offset, size);
    unlock_order();
    return live;
}

/*
 * A thread that does not exist any more was opening or closing the slot, so memory may be mapped.
 */
static void close_again(struct guard_slot *slot)
{
    const struct guard_place place = {.start = guard_load(&slot->start),
                                      .opened = guard_load(&slot->opened)};
    bool closed = place.opened == 0 || os_forbid(first_page(&place), place.opened);

    set_state(slot, closed ? GUARD_FREED : GUARD_LOST);
}

/* Makes the list anew, in the order of the slots: it may have been changed at the fork. */
static void rebuild(struct guard_pool *pool)
{
    order.first = 0;
    order.live = 0;
    order.open_bytes = 0;
    for (unsigned n = 0; n < order.unused; n++) {
        struct guard_slot *slot = &pool->slot[n];
        enum guard_state state = guard_load(&slot->life) & GUARD_STATE_MASK;

        if (state == GUARD_OPENING || state == GUARD_CLOSING) {
            close_again(slot);
            state = guard_load(&slot->life) & GUARD_STATE_MASK;
        }
        /* A slot that was taken and not yet opened is unused, or freed. */
        if (state == GUARD_LIVE) {
            order.live++;
            order.open_bytes += guard_load(&slot->opened);
        } else if (state != GUARD_LOST) {
            append(pool, slot);
        }
    }
}

void guard_pool_after_fork(void)
{
    struct guard_pool *pool = guard_pool_now();

    if (pool == NULL)
        return;
    pthread_mutex_init(&lock, NULL);
    if (changing)
        closed_for_good = true;
    else
        rebuild(pool);
}
