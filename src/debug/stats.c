/*
 * The figures. While the option is set, calls are counted here, one event at a time. Everything
 * else comes from a census.
 */
#include "debug/stats.h"

#include "base/options.h"
#include "base/text.h"
#include "bins/slab_pages.h"
#include "debug/census.h"
#include "os/os.h"

#include <unistd.h>

static void put(struct text *text, const char *name, uint64_t value)
{
    text_string(text, " ");
    text_string(text, name);
    text_string(text, " ");
    text_number(text, value);
}

struct stats_stripe stats_stripes[STATS_STRIPES];

void stats_count(const struct event *event)
{
    bool frees = event->kind == EVENT_FREE;
    bool ends = event->kind == EVENT_REALLOC && event->old != NULL && event->size == 0;

    if (frees && event->old == NULL)
        return;
    if (event->pointer == NULL && !frees && !ends)
        stats_add(stats_stripe(), STATS_FAILED, 1);
    else if (frees)
        stats_add(stats_stripe(), EVENT_FREE, 1);
    else
        stats_count_taken(event->kind, event->size);
}

static uint64_t counted(unsigned figure)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < STATS_STRIPES; i++)
        sum += atomic_load_explicit(&stats_stripes[i].of[figure], memory_order_relaxed);
    return sum;
}

static uint64_t remote_frees(void)
{
    uint64_t sum = 0;

    /* Acquire: each arena is complete. */
    for (struct arena *arena = atomic_load_explicit(&arena_list, memory_order_acquire);
         arena != NULL; arena = arena->next)
        for (struct cache *cache = atomic_load_explicit(&arena->caches, memory_order_acquire);
             cache != NULL; cache = cache->next)
            sum += atomic_load_explicit(&cache->remote_frees, memory_order_relaxed);
    return sum;
}

void stats_calls(void (*visit)(struct text *text, const char *name, uint64_t value),
                 struct text *text)
{
    static const struct {
        char name[8];
        unsigned figure;
    } columns[] = {
        {"malloc", EVENT_MALLOC}, {"free", EVENT_FREE},       {"realloc", EVENT_REALLOC},
        {"calloc", EVENT_CALLOC}, {"aligned", EVENT_ALIGNED}, {"failed", STATS_FAILED},
        {"bytes", STATS_BYTES},
    };

    for (size_t i = 0; i < sizeof columns / sizeof columns[0]; i++)
        visit(text, columns[i].name, counted(columns[i].figure));
    visit(text, "remote", remote_frees());
}

static void put_pages(struct text *text)
{
    struct slab_pages_counts pages = slab_pages_counted();

    put(text, "pages", pages.given);
    put(text, "page_calls", pages.calls);
    put(text, "pages_again", pages.wanted);
}

void stats_at_exit(void)
{
    struct text text = {.fd = STDERR_FILENO};
    struct os_counters os = os_counted();
    struct census census;

    if (!mode_is_on(MODE_STATS))
        return;
    if (mode_number(MODE_STATS, 0) == STATS_JSON) {
        (void)stats_json(STDERR_FILENO);
        return;
    }
    census_take(&census);
    text_string(&text, "ft_malloc: stats:");
    stats_calls(put, &text);
    put(&text, "arenas", census.arenas);
    put(&text, "heaps", census.zone[ZONE_TINY].heaps + census.zone[ZONE_SMALL].heaps);
    put(&text, "large", census.zone[ZONE_LARGE].chunks);
    put(&text, "mmap", os.mmap);
    put(&text, "munmap", os.munmap);
    put_pages(&text);
#ifdef FT_MALLOC_COUNT_RMW
    put(&text, "rmw", os.rmw);
#endif
    text_string(&text, "\n");
    text_flush(&text);
}

void stats_print(void)
{
    struct text text = {.fd = STDERR_FILENO};
    struct os_counters os = os_counted();
    struct census census;

    census_take(&census);
    text_string(&text, "ft_malloc:");
    put(&text, "arenas", census.arenas);
    put(&text, "cached", census.cached);
    put(&text, "mmap", os.mmap);
    put(&text, "munmap", os.munmap);
    text_string(&text, "\n");
    for (unsigned zone = 0; zone <= ZONE_LARGE; zone++) {
        text_string(&text, zone_name(zone));
        text_string(&text, ":");
        put(&text, zone == ZONE_LARGE ? "mappings" : "heaps", census.zone[zone].heaps);
        put(&text, "chunks", census.zone[zone].chunks);
        put(&text, "requested", census.zone[zone].requested);
        put(&text, "in chunks", census.zone[zone].usable);
        put(&text, "in slabs", census.zone[zone].slabs);
        text_string(&text, "\n");
    }
    text_flush(&text);
}
