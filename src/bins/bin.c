/*
 * The bins of an arena: their ticks.
 */
#include "bins/bin.h"

#include "base/clock.h"
#include "bins/bin_slabs.h"
#include "bins/limbo.h"
#include "bins/slab_pages.h"

enum {
    TICK = CLOCK_TENTH / 4,
    /*
     * The rest of a tick that is too much for one call is done by the next call after this time;
     * other calls come in between.
     */
    TICK_PIECE = TICK / 8,
    LONG_AGO = 1,
};

static void forget_slabs(struct bins *bins)
{
    bins->spare_units = 0;
    for (unsigned size_class = 0; size_class < SIZE_CLASSES; size_class++)
        bins->of[size_class] = (struct bin){.size_class = (uint8_t)size_class};
}

void bins_init(struct bins *bins, struct heap_set *tiny, struct heap_set *small)
{
    bins->tiny = tiny;
    bins->small = small;
    forget_slabs(bins);
}

void bins_reset(struct bins *bins)
{
    forget_slabs(bins);
}

/* Does a bounded piece of what is due. Returns true if that was the last one. */
static bool age_heaps(struct bins *bins)
{
    if (bins->tiny_ages)
        bins->tiny_ages = !heap_set_age(bins->tiny);
    if (bins->small_ages)
        bins->small_ages = !heap_set_age(bins->small);
    return !bins->tiny_ages && !bins->small_ages;
}

/* Relaxed, here and below: the arena's lock orders it. */
static void tick_next(struct bins *bins, uint64_t when)
{
    atomic_store_explicit(&bins->next_tick, when, memory_order_relaxed);
}

static __attribute__((noinline)) void tick_due(struct bins *bins, uint64_t now)
{
    if (!bins->tiny_ages && !bins->small_ages && ++bins->ticks % BINS_AGE_TICKS == 0) {
        bins->tiny_ages = ageing_due(&bins->tiny->ageing, bins->ticks / BINS_AGE_TICKS);
        bins->small_ages = ageing_due(&bins->small->ageing, bins->ticks / BINS_AGE_TICKS);
    }
    tick_next(bins, now + (age_heaps(bins) && slab_pages_age(bins, now) ? TICK : TICK_PIECE));
    bins->ticked = true;
    if (limbo_any())
        limbo_empty(false);
}

static __attribute__((noinline)) void continue_unmapping(struct bins *bins)
{
    if (bins->tiny->waiting)
        heap_set_let_go(bins->tiny);
    if (bins->small->waiting)
        heap_set_let_go(bins->small);
}

static bool wants_way(const struct bins *bins)
{
    return heap_set_wants_way(bins->tiny) || heap_set_wants_way(bins->small);
}

void bins_tick(struct bins *bins, uint64_t now)
{
    uint64_t next = atomic_load_explicit(&bins->next_tick, memory_order_relaxed);

    if (unlikely(bins->tiny->waiting | bins->small->waiting))
        continue_unmapping(bins);
    if (unlikely(wants_way(bins)))
        slab_pages_make_way(bins);
    /* It is due when the time has come, and when the clock has jumped back. */
    if (unlikely(next - now - 1 >= TICK) && likely(next != BINS_NO_TICKS))
        tick_due(bins, now);
}

bool bins_trim(struct bins *bins)
{
    bins->tiny_ages = !heap_set_trim_step(bins->tiny);
    bins->small_ages = !heap_set_trim_step(bins->small);
    if (!bins->tiny->pages.trims && !bins->small->pages.trims)
        slab_pages_begin(bins);
    if (slab_pages_step(bins) && !bins->tiny_ages && !bins->small_ages)
        return true;
    tick_next(bins, LONG_AGO);
    return false;
}

void bins_release_empty(struct bins *bins)
{
    for (unsigned size_class = 0; size_class < SIZE_CLASSES; size_class++)
        bin_release_empty(&bins->of[size_class]);
}
