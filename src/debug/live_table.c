/*
 * Each shard has its own buckets, entries and lock. An entry is in the list of its bucket or in the
 * list of free entries. If a thread that is gone in the child of a fork was changing a shard, its
 * lists are made anew from the entries: one with an address is in use.
 */
#include "debug/live_table.h"

#include "arena/thread.h"
#include "base/child.h"
#include "base/own.h"
#include "base/secret.h"
#include "debug/mode_memory.h"

#include <pthread.h>

_Atomic(struct live_root *) live_table;

enum { BUCKETS_LEAST = 128 };

/* Entries are numbered from 1; 0 ends a list. */
struct shard {
    _Alignas(64) pthread_mutex_t lock;
    /*
     * The thread that has the lock, as the address of one of its variables, or NULL. Relaxed: the
     * child of a fork reads it while it has one thread.
     */
    _Atomic(const void *) holder;
    /* Guarded by the lock. A longer array replaces `buckets`, and then `mask` becomes larger. */
    uint32_t *buckets;
    uint32_t mask;
    uint32_t free;
    uint32_t made; /* entries so far */
    /* Written with the lock; read by anyone, relaxed, because it is a figure. */
    _Atomic uint32_t used;
};

static struct shard shards[LIVE_SHARDS];

/* Relaxed: either of two modes will do. */
static _Atomic unsigned payer;

static void *get_memory(size_t size)
{
    return mode_memory_map(atomic_load_explicit(&payer, memory_order_relaxed), size);
}

static uint64_t hash_of(uintptr_t address)
{
    return secret_scramble(address);
}

static struct shard *shard_of(uintptr_t address)
{
    return &shards[hash_of(address) >> 32 & (LIVE_SHARDS - 1)];
}

static uint32_t *bucket_of(struct shard *shard, uintptr_t address)
{
    return &shard->buckets[hash_of(address) & shard->mask];
}

/* Relaxed, here and below: the lock of the shard orders it. */
static struct live_entry *entry_at(const struct shard *shard, uint32_t number)
{
    struct live_root *root = atomic_load_explicit(&live_table, memory_order_acquire);
    uint32_t place = number - 1 + LIVE_FIRST;
    unsigned block = 31 - (unsigned)__builtin_clz(place / LIVE_FIRST);

    return &atomic_load_explicit(&root->blocks[shard - shards][block],
                                 memory_order_relaxed)[place - (LIVE_FIRST << block)];
}

static uint32_t get(const _Atomic uint32_t *field)
{
    return atomic_load_explicit(field, memory_order_relaxed);
}

static void set(_Atomic uint32_t *field, uint32_t value)
{
    atomic_store_explicit(field, value, memory_order_relaxed);
}

static void lock(struct shard *shard)
{
    child_check();
    pthread_mutex_lock(&shard->lock);
    atomic_store_explicit(&shard->holder, &thread_self, memory_order_relaxed);
    /* A signal handler that forks finds the holder before any change. */
    atomic_signal_fence(memory_order_seq_cst);
}

static void unlock(struct shard *shard)
{
    atomic_signal_fence(memory_order_seq_cst);
    atomic_store_explicit(&shard->holder, NULL, memory_order_relaxed);
    pthread_mutex_unlock(&shard->lock);
}

static void describe(const struct live_entry *entry, struct live_chunk *chunk)
{
    chunk->address = atomic_load_explicit(&entry->address, memory_order_relaxed);
    chunk->size = atomic_load_explicit(&entry->size, memory_order_relaxed);
    chunk->bytes = atomic_load_explicit(&entry->bytes, memory_order_relaxed);
    chunk->time = atomic_load_explicit(&entry->time, memory_order_relaxed);
    chunk->site = get(&entry->site);
    chunk->count = get(&entry->count);
    chunk->thread = get(&entry->thread);
}

/* Release: who finds the address finds the rest. */
static void fill(struct live_entry *entry, const struct live_chunk *chunk)
{
    atomic_store_explicit(&entry->size, chunk->size, memory_order_relaxed);
    atomic_store_explicit(&entry->bytes, chunk->bytes, memory_order_relaxed);
    atomic_store_explicit(&entry->time, chunk->time, memory_order_relaxed);
    set(&entry->site, chunk->site);
    set(&entry->count, chunk->count);
    set(&entry->thread, chunk->thread);
    atomic_store_explicit(&entry->address, chunk->address, memory_order_release);
}

/* Returns the link that names the address's entry, or the end of its bucket's list. */
static uint32_t find(struct shard *shard, uintptr_t address, struct live_entry **before)
{
    uint32_t number = *bucket_of(shard, address);

    *before = NULL;
    while (number != 0) {
        struct live_entry *entry = entry_at(shard, number);

        if (atomic_load_explicit(&entry->address, memory_order_relaxed) == address)
            break;
        *before = entry;
        number = get(&entry->next);
    }
    return number;
}

static void put_in_bucket(struct shard *shard, uint32_t number)
{
    struct live_entry *entry = entry_at(shard, number);
    uint32_t *bucket =
        bucket_of(shard, atomic_load_explicit(&entry->address, memory_order_relaxed));

    set(&entry->next, *bucket);
    *bucket = number;
}

static void put_in_free(struct shard *shard, uint32_t number)
{
    set(&entry_at(shard, number)->next, shard->free);
    shard->free = number;
}

/* Without memory the lists of the buckets become longer, and nothing else. */
static void lengthen(struct shard *shard)
{
    uint32_t count = (shard->mask + 1) * 2, *buckets = get_memory(count * sizeof *buckets);

    if (buckets == NULL)
        return;
    own_is_inner(buckets);
    shard->buckets = buckets;
    shard->mask = count - 1;
    for (uint32_t number = 1; number <= shard->made; number++)
        if (atomic_load_explicit(&entry_at(shard, number)->address, memory_order_relaxed) != 0)
            put_in_bucket(shard, number);
}

/* Makes the block of the next entry. Returns 0 if there is no memory. */
static uint32_t make_entry(struct shard *shard)
{
    struct live_root *root = atomic_load_explicit(&live_table, memory_order_acquire);
    uint32_t place = shard->made + LIVE_FIRST;
    unsigned block = 31 - (unsigned)__builtin_clz(place / LIVE_FIRST);
    struct live_entry *memory;

    if (block >= LIVE_BLOCKS)
        return 0;
    if (place == (uint32_t)LIVE_FIRST << block &&
        atomic_load_explicit(&root->blocks[shard - shards][block], memory_order_relaxed) == NULL) {
        memory = get_memory(((size_t)LIVE_FIRST << block) * sizeof *memory);
        if (memory == NULL)
            return 0;
        /* Release: who finds the block finds its zeros. */
        atomic_store_explicit(&root->blocks[shard - shards][block], memory, memory_order_release);
    }
    return ++shard->made;
}

static uint32_t take_free(struct shard *shard)
{
    uint32_t number = shard->free;

    if (number == 0)
        return make_entry(shard);
    shard->free = get(&entry_at(shard, number)->next);
    return number;
}

static bool add(struct shard *shard, const struct live_chunk *chunk, struct live_chunk *old)
{
    struct live_entry *before;
    uint32_t number = find(shard, chunk->address, &before);

    if (number != 0) {
        describe(entry_at(shard, number), old);
        fill(entry_at(shard, number), chunk);
        return true;
    }
    number = take_free(shard);
    if (number == 0)
        return false;
    fill(entry_at(shard, number), chunk);
    put_in_bucket(shard, number);
    set(&shard->used, get(&shard->used) + 1);
    if (get(&shard->used) > shard->mask + 1)
        lengthen(shard);
    return true;
}

bool live_table_add(const struct live_chunk *chunk, struct live_chunk *old)
{
    struct shard *shard = shard_of(chunk->address);
    bool added;

    old->address = 0;
    lock(shard);
    added = add(shard, chunk, old);
    unlock(shard);
    if (!added)
        mode_memory_drop(atomic_load_explicit(&payer, memory_order_relaxed));
    return added;
}

static void forget(struct shard *shard, uint32_t number, struct live_entry *before)
{
    struct live_entry *entry = entry_at(shard, number);

    if (before != NULL)
        set(&before->next, get(&entry->next));
    else
        *bucket_of(shard, atomic_load_explicit(&entry->address, memory_order_relaxed)) =
            get(&entry->next);
    atomic_store_explicit(&entry->address, 0, memory_order_relaxed);
    put_in_free(shard, number);
    set(&shard->used, get(&shard->used) - 1);
}

static bool look_up(uintptr_t address, struct live_chunk *chunk, bool remove)
{
    struct shard *shard = shard_of(address);
    struct live_entry *before;
    uint32_t number;

    lock(shard);
    number = find(shard, address, &before);
    if (number != 0) {
        describe(entry_at(shard, number), chunk);
        if (remove)
            forget(shard, number, before);
    }
    unlock(shard);
    return number != 0;
}

bool live_table_remove(uintptr_t address, struct live_chunk *chunk)
{
    return look_up(address, chunk, true);
}

bool live_table_find(uintptr_t address, struct live_chunk *chunk)
{
    return look_up(address, chunk, false);
}

/* Makes the lists of a shard from its entries. */
static void sort(struct shard *shard)
{
    uint32_t used = 0;

    for (uint32_t bucket = 0; bucket <= shard->mask; bucket++)
        shard->buckets[bucket] = 0;
    shard->free = 0;
    for (uint32_t number = shard->made; number > 0; number--) {
        if (atomic_load_explicit(&entry_at(shard, number)->address, memory_order_relaxed) != 0) {
            put_in_bucket(shard, number);
            used++;
        } else {
            put_in_free(shard, number);
        }
    }
    set(&shard->used, used);
}

void live_table_clear(void (*forgotten)(const struct live_chunk *chunk))
{
    for (struct shard *shard = shards; shard < shards + LIVE_SHARDS; shard++) {
        lock(shard);
        for (uint32_t number = 1; number <= shard->made; number++) {
            struct live_entry *entry = entry_at(shard, number);
            struct live_chunk chunk;

            describe(entry, &chunk);
            atomic_store_explicit(&entry->address, 0, memory_order_relaxed);
            if (chunk.address != 0)
                forgotten(&chunk);
        }
        sort(shard);
        unlock(shard);
    }
}

size_t live_table_count(void)
{
    size_t count = 0;

    for (size_t n = 0; n < LIVE_SHARDS; n++)
        count += get(&shards[n].used);
    return count;
}

bool live_table_begin(enum mode mode)
{
    struct live_root *root;
    uint32_t *buckets;

    atomic_store_explicit(&payer, mode, memory_order_relaxed);
    if (atomic_load_explicit(&live_table, memory_order_relaxed) != NULL)
        return true;
    root = get_memory(sizeof *root);
    buckets = get_memory(LIVE_SHARDS * BUCKETS_LEAST * sizeof *buckets);
    if (root == NULL || buckets == NULL)
        return false;
    own_is_inner(buckets);
    for (size_t n = 0; n < LIVE_SHARDS; n++) {
        pthread_mutex_init(&shards[n].lock, NULL);
        shards[n].buckets = buckets + n * BUCKETS_LEAST;
        shards[n].mask = BUCKETS_LEAST - 1;
    }
    /* Release: who sees the table sees its buckets. */
    atomic_store_explicit(&live_table, root, memory_order_release);
    return true;
}

void live_table_after_fork(void)
{
    if (atomic_load_explicit(&live_table, memory_order_relaxed) == NULL)
        return;
    for (struct shard *shard = shards; shard < shards + LIVE_SHARDS; shard++) {
        const void *holder = atomic_load_explicit(&shard->holder, memory_order_relaxed);

        pthread_mutex_init(&shard->lock, NULL);
        /* What this thread was doing when a signal handler forked, it will complete. */
        if (holder == NULL || holder == &thread_self)
            continue;
        atomic_store_explicit(&shard->holder, NULL, memory_order_relaxed);
        sort(shard);
    }
}
