/*
 * What ft_malloc.h declares: the public names of what src/debug knows.
 */
#include "ft_malloc.h"

#include "arena/lookup.h"
#include "base/report_line.h"
#include "debug/census.h"
#include "debug/check.h"
#include "debug/dump.h"
#include "debug/listing.h"
#include "debug/show.h"
#include "os/os.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

/* Errors of write() are ignored. */
void show_alloc_mem(void)
{
    show_listing(STDOUT_FILENO, "show_alloc_mem()");
}

/* Sets errno and returns -1 if there is an error. */
static int result_of(int error)
{
    if (error == 0)
        return 0;
    errno = error;
    return -1;
}

int ft_malloc_show(int fd)
{
    return result_of(show_listing(fd, "ft_malloc_show()"));
}

int ft_malloc_dump(int fd, unsigned flags)
{
    return result_of(dump_write(fd, flags));
}

void show_alloc_mem_ex(unsigned flags)
{
    show_extended(STDOUT_FILENO, flags, "show_alloc_mem_ex()");
}

int ft_malloc_show_ex(int fd, unsigned flags)
{
    return result_of(show_extended(fd, flags, "ft_malloc_show_ex()"));
}

/* Copies what both sides know; the rest of the caller's structure is zero. */
static size_t hand_over(void *to, size_t size, const void *from, size_t known)
{
    size_t both = size < known ? size : known;

    memcpy(to, from, both);
    memset((char *)to + both, 0, size - both);
    return both;
}

size_t ft_malloc_stats(struct ft_malloc_stats *stats, size_t size)
{
    struct os_counters os = os_counted();
    struct ft_malloc_stats known;
    struct census census;

    census_take(&census);
    known = (struct ft_malloc_stats){
        .arenas = census.arenas,
        .cached = census.cached,
        .mmap_calls = os.mmap,
        .munmap_calls = os.munmap,
    };
    for (unsigned zone = 0; zone < ZONES; zone++) {
        known.heaps[zone] = census.zone[zone].heaps;
        known.chunks[zone] = census.zone[zone].chunks;
        known.requested[zone] = census.zone[zone].requested;
        known.usable[zone] = census.zone[zone].usable;
        known.slabs[zone] = census.zone[zone].slabs;
        known.mapped[zone] = census.zone[zone].mapped;
    }
    return hand_over(stats, size, &known, sizeof known);
}

static_assert((int)FT_MALLOC_TINY == (int)ZONE_TINY && (int)FT_MALLOC_SMALL == (int)ZONE_SMALL &&
                  (int)FT_MALLOC_LARGE == (int)ZONE_LARGE && (int)FT_MALLOC_ZONES == (int)ZONES,
              "public zones are the library's");

struct visit {
    int (*callback)(const struct ft_malloc_chunk *chunk, void *context);
    void *context;
};

static int visit_one(void *context, const struct listed_chunk *listed)
{
    const struct visit *visit = context;
    struct ft_malloc_chunk chunk = {
        .pointer = pointer_to(listed->start),
        .requested = listed->requested,
        .usable = listed->usable,
        .zone = (enum ft_malloc_zone)listed->zone,
    };

    return visit->callback(&chunk, visit->context);
}

int ft_malloc_visit(int (*callback)(const struct ft_malloc_chunk *chunk, void *context),
                    void *context)
{
    struct visit visit = {.callback = callback, .context = context};
    struct listing listing;
    int result = -1;

    if (listing_collect(&listing))
        result = listing_each(&listing, visit_one, &visit);
    else
        errno = ENOMEM;
    listing_end(&listing);
    return result;
}

static enum ft_malloc_verdict verdict_of(enum verdict verdict)
{
    switch (verdict) {
    case CHUNK_LIVE:
        return FT_MALLOC_LIVE;
    case CHUNK_INTERIOR:
        return FT_MALLOC_INTERIOR;
    case CHUNK_FREED:
    case CHUNK_GONE:
        return FT_MALLOC_FREED;
    default:
        return FT_MALLOC_NONE;
    }
}

enum ft_malloc_verdict ft_malloc_find(const void *pointer, struct ft_malloc_chunk *chunk,
                                      size_t size)
{
    struct ft_malloc_chunk known = {.pointer = NULL};
    struct chunk found;
    enum ft_malloc_verdict verdict = verdict_of(lookup_any((uintptr_t)pointer, &found));

    if (verdict != FT_MALLOC_NONE) {
        known.pointer = pointer_to(found.start);
        known.requested = found.requested;
        known.usable = found.usable;
        known.zone = (enum ft_malloc_zone)found.zone;
    }
    if (size > 0)
        (void)hand_over(chunk, size, &known, sizeof known);
    return verdict;
}

ft_malloc_error_handler ft_malloc_on_error(ft_malloc_error_handler handler)
{
    return report_set_handler(handler);
}

size_t ft_malloc_check(void)
{
    return check_all();
}
