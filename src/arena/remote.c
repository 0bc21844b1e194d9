/*
 * Parcels. A parcel is a freed chunk that holds the addresses of others. Parcels for one owner are
 * linked, and the chain is pushed to the owner's inbox. A chunk of 16 bytes has room for the link
 * only.
 *
 * A thread that pushes and then finds the owner's arena in the pool unpacks it there, with the
 * arena's lock. A thread that puts its arena into the pool unpacks it after it has changed `use`.
 * Both the push and the change of `use` are sequentially consistent, so one of the two threads sees
 * the other, and no parcel waits for a thread that has ended. A thread that finds the lock taken
 * leaves the parcels to the holder, who checks the inbox again after unlocking.
 */
#include "arena/remote.h"

#include "arena/chunk_quarantine.h"
#include "arena/fork.h"
#include "base/options.h"
#include "base/report_line.h"
#include "base/secret.h"
#include "os/os.h"

/*
 * A parcel is freed memory, where the program may still write. So each word is encoded with the
 * secret and its place, and every decoded value is checked before it is followed.
 */
struct parcel {
    uintptr_t next;
    uintptr_t count;
    uintptr_t chunks[];
};

enum {
    /* A batch is sent when it has this many chunks, or keeps this many bytes from their owner. */
    BATCH_CHUNKS = 64,
    BATCH_BYTES = 256 << 10,
    /*
     * The number of parcels that a call unpacks which needed a single chunk. So a long backlog
     * causes no long pause.
     */
    UNPACK_PARCELS = 64,
    ADDRESSES_MAX = 62,
};

static_assert(sizeof(struct parcel) + ADDRESSES_MAX * sizeof(uintptr_t) <= SLAB_PARCEL_MAX,
              "as slab.c knows");
static_assert(sizeof(struct parcel) <= CHUNK_ALIGN, "the smallest chunk can be a parcel");

unsigned fork_generation;

/*
 * The code with which the words of a parcel are combined by exclusive or. Only the page of the
 * parcel counts, so all its words have the same code.
 */
static inline uintptr_t parcel_code(const struct parcel *parcel)
{
    return secret_word ^ (uintptr_t)parcel >> OS_PAGE_SHIFT;
}

static void parcel_link(struct parcel *parcel, const struct parcel *next)
{
    parcel->next = (uintptr_t)next ^ parcel_code(parcel);
}

static unsigned parcel_room(size_t usable)
{
    size_t room = (usable - sizeof(struct parcel)) / sizeof(void *);

    return room < ADDRESSES_MAX ? (unsigned)room : ADDRESSES_MAX;
}

/* Unpacks the inbox of an arena without a thread, until it is empty or another thread does it. */
void remote_drain_pooled(struct arena *arena)
{
    /*
     * Checked again after each unlocking. A thread that pushes meanwhile finds the lock taken and
     * relies on its holder.
     */
    while (atomic_load(&arena->use) == ARENA_POOLED &&
           atomic_load(&arena->damaged) != ARENA_DAMAGED && atomic_load(&arena->inbox) != NULL &&
           arena_try_lock(arena)) {
        if (atomic_load(&arena->use) == ARENA_POOLED &&
            atomic_load(&arena->damaged) != ARENA_DAMAGED)
            remote_receive_all(arena);
        arena_make_way(arena);
        arena_unlock(arena);
    }
}

static void push(struct arena *owner, struct parcel *newest, struct parcel *oldest)
{
    struct parcel *next =
        /* relaxed: the exchange checks it */
        atomic_load_explicit(&owner->inbox, memory_order_relaxed);

    /* Sequentially consistent, as described above; that includes release, for the contents. */
    do {
        os_count_rmw();
        parcel_link(oldest, next);
    } while (!atomic_compare_exchange_weak(&owner->inbox, &next, newest));
    remote_drain_pooled(owner);
}

static void send(struct outgoing *outgoing)
{
    if (outgoing->newest != NULL && outgoing->fork == fork_generation) {
        outgoing->newest->count = outgoing->filled ^ outgoing->code;
        push(outgoing->owner, outgoing->newest, outgoing->oldest);
    }
    *outgoing = (struct outgoing){.owner = NULL};
}

void remote_forget(struct arena *arena)
{
    for (unsigned i = 0; i < PARCELS; i++)
        arena->outgoing[i] = (struct outgoing){.owner = NULL};
    arena->unpacking = NULL;
    /*
     * Relaxed: a thread that frees now only marks the chunk, with the repair lock: see
     * arena_leave_for_repair().
     */
    atomic_store_explicit(&arena->inbox, NULL, memory_order_relaxed);
}

void remote_send_all(struct arena *self)
{
    for (unsigned i = 0; i < PARCELS; i++)
        send(&self->outgoing[i]);
}

static void collect(struct outgoing *outgoing, uintptr_t address, size_t usable)
{
    struct parcel *parcel = outgoing->newest;

    if (outgoing->filled < outgoing->room) {
        parcel->chunks[outgoing->filled++] = address ^ outgoing->code;
    } else {
        struct parcel *fresh = pointer_to(address);

        if (parcel == NULL)
            outgoing->oldest = fresh;
        else
            parcel->count = outgoing->filled ^ outgoing->code;
        parcel_link(fresh, parcel);
        outgoing->newest = fresh;
        outgoing->code = parcel_code(fresh);
        outgoing->filled = 0;
        outgoing->room = parcel_room(usable);
    }
    outgoing->chunks++;
    outgoing->bytes += usable;
}

/*
 * Returns where chunks of this owner are collected. There are two possible places, so that two
 * owners that alternate do not collide.
 */
static struct outgoing *outgoing_for(struct arena *self, const struct arena *owner)
{
    struct outgoing *first = &self->outgoing[owner->id % PARCELS];
    struct outgoing *second =
        &self->outgoing[(owner->id + owner->id / PARCELS % (PARCELS - 1) + 1) % PARCELS];

    if (likely(first->owner == owner))
        return first;
    if (second->owner == owner)
        return second;
    return first->chunks <= second->chunks ? first : second;
}

static void collect_for(struct arena *self, struct arena *owner, uintptr_t address, size_t usable)
{
    struct outgoing *outgoing = outgoing_for(self, owner);

    if (unlikely(outgoing->owner != owner || outgoing->fork != fork_generation)) {
        send(outgoing);
        outgoing->owner = owner;
        outgoing->fork = fork_generation;
    }
    collect(outgoing, address, usable);
    if (unlikely(outgoing->chunks >= BATCH_CHUNKS || outgoing->bytes >= BATCH_BYTES))
        send(outgoing);
}

static void count_remote_free(struct arena *self)
{
    if (unlikely(options.stats) && self != NULL)
        atomic_store_explicit(&self->remote_frees,
                              atomic_load_explicit(&self->remote_frees, memory_order_relaxed) + 1,
                              memory_order_relaxed);
}

void remote_free(struct arena *self, const struct chunk *chunk)
{
    struct arena *owner = chunk->arena;

    count_remote_free(self);
    if (unlikely(arena_leave_for_repair(chunk)))
        return;
    chunk_mark(chunk, STATE_REMOTE);
    if (unlikely(self == NULL)) {
        struct outgoing alone = {.owner = owner, .fork = fork_generation};

        collect(&alone, chunk->start, chunk->usable);
        send(&alone);
        return;
    }
    collect_for(self, owner, chunk->start, chunk->usable);
}

/* Marks the chunk as freed remotely and returns its class, or SIZE_CLASSES if it is not live. */
static unsigned leave_tiny(uintptr_t address)
{
    /* Relaxed, here and below: the holder of a chunk got it with its state. */
    uint8_t seen = atomic_load_explicit(tiny_state(address), memory_order_relaxed);

    if (unlikely(!tiny_lives(seen)))
        return SIZE_CLASSES;
    tiny_turn(address, seen, STATE_LIVE, STATE_REMOTE, memory_order_relaxed);
    return (unsigned)tiny_class_around(address);
}

static unsigned leave_small(uintptr_t address)
{
    uint32_t seen = atomic_load_explicit(small_state(address), memory_order_relaxed);

    if (unlikely(!small_lives_at(seen, address)))
        return SIZE_CLASSES;
    small_turn(address, seen, STATE_LIVE, STATE_REMOTE, memory_order_relaxed);
    return small_state_class(seen);
}

bool remote_free_aligned(struct arena *self, uintptr_t address, uint16_t tag)
{
    struct arena *owner = heap_at(address, tag)->arena;
    unsigned size_class;

    /*
     * The heap has no owner if the pointer is wrong and the heap was just unmapped: see
     * bins/limbo.h.
     */
    if (unlikely(owner == NULL) ||
        unlikely(atomic_load_explicit(&owner->damaged, memory_order_acquire) != ARENA_SOUND))
        return false; /* acquire: see arena_repair_step() */
    size_class = tag & TAG_SMALL ? leave_small(address) : leave_tiny(address);
    if (unlikely(size_class == SIZE_CLASSES))
        return false;
    collect_for(self, owner, address, size_classes[size_class].size);
    return true;
}

/*
 * A chunk that arrives must be one of ours in state REMOTE. Otherwise something wrote to freed
 * memory.
 */
static bool arrived(struct arena *arena, uintptr_t address, struct chunk *chunk)
{
    uint16_t tag = heap_map_tag(address);

    if ((tag == arena->tiny_tag || tag == arena->small_tag) &&
        chunk_find(address, tag, chunk) == CHUNK_FREED && chunk->kind == STATE_REMOTE)
        return true;
    report_corruption("memory written to after free, or freed twice at once: found", address);
    return false;
}

/*
 * Fast path: the chunk is in state REMOTE, as expected. The address is aligned and in a TINY heap
 * of the arena.
 */
static bool take_tiny_home(struct arena *arena, uintptr_t address)
{
    /* Relaxed, here and below: ordered by the inbox. */
    uint8_t seen = atomic_load_explicit(tiny_state(address), memory_order_relaxed);

    if (unlikely(tiny_kind(seen) != STATE_REMOTE))
        return false;
    tiny_turn(address, seen, STATE_REMOTE, STATE_FREE, memory_order_relaxed);
    bin_free(&arena->bins.of[tiny_class_around(address)], pointer_to(address));
    return true;
}

static bool take_small_home(struct arena *arena, uintptr_t address)
{
    uint32_t seen = atomic_load_explicit(small_state(address), memory_order_relaxed);

    if (unlikely(!small_is_at(seen, STATE_REMOTE, address)))
        return false;
    small_turn(address, seen, STATE_REMOTE, STATE_FREE, memory_order_relaxed);
    bin_free(&arena->bins.of[small_state_class(seen)], pointer_to(address));
    return true;
}

static void take_home(struct arena *arena, uintptr_t address)
{
    struct chunk chunk;

    if (likely(heap_owned(arena->own_tiny, address, TINY_HEAP_SHIFT)) &&
        likely(take_tiny_home(arena, address)))
        return;
    if (likely(heap_owned(arena->own_small, address, SMALL_HEAP_SHIFT)) &&
        likely(take_small_home(arena, address)))
        return;
    if (arrived(arena, address, &chunk))
        arena_free(arena, &chunk);
}

static void take_all_home(struct arena *arena, struct parcel *parcel, uintptr_t count)
{
    uintptr_t code = parcel_code(parcel);

    for (uintptr_t i = 0; i < count; i++)
        take_home(arena, parcel->chunks[i] ^ code);
    take_home(arena, (uintptr_t)parcel);
}

static void take_all_to_quarantine(struct arena *arena, struct parcel *parcel, uintptr_t count)
{
    uintptr_t code = parcel_code(parcel);
    struct chunk chunk;

    for (uintptr_t i = 0; i < count; i++)
        if (arrived(arena, parcel->chunks[i] ^ code, &chunk))
            chunk_quarantine_receive(arena, &chunk, 0);
    if (arrived(arena, (uintptr_t)parcel, &chunk))
        chunk_quarantine_receive(arena, &chunk, sizeof *parcel + count * sizeof parcel->chunks[0]);
}

/* Returns the next parcel of the chain, or NULL at its end or where it is broken. */
static struct parcel *unpack(struct arena *arena, struct parcel *parcel)
{
    struct parcel *next;
    struct chunk self;
    uintptr_t count;

    if (!arrived(arena, (uintptr_t)parcel, &self))
        return NULL;
    next = pointer_to(parcel->next ^ parcel_code(parcel));
    count = parcel->count ^ parcel_code(parcel);
    /* The next parcel comes from another processor's cache, so its load starts early. */
    __builtin_prefetch(next);
    if (count > parcel_room(self.usable)) {
        report_corruption("memory written to after free: chunk", (uintptr_t)parcel);
        count = 0;
    }
    if (unlikely(policy_quarantine()))
        take_all_to_quarantine(arena, parcel, count);
    else
        take_all_home(arena, parcel, count);
    return next;
}

static void receive(struct arena *arena, unsigned most)
{
    struct parcel *parcel = arena->unpacking;

    if (parcel == NULL) {
        /*
         * Sequentially consistent: a thread that puts its arena into the pool must not read the
         * inbox too early.
         */
        if (atomic_load(&arena->inbox) == NULL)
            return;
        /* Acquire: the contents of the parcels. */
        parcel = atomic_exchange_explicit(&arena->inbox, NULL, memory_order_acquire);
        os_count_rmw();
    }
    while (parcel != NULL && most-- > 0)
        parcel = unpack(arena, parcel);
    arena->unpacking = parcel;
}

void remote_receive(struct arena *arena)
{
    receive(arena, UNPACK_PARCELS);
}

void remote_receive_all(struct arena *arena)
{
    while (arena->unpacking != NULL || atomic_load(&arena->inbox) != NULL)
        receive(arena, ~0u);
}
