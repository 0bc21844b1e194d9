/*
 * Counters for each mode. They are figures and order nothing, so each access is relaxed; a share of
 * the cap is taken by compare-and-exchange, so the cap holds.
 */
#include "debug/mode_memory.h"

#include "base/mappings.h"
#include "base/own.h"

#define MIB ((size_t)1 << 20)
#define SMALL_PAGE ((size_t)16 << 10)

/* Modes that have no tables have no cap. */
static const size_t caps[MODE_KINDS] = {
    [1] = 64 * MIB,  /* MODE_HISTORY */
    [2] = 2 * MIB,   /* MODE_PROFILE */
    [3] = 256 * MIB, /* MODE_RECORD */
    [4] = 64 * MIB,  /* MODE_GUARD */
};

/* Each of a mode's tables takes whole pages, so with large pages the tables need more room. */
static size_t cap_of(unsigned index)
{
    size_t page = os_page_size();

    return page > SMALL_PAGE ? caps[index] / SMALL_PAGE * page : caps[index];
}

static struct {
    _Atomic size_t used;
    _Atomic uint64_t dropped;
} figures[MODE_KINDS];

bool mode_memory_take(enum mode mode, size_t size)
{
    unsigned index = mode_index(mode);
    size_t cap = cap_of(index);
    size_t used = atomic_load_explicit(&figures[index].used, memory_order_relaxed);

    do
        if (size > cap || used > cap - size)
            return false;
    while (!atomic_compare_exchange_weak_explicit(&figures[index].used, &used, used + size,
                                                  memory_order_relaxed, memory_order_relaxed));
    return true;
}

void mode_memory_give(enum mode mode, size_t size)
{
    atomic_fetch_sub_explicit(&figures[mode_index(mode)].used, size, memory_order_relaxed);
}

void *mode_memory_map(enum mode mode, size_t size)
{
    size_t rounded = round_up(size, os_page_size());
    void *memory;

    if (size == 0 || rounded < size || !mode_memory_take(mode, rounded))
        return NULL;
    memory = own_map(rounded);
    if (memory == NULL)
        mode_memory_give(mode, rounded);
    else
        mappings_add(1);
    return memory;
}

void mode_memory_unmap(enum mode mode, void *memory, size_t size)
{
    size_t rounded = round_up(size, os_page_size());

    /* What the kernel does not take back stays counted. */
    if (!own_unmap(memory, rounded))
        return;
    mappings_give(1);
    mode_memory_give(mode, rounded);
}

void mode_memory_drop(enum mode mode)
{
    atomic_fetch_add_explicit(&figures[mode_index(mode)].dropped, 1, memory_order_relaxed);
}

struct mode_memory mode_memory_of(enum mode mode)
{
    unsigned index = mode_index(mode);

    return (struct mode_memory){
        .used = atomic_load_explicit(&figures[index].used, memory_order_relaxed),
        .cap = cap_of(index),
        .dropped = atomic_load_explicit(&figures[index].dropped, memory_order_relaxed),
    };
}

size_t mode_memory_used(void)
{
    size_t sum = 0;

    for (unsigned index = 0; index < MODE_KINDS; index++)
        sum += atomic_load_explicit(&figures[index].used, memory_order_relaxed);
    return sum;
}
