/*
 * Parcels: arrays of the addresses of chunks that are on their way to their arena. They are stored
 * in memory of the allocator's own, where a program that writes to freed memory does not reach
 * them. An empty parcel belongs to a cache, or to the depot that all threads share.
 */
#ifndef FT_ARENA_PARCEL_H
#define FT_ARENA_PARCEL_H

#include "arena/cache.h"

enum { PARCEL_SIZE = 1024, PARCEL_CHUNKS = (PARCEL_SIZE - 32) / sizeof(uintptr_t) };

struct parcel {
    struct parcel *next;
    size_t bytes;
    /* The value of fork_generation when the first chunk was put in. */
    unsigned fork;
    uint16_t tag;
    uint16_t count;
    uintptr_t chunks[PARCEL_CHUNKS];
};

static_assert(sizeof(struct parcel) <= PARCEL_SIZE, "parcels lie side by side");

/* The depot's lock, held for moments. It is the innermost of the allocator's locks. */
extern pthread_mutex_t parcel_lock;

/* Returns an empty parcel, or NULL if there is no memory. Takes the depot's lock if need be. */
struct parcel *parcel_get(struct cache *cache);

/* Returns one from the depot, for a caller that has no cache to keep others in, or NULL. */
struct parcel *parcel_get_one(void);

/* Takes an empty parcel back. The same lock. */
void parcel_put(struct cache *cache, struct parcel *parcel);

/* Gives all parcels of the cache to the depot, because its thread ends. */
void parcel_put_all(struct cache *cache);

/* Puts a chain of empty parcels into the depot. */
void parcel_put_chain(struct parcel *first, struct parcel *last);

/* In the child of a fork: renews the lock. What the depot had is lost if another thread held it. */
void parcel_after_fork(void);

#endif
