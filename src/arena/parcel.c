/*
 * The depot of empty parcels.
 */
#include "arena/parcel.h"

#include "base/own.h"
#include "os/os.h"

enum {
    /* How many parcels are mapped at once. */
    BLOCK_PARCELS = 32,
    /* How many empty ones a cache keeps, and how many of them it gives away when it has more. */
    KEPT = 8,
    GIVEN = 4,
};

pthread_mutex_t parcel_lock = PTHREAD_MUTEX_INITIALIZER;

/*
 * Guarded by the lock. `changing` is true while the list is being changed. It is atomic, here and
 * below relaxed, so that no compiler leaves out a store that only the child of a fork reads.
 */
static struct parcel *depot;
static _Atomic bool changing;

static void set_changing(bool now)
{
    atomic_store_explicit(&changing, now, memory_order_relaxed);
}

static void lock_depot(void)
{
    child_check();
    os_count_rmw();
    pthread_mutex_lock(&parcel_lock);
    set_changing(true);
    atomic_signal_fence(memory_order_seq_cst);
}

static void unlock_depot(void)
{
    atomic_signal_fence(memory_order_seq_cst);
    set_changing(false);
    os_count_rmw();
    pthread_mutex_unlock(&parcel_lock);
}

/* Takes some parcels out of the depot: one for the caller, and the others for its cache. */
static struct parcel *take_from_depot(struct cache *cache)
{
    struct parcel *first, *last;

    lock_depot();
    first = last = depot;
    for (unsigned n = 1; last != NULL && last->next != NULL && n < GIVEN; n++) {
        last = last->next;
        cache->parcel_count++;
    }
    if (first != NULL) {
        depot = last->next;
        last->next = NULL;
        cache->parcels = first->next;
    }
    unlock_depot();
    return first;
}

/* Maps a block of parcels, keeps the first one, and puts the others into the depot. */
static struct parcel *make_block(void)
{
    char *block = own_map((size_t)BLOCK_PARCELS * PARCEL_SIZE);

    if (block == NULL)
        return NULL;
    for (unsigned n = 1; n < BLOCK_PARCELS - 1; n++)
        ((struct parcel *)(void *)(block + (size_t)n * PARCEL_SIZE))->next =
            (struct parcel *)(void *)(block + (size_t)(n + 1) * PARCEL_SIZE);
    parcel_put_chain((struct parcel *)(void *)(block + PARCEL_SIZE),
                     (struct parcel *)(void *)(block + (size_t)(BLOCK_PARCELS - 1) * PARCEL_SIZE));
    return (struct parcel *)(void *)block;
}

struct parcel *parcel_get(struct cache *cache)
{
    struct parcel *parcel = cache->parcels;

    if (likely(parcel != NULL)) {
        cache->parcels = parcel->next;
        cache->parcel_count--;
        return parcel;
    }
    parcel = take_from_depot(cache);
    return parcel != NULL ? parcel : make_block();
}

struct parcel *parcel_get_one(void)
{
    struct parcel *parcel;

    lock_depot();
    parcel = depot;
    if (parcel != NULL)
        depot = parcel->next;
    unlock_depot();
    return parcel != NULL ? parcel : make_block();
}

void parcel_put_chain(struct parcel *first, struct parcel *last)
{
    lock_depot();
    last->next = depot;
    depot = first;
    unlock_depot();
}

/* Gives so many parcels to the depot, beginning with those that were put last. */
static void give(struct cache *cache, unsigned count)
{
    struct parcel *first = cache->parcels, *last = first;

    for (unsigned n = 1; n < count; n++)
        last = last->next;
    cache->parcels = last->next;
    cache->parcel_count -= count;
    parcel_put_chain(first, last);
}

void parcel_put(struct cache *cache, struct parcel *parcel)
{
    parcel->next = cache->parcels;
    cache->parcels = parcel;
    if (++cache->parcel_count > KEPT)
        give(cache, GIVEN);
}

void parcel_put_all(struct cache *cache)
{
    if (cache->parcel_count > 0)
        give(cache, cache->parcel_count);
}

void parcel_after_fork(void)
{
    pthread_mutex_init(&parcel_lock, NULL);
    /* The list can be followed only if it was complete. */
    if (atomic_load_explicit(&changing, memory_order_relaxed))
        depot = NULL;
    set_changing(false);
}
