/*
 * The figures: calls from the arenas, which count them while the option is set; everything else
 * from a census.
 */
#include "debug/stats.h"

#include "arena/arena.h"
#include "base/options.h"
#include "base/text.h"
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

static void put_calls(struct text *text)
{
    static const struct {
        const char *name;
        enum call_kind kind;
    } columns[] = {
        {"malloc", CALL_MALLOC}, {"free", CALL_FREE},       {"realloc", CALL_REALLOC},
        {"calloc", CALL_CALLOC}, {"aligned", CALL_ALIGNED}, {"bytes", CALL_BYTES},
        {"remote", CALL_REMOTE},
    };

    for (size_t i = 0; i < sizeof columns / sizeof columns[0]; i++) {
        uint64_t sum = 0;

        /* Acquire: each arena is complete. */
        for (struct arena *arena = atomic_load_explicit(&arena_list, memory_order_acquire);
             arena != NULL; arena = arena->next)
            sum += atomic_load_explicit(&arena->calls[columns[i].kind], memory_order_relaxed);
        put(text, columns[i].name, sum);
    }
}

void stats_at_exit(void)
{
    struct text text = {.fd = STDERR_FILENO};
    struct os_counters os = os_counted();
    struct census census;

    if (!options.stats)
        return;
    census_take(&census);
    text_string(&text, "ft_malloc: stats:");
    put_calls(&text);
    put(&text, "arenas", census.arenas);
    put(&text, "heaps", census.zone[ZONE_TINY].heaps + census.zone[ZONE_SMALL].heaps);
    put(&text, "large", census.zone[ZONE_LARGE].chunks);
    put(&text, "mmap", os.mmap);
    put(&text, "munmap", os.munmap);
#ifdef FT_MALLOC_COUNT_RMW
    put(&text, "rmw", os.rmw);
#endif
    text_string(&text, "\n");
    text_flush(&text);
}

void stats_print(void)
{
    static const char *const names[] = {"TINY", "SMALL", "LARGE"};
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
        text_string(&text, names[zone]);
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
