/*
 * Each life of a chunk is appended to the thread's record. A hash with linear probing finds those
 * that have not ended.
 */
#include "faults/recorded.h"

#include "support/page.h"
#include "support/prefixed.h"
#include "support/require.h"

#include <stdlib.h>
#include <time.h>

static _Thread_local struct record *here;

uint64_t recorded_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

struct record *recorded_create(size_t capacity)
{
    struct record *record = calloc(1, sizeof *record);
    REQUIRE(record != NULL, "no memory for a record");
    record->lives = calloc(capacity, sizeof *record->lives);
    REQUIRE(record->lives != NULL, "no memory for %zu lives", capacity);
    record->capacity = capacity;
    return record;
}

void recorded_destroy(struct record *record)
{
    free(record->lives);
    free(record);
}

void recorded_begin(struct record *record)
{
    here = record;
}

static uint64_t begin(void)
{
    here->before = locks_moment();
    return recorded_now();
}

/* The time is taken first. */
static uint64_t end(void)
{
    uint64_t now = recorded_now();
    locks_count(&here->tally, &here->before);
    return now;
}

static size_t home_of(uintptr_t start)
{
    return (start >> 4) * 0x9E3779B97F4A7C15U >> 52;
}

static struct life *life_at(uint32_t entry)
{
    return &here->lives[entry - 1];
}

static void open_life(uintptr_t start, size_t size, uint64_t from, uint64_t by)
{
    size_t place = home_of(start);
    REQUIRE(here->count < here->capacity, "the record is full");
    here->lives[here->count++] = (struct life){start, size, from, by, UINT64_MAX, UINT64_MAX};
    for (size_t n = 0; here->open[place] != 0; n++, place = (place + 1) % RECORDED_OPEN) {
        REQUIRE(life_at(here->open[place])->start != start, "%#zx was handed out twice", start);
        REQUIRE(n < RECORDED_OPEN / 2, "too many live chunks for a record");
    }
    here->open[place] = (uint32_t)here->count;
}

static size_t place_of(uintptr_t start)
{
    size_t place = home_of(start);
    while (here->open[place] != 0 && life_at(here->open[place])->start != start)
        place = (place + 1) % RECORDED_OPEN;
    REQUIRE(here->open[place] != 0, "%#zx is freed and was not made", start);
    return place;
}

/* The entries behind it move up, so that they are still found. */
static void take_out(size_t hole)
{
    here->open[hole] = 0;
    for (size_t place = (hole + 1) % RECORDED_OPEN; here->open[place] != 0;
         place = (place + 1) % RECORDED_OPEN) {
        size_t home = home_of(life_at(here->open[place])->start);
        if ((place - home) % RECORDED_OPEN < (place - hole) % RECORDED_OPEN)
            continue;
        here->open[hole] = here->open[place];
        here->open[place] = 0;
        hole = place;
    }
}

static void close_life(uintptr_t start, uint64_t from, uint64_t by)
{
    size_t place = place_of(start);
    struct life *life = life_at(here->open[place]);
    life->freed_from = from;
    life->freed_by = by;
    take_out(place);
}

static void *made(void *start, size_t size, uint64_t from)
{
    uint64_t by = end();
    if (start != NULL)
        open_life((uintptr_t)start, size, from, by);
    return start;
}

static void freed(uintptr_t start, uint64_t from)
{
    uint64_t by = end();
    if (start != 0)
        close_life(start, from, by);
}

/* On failure the old chunk stays. A request of 0 bytes frees it. */
static void *moved(uintptr_t old, void *start, size_t size, uint64_t from)
{
    if (old != 0 && (start != NULL || size == 0))
        close_life(old, from, recorded_now());
    return made(start, size, from);
}

void *recorded_malloc(size_t size)
{
    uint64_t from = begin();
    return made(ft_malloc(size), size, from);
}

void *recorded_calloc(size_t count, size_t size)
{
    uint64_t from = begin();
    return made(ft_calloc(count, size), count * size, from);
}

void *recorded_realloc(void *pointer, size_t size)
{
    uintptr_t old = (uintptr_t)pointer;
    uint64_t from = begin();
    return moved(old, ft_realloc(pointer, size), size, from);
}

void *recorded_reallocarray(void *pointer, size_t count, size_t size)
{
    uintptr_t old = (uintptr_t)pointer;
    uint64_t from = begin();
    return moved(old, ft_reallocarray(pointer, count, size), count * size, from);
}

void *recorded_aligned_alloc(size_t alignment, size_t size)
{
    uint64_t from = begin();
    return made(ft_aligned_alloc(alignment, size), size, from);
}

void *recorded_memalign(size_t alignment, size_t size)
{
    uint64_t from = begin();
    return made(ft_memalign(alignment, size), size, from);
}

int recorded_posix_memalign(void **pointer, size_t alignment, size_t size)
{
    uint64_t from = begin();
    int error = ft_posix_memalign(pointer, alignment, size);
    made(error == 0 ? *pointer : NULL, size, from);
    return error;
}

void *recorded_valloc(size_t size)
{
    uint64_t from = begin();
    return made(ft_valloc(size), size, from);
}

void *recorded_pvalloc(size_t size)
{
    size_t page = page_size();
    uint64_t from = begin();
    return made(ft_pvalloc(size), (size + page - 1) / page * page, from);
}

void recorded_free(void *pointer)
{
    uintptr_t start = (uintptr_t)pointer;
    uint64_t from = begin();
    ft_free(pointer);
    freed(start, from);
}

void recorded_cfree(void *pointer)
{
    uintptr_t start = (uintptr_t)pointer;
    uint64_t from = begin();
    ft_cfree(pointer);
    freed(start, from);
}

void recorded_free_sized(void *pointer, size_t size)
{
    uintptr_t start = (uintptr_t)pointer;
    uint64_t from = begin();
    ft_free_sized(pointer, size);
    freed(start, from);
}

void recorded_free_aligned_sized(void *pointer, size_t alignment, size_t size)
{
    uintptr_t start = (uintptr_t)pointer;
    uint64_t from = begin();
    ft_free_aligned_sized(pointer, alignment, size);
    freed(start, from);
}
