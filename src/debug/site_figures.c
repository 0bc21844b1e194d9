/*
 * The figures of a site are guarded by one of a few locks, so that they stay true to each other.
 *
 * What was live at the peak of the whole program is not copied when a peak is reached, because that
 * would take a walk over all sites at every step of a program that grows. Instead each peak has a
 * number. Before a site changes for the first time after a peak, it stores what is live then.
 */
#include "debug/site_figures.h"

#include "base/child.h"
#include "debug/stack_table.h"

#include <pthread.h>

enum { SITE_LOCKS = 32 };

/* Site n has the lock n % SITE_LOCKS; the other one is for the peak of all. */
static pthread_mutex_t locks[SITE_LOCKS], peak_lock;

/* All figures are relaxed: see stack_table.h. */
static uint64_t get(const _Atomic uint64_t *figure)
{
    return atomic_load_explicit(figure, memory_order_relaxed);
}

static void set(_Atomic uint64_t *figure, uint64_t value)
{
    atomic_store_explicit(figure, value, memory_order_relaxed);
}

/* With the site's lock. */
static void add(_Atomic uint64_t *figure, uint64_t amount)
{
    set(figure, get(figure) + amount);
}

/* Without a lock. Returns the sum. */
static uint64_t add_shared(_Atomic uint64_t *figure, uint64_t amount)
{
    return atomic_fetch_add_explicit(figure, amount, memory_order_relaxed) + amount;
}

static struct stack_totals *all(void)
{
    /* Acquire: the table is complete. */
    return &atomic_load_explicit(&stack_table, memory_order_acquire)->totals;
}

static uint64_t live(const struct stack_counters *site)
{
    return get(&site->allocations) - get(&site->freed);
}

static uint64_t live_bytes(const struct stack_counters *site)
{
    return get(&site->bytes) - get(&site->freed_bytes);
}

/* Takes the site's lock, and stores what was live at the last peak if the site does not know. */
static struct stack_counters *begin(uint32_t site)
{
    struct stack_counters *counters = &stack_table_at(site)->counters;
    uint64_t number = get(&all()->peak_number);

    child_check();
    pthread_mutex_lock(&locks[site % SITE_LOCKS]);
    if (get(&counters->peak_number) != number) {
        set(&counters->peak, live(counters));
        set(&counters->peak_bytes, live_bytes(counters));
        set(&counters->peak_number, number);
    }
    return counters;
}

static void end(uint32_t site)
{
    pthread_mutex_unlock(&locks[site % SITE_LOCKS]);
}

static void note_peak(uint64_t bytes, uint64_t time)
{
    struct stack_totals *totals = all();

    if (bytes <= get(&totals->peak_bytes))
        return;
    child_check();
    pthread_mutex_lock(&peak_lock);
    if (bytes > get(&totals->peak_bytes)) {
        set(&totals->peak_bytes, bytes);
        set(&totals->peak_time, time);
        add(&totals->peak_number, 1);
    }
    pthread_mutex_unlock(&peak_lock);
}

void site_figures_alloc(const struct live_chunk *chunk)
{
    struct stack_counters *site = begin(chunk->site);

    add(&site->samples, 1);
    add(&site->allocations, chunk->count);
    add(&site->bytes, chunk->bytes);
    if (live_bytes(site) > get(&site->most_bytes)) {
        set(&site->most_bytes, live_bytes(site));
        set(&site->most, live(site));
    }
    end(chunk->site);
    add_shared(&all()->live, chunk->count);
    note_peak(add_shared(&all()->live_bytes, chunk->bytes), chunk->time);
}

void site_figures_free(const struct live_chunk *chunk, uint64_t now, bool temporary)
{
    struct stack_counters *site = begin(chunk->site);

    add(&site->freed, chunk->count);
    add(&site->freed_bytes, chunk->bytes);
    if (now > chunk->time)
        add(&site->lifetime, (now - chunk->time) * chunk->count);
    if (temporary) {
        add(&site->temporary, chunk->count);
        add(&site->temporary_bytes, chunk->bytes);
    }
    end(chunk->site);
    /* The sums are modulo 2^64, so what is subtracted may be added as a negative number. */
    add_shared(&all()->live, 0 - (uint64_t)chunk->count);
    add_shared(&all()->live_bytes, 0 - (uint64_t)chunk->bytes);
}

void site_figures_after_fork(void)
{
    for (unsigned n = 0; n < SITE_LOCKS; n++)
        pthread_mutex_init(&locks[n], NULL);
    pthread_mutex_init(&peak_lock, NULL);
}
