/*
 * Live chunks that a mode has noted, by address: where each comes from, since when, and for how
 * many chunks and bytes it stands. The table is cut into shards, each with a lock of its own.
 *
 * A reader outside finds all of them without the hash: every block of a shard is an array of
 * entries, of which those with an address are in use.
 */
#ifndef FT_DEBUG_LIVE_TABLE_H
#define FT_DEBUG_LIVE_TABLE_H

#include "base/modes.h"
#include "os/os.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum { LIVE_SHARDS = 32 };

/*
 * Written with the lock of the shard. Relaxed, except for the address, which is stored last with
 * release and cleared first: a reader without the lock that finds the same address before and after
 * has read an entry of one chunk.
 */
struct live_entry {
    _Atomic uint64_t address; /* 0 if the entry is free */
    _Atomic uint64_t size;    /* requested */
    _Atomic uint64_t bytes;   /* that it stands for; equal to `size` if every call is noted */
    _Atomic uint64_t time;    /* when it was allocated, clock_now() */
    _Atomic uint32_t site;    /* stack_table.h */
    _Atomic uint32_t count;   /* of chunks that it stands for; 1 if every call is noted */
    _Atomic uint32_t thread;  /* the kernel's number of the thread that allocated it */
    _Atomic uint32_t next;    /* in its bucket or in the list of free entries; see live_table.c */
};

static_assert(sizeof(struct live_entry) == 48, "an entry has no padding");

/* What a caller gets and gives: an entry without its links. */
struct live_chunk {
    uintptr_t address;
    size_t size, bytes;
    uint64_t time;
    uint32_t site, count, thread;
};

/*
 * Block b of a shard has LIVE_FIRST << b entries, and is there if the block before it is. Written
 * with the lock of the shard and release, read with acquire.
 */
enum { LIVE_FIRST = 64, LIVE_BLOCKS = 24 };

struct live_root {
    _Atomic(struct live_entry *) blocks[LIVE_SHARDS][LIVE_BLOCKS];
};

/* NULL while no mode has ever wanted a table. It is never unmapped. */
extern _Atomic(struct live_root *) live_table;

/*
 * Makes the table if there is none yet. What it grows by from now on is the memory of that mode.
 * Returns false if there is no memory. One thread at a time.
 */
bool live_table_begin(enum mode mode);

/*
 * Everything below may be called by any thread, but not by a signal handler that interrupts such a
 * call.
 *
 * Notes a chunk. If there is one at the address, it is replaced: old->address is then not 0, and
 * *old is what it was. Returns false if there is no memory; then the chunk is not noted.
 */
bool live_table_add(const struct live_chunk *chunk, struct live_chunk *old);

/* Forgets the chunk at the address, and stores what it was. Returns false if none is noted. */
bool live_table_remove(uintptr_t address, struct live_chunk *chunk);

/* Describes the chunk at the address. Returns false if none is noted. */
bool live_table_find(uintptr_t address, struct live_chunk *chunk);

/* Forgets all chunks. `forgotten` is called with each, and may not call the table. */
void live_table_clear(void (*forgotten)(const struct live_chunk *chunk));

/* Returns how many chunks are noted. */
size_t live_table_count(void);

/*
 * Runs in the child of a fork. Makes the locks new, and repairs the shards that were being changed
 * by threads which do not exist any more.
 */
void live_table_after_fork(void);

#endif
