/*
 * The figures as one object of JSON, in one line. Later versions append members.
 */
#include "base/options.h"
#include "bins/slab_pages.h"
#include "debug/census.h"
#include "debug/mode_memory.h"
#include "debug/stats.h"
#include "ft_malloc.h"
#include "os/os.h"

/* A member of an object. All names end up behind a brace or a comma. */
static void put_name(struct text *text, const char *name)
{
    bool first = text->length > 0 && text->buffer[text->length - 1] == '{';

    text_string(text, first ? "\"" : ",\"");
    text_string(text, name);
    text_string(text, "\":");
}

static void put(struct text *text, const char *name, uint64_t value)
{
    put_name(text, name);
    text_number(text, value);
}

static void begin(struct text *text, const char *name)
{
    put_name(text, name);
    text_string(text, "{");
}

static void end(struct text *text)
{
    text_string(text, "}");
}

static void put_zone(struct text *text, const char *name, const struct census_zone *zone)
{
    begin(text, name);
    put(text, "heaps", zone->heaps);
    put(text, "chunks", zone->chunks);
    put(text, "requested", zone->requested);
    put(text, "usable", zone->usable);
    put(text, "slabs", zone->slabs);
    put(text, "vacant", zone->vacant);
    put(text, "mapped", zone->mapped);
    end(text);
}

static void put_memory(struct text *text)
{
    struct census census;

    census_take(&census);
    begin(text, "zones");
    put_zone(text, "tiny", &census.zone[ZONE_TINY]);
    put_zone(text, "small", &census.zone[ZONE_SMALL]);
    put_zone(text, "large", &census.zone[ZONE_LARGE]);
    end(text);
    put(text, "arenas", census.arenas);
    put(text, "cached", census.cached);
}

static void put_system(struct text *text)
{
    struct slab_pages_counts pages = slab_pages_counted();
    struct os_counters os = os_counted();

    begin(text, "system_calls");
    put(text, "mmap", os.mmap);
    put(text, "munmap", os.munmap);
    end(text);
    begin(text, "pages");
    put(text, "given", pages.given);
    put(text, "calls", pages.calls);
    put(text, "again", pages.wanted);
    end(text);
}

/* The name without FT_MALLOC_, and what the mode has mapped and dropped. */
static void put_mode(struct text *text, enum option option)
{
    struct mode_memory memory = mode_memory_of((enum mode)option_mode(option));

    begin(text, option_name(option) + sizeof "FT_MALLOC_" - 1);
    put_name(text, "on");
    text_string(text, mode_is_on(option_mode(option)) ? "true" : "false");
    put(text, "memory", memory.used);
    put(text, "most_memory", memory.cap);
    put(text, "dropped", memory.dropped);
    end(text);
}

static void put_modes(struct text *text)
{
    begin(text, "modes");
    for (unsigned option = 0; option < OPTIONS; option++)
        if (option_mode((enum option)option) != NO_MODE)
            put_mode(text, (enum option)option);
    end(text);
}

int stats_json(int fd)
{
    struct text text = {.fd = fd};

    text_string(&text, "{\"ft_malloc\":\"" FT_MALLOC_VERSION "\"");
    begin(&text, "calls");
    stats_calls(put, &text);
    end(&text);
    put_memory(&text);
    put_system(&text);
    put_modes(&text);
    text_string(&text, "}\n");
    text_flush(&text);
    return text.error;
}
