/*
 * What the tests of the pool of guarded chunks share: a pool, the threads that are told to allocate
 * and to free, and checks of what the pool knows.
 */
#ifndef FT_TEST_UNIT_GUARDED_POOL_H
#define FT_TEST_UNIT_GUARDED_POOL_H

#include "unit/unit.h"

#include "bins/guard_pool.h"
#include "os/os.h"
#include "support/require.h"

#include <string.h>

enum { SLOT = 1 << GUARD_SLOT_SHIFT };

static const struct caller allocator = {.time = 5, .thread = 77, .depth = 2, .frames = {11, 22}};
static const struct caller freer = {
    .time = 6, .thread = 88, .depth = 3, .truncated = true, .frames = {33, 44, 55}};

static inline void make_pool(void)
{
    void *memory = os_map(round_up(sizeof(struct guard_pool), os_page_size()));

    REQUIRE(memory != NULL && guard_pool_begin(memory), "no pool");
}

static inline void run(void (*body)(void *argument))
{
    assert_true(unit_child_succeeds(body, NULL));
}

static inline char *take(size_t size, size_t align, bool front)
{
    char *chunk = guard_pool_open(size, align, front, &allocator);

    REQUIRE(chunk != NULL && (uintptr_t)chunk % align == 0 && (uintptr_t)chunk % CHUNK_ALIGN == 0,
            "%p for %zu bytes at %zu", (void *)chunk, size, align);
    for (size_t n = 0; n < size; n++)
        REQUIRE(chunk[n] == 0, "not zero");
    memset(chunk, 0x5a, size);
    return chunk;
}

static inline bool give(const void *chunk)
{
    return guard_pool_close((uintptr_t)chunk, "free()", &freer);
}

static inline enum verdict verdict_on(const char *address, struct chunk *chunk)
{
    *chunk = (struct chunk){.start = 0};
    return guard_pool_find((uintptr_t)address, chunk);
}

static inline void check_live(const char *start, size_t size)
{
    struct chunk chunk;

    REQUIRE(verdict_on(start, &chunk) == CHUNK_LIVE && chunk.start == (uintptr_t)start &&
                chunk.requested == size && chunk.usable == size && chunk.guarded &&
                chunk.zone == zone_of_size(size),
            "a wrong description of %zu bytes", size);
    REQUIRE(size < 2 || verdict_on(start + size - 1, &chunk) == CHUNK_INTERIOR, "the last byte");
    REQUIRE(verdict_on(start + size + (size == 0), &chunk) == CHUNK_NONE, "the byte behind it");
}

static inline void check_caller(const struct caller *found, const struct caller *expected)
{
    REQUIRE(found->time == expected->time && found->thread == expected->thread &&
                found->depth == expected->depth && found->truncated == expected->truncated,
            "a wrong caller");
    for (unsigned n = 0; n < expected->depth; n++)
        REQUIRE(found->frames[n] == expected->frames[n], "a wrong frame");
}

struct guarded_walk {
    const struct guard_pool *pool;
    unsigned chunks;
};

static inline void see(void *context, const struct chunk *chunk)
{
    struct guarded_walk *walk = context;
    const struct guard_pool *pool = walk->pool;

    REQUIRE(chunk->start - pool->base < pool->slots << GUARD_SLOT_SHIFT && chunk->guarded,
            "a wrong chunk");
    walk->chunks++;
}

/* Walks over the live chunks, checks each of them, and returns how many there are. */
static inline unsigned count_live(void)
{
    struct guarded_walk walk = {.pool = guard_pool_now()};

    guard_pool_walk(see, &walk);
    return walk.chunks;
}

#endif
