/*
 * The panels: who allocates, size classes, arenas, threads.
 */
#include "top_fill.h"

#include "groups.h"
#include "memory.h"
#include "table.h"
#include "top.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct column site_columns[] = {
    {"LIVE", "live_bytes", COLUMN_SIZE, 11},
    {"SHARE", "percent", COLUMN_PERCENT, 9},
    {"CHUNKS", "chunks", COLUMN_NUMBER, 13},
    {"CHANGE", "change_per_second", COLUMN_SIZE_CHANGE, 15},
    {"CALLS", "allocations_per_second", COLUMN_RATE, 14},
    {"ALLOCATED", "allocated_bytes", COLUMN_SIZE, 11},
    {"WHERE", "where", COLUMN_NAME, 0},
};
enum { SITE_LIVE, SITE_SHARE, SITE_CHUNKS, SITE_CHANGE, SITE_CALLS, SITE_ALLOCATED, SITE_ALL };

static const struct column class_columns[] = {
    {"SIZE", "size", COLUMN_SIZE, 11},       {"SLABS", "slabs", COLUMN_NUMBER, 10},
    {"CHUNKS", "chunks", COLUMN_NUMBER, 13}, {"LIVE", "live", COLUMN_NUMBER, 13},
    {"VACANT", "vacant", COLUMN_NUMBER, 13}, {"CACHED", "cached", COLUMN_NUMBER, 11},
    {"BYTES", "bytes", COLUMN_SIZE, 11},     {"FULL", "full_percent", COLUMN_PERCENT, 9},
    {"ZONE", "zone", COLUMN_NAME, 0},
};
enum {
    CLASS_SIZE,
    CLASS_SLABS,
    CLASS_CHUNKS,
    CLASS_LIVE,
    CLASS_VACANT,
    CLASS_CACHED,
    CLASS_BYTES,
    CLASS_FULL
};

static const struct column arena_columns[] = {
    {"LIVE", "live_bytes", COLUMN_SIZE, 11}, {"CHUNKS", "chunks", COLUMN_NUMBER, 13},
    {"HEAPS", "heaps", COLUMN_NUMBER, 9},    {"CACHES", "caches", COLUMN_NUMBER, 9},
    {"IN USE", "in_use", COLUMN_NUMBER, 9},  {"INBOX", "inbox_bytes", COLUMN_SIZE, 11},
    {"ARENA", "arena", COLUMN_NAME, 0},
};
enum { ARENA_LIVE, ARENA_CHUNKS, ARENA_HEAPS, ARENA_CACHES, ARENA_IN_USE, ARENA_INBOX };

static const struct column thread_columns[] = {
    {"THREAD", "tid", COLUMN_PLAIN, 10},     {"CPU", "cpu_percent", COLUMN_PERCENT, 9},
    {"LIVE", "live_bytes", COLUMN_SIZE, 11}, {"SHARE", "percent", COLUMN_PERCENT, 9},
    {"CHUNKS", "chunks", COLUMN_NUMBER, 13}, {"CPU TIME", "cpu_ms", COLUMN_NUMBER, 13},
    {"NAME", "name", COLUMN_NAME, 0},
};
enum { THREAD_TID, THREAD_CPU, THREAD_LIVE, THREAD_SHARE, THREAD_CHUNKS, THREAD_TIME };

#define PANEL(Title, Key, Columns, Sort, Empty)                                                    \
    ((struct panel){.title = (Title),                                                              \
                    .key = (Key),                                                                  \
                    .columns = (Columns),                                                          \
                    .column_count = sizeof(Columns) / sizeof(*(Columns)),                          \
                    .sort = (Sort),                                                                \
                    .empty = (Empty)})

void top_fill_begin(struct top *top)
{
    top->panels[PANEL_SITES] =
        PANEL("CALL SITES", "sites", site_columns, SITE_LIVE,
              "nobody notes who allocates; `ftm set PID PROFILE=512K` begins that");
    top->panels[PANEL_CLASSES] =
        PANEL("SIZE CLASSES", "classes", class_columns, CLASS_BYTES, "no slabs");
    top->panels[PANEL_ARENAS] = PANEL("ARENAS", "arenas", arena_columns, ARENA_LIVE, "no arenas");
    top->panels[PANEL_THREADS] =
        PANEL("THREADS", "threads", thread_columns, THREAD_LIVE, "no threads");
}

void panel_copy(struct panel *to, const struct panel *from)
{
    panel_clear(to);
    *to = (struct panel){.columns = from->columns, .column_count = from->column_count};
    for (size_t i = 0; i < from->count; i++)
        memcpy(panel_add(to, from->rows[i].name)->numbers, from->rows[i].numbers,
               sizeof(from->rows[i].numbers));
}

static double seconds_passed(const struct top *top)
{
    return top->before.time_ns == 0 ? 0 : (double)(top->now.time_ns - top->before.time_ns) / 1e9;
}

static const struct row *row_named(const struct panel *panel, const char *name)
{
    for (size_t i = 0; i < panel->count; i++)
        if (strcmp(panel->rows[i].name, name) == 0)
            return &panel->rows[i];
    return NULL;
}

/* Rates come from the rows of the last look, which are few enough to be looked through. */
enum { SITES_MAX = 1000 };

static void fill_sites(struct top *top, const struct sites *sites)
{
    struct groups *groups = groups_of(sites, top->symbols, BY_SITE, VALUE_LIVE);
    struct panel *panel = &top->panels[PANEL_SITES];
    double seconds = seconds_passed(top);
    uint64_t total = 0;

    groups_sort(groups, VALUE_LIVE);
    for (size_t i = 0; i < groups->count; i++)
        total += groups->items[i].sum.live_bytes;
    for (size_t i = 0; i < groups->count && i < SITES_MAX; i++) {
        const struct site *sum = &groups->items[i].sum;
        const struct row *before = row_named(&top->sites_before, groups->items[i].key);
        double *numbers = panel_add(panel, groups->items[i].key)->numbers;

        numbers[SITE_LIVE] = (double)sum->live_bytes;
        numbers[SITE_SHARE] = percent_of(sum->live_bytes, total);
        numbers[SITE_CHUNKS] = (double)sum->live;
        numbers[SITE_ALLOCATED] = (double)sum->bytes;
        /* The column of the name holds the number of calls, from which the rate is taken. */
        numbers[SITE_ALL] = (double)sum->allocations;
        if (before == NULL || seconds <= 0)
            continue;
        numbers[SITE_CHANGE] = (numbers[SITE_LIVE] - before->numbers[SITE_LIVE]) / seconds;
        numbers[SITE_CALLS] = (numbers[SITE_ALL] - before->numbers[SITE_ALL]) / seconds;
    }
    groups_free(groups);
    panel_copy(&top->sites_before, panel);
}

/* Sums of the slabs of a class, or of an arena. */
struct sums {
    uint64_t size, slabs, chunks, live, vacant, cached, bytes, heaps;
    enum zone zone;
};

enum { CLASSES_MAX = 256, ARENAS_MAX = 1 << 20 };

struct slab_sums {
    struct sums classes[CLASSES_MAX];
    struct sums *arenas;
    size_t arena_count;
    struct panel *panel;
};

static struct sums *arena_sums(struct slab_sums *sums, unsigned arena)
{
    static struct sums beyond;

    if (arena >= ARENAS_MAX)
        return &beyond;
    if (arena >= sums->arena_count) {
        size_t count = arena < sums->arena_count * 2 ? sums->arena_count * 2 : arena + 16;
        struct sums *larger = memory_new(count, sizeof(*larger));

        memcpy(larger, sums->arenas, sums->arena_count * sizeof(*larger));
        free(sums->arenas);
        sums->arenas = larger;
        sums->arena_count = count;
    }
    return &sums->arenas[arena];
}

static int add_heap(void *context, const struct view_heap *heap)
{
    arena_sums(context, heap->arena)->heaps++;
    return 0;
}

static int add_slab(void *context, const struct view_slab *slab)
{
    struct slab_sums *sums = context;
    struct sums *arena = arena_sums(sums, slab->heap->arena);
    struct sums *class = &sums->classes[slab->size_class % CLASSES_MAX];

    class->size = slab->chunk_size;
    class->zone = slab->heap->zone;
    class->slabs++;
    class->chunks += slab->chunks;
    class->live += slab->live;
    class->vacant += slab->vacant;
    class->cached += slab->cached;
    class->bytes += slab->requested;
    arena->live += slab->live;
    arena->bytes += slab->requested;
    return 0;
}

static void fill_classes(struct top *top, const struct slab_sums *sums)
{
    for (unsigned i = 0; i < CLASSES_MAX; i++) {
        const struct sums *class = &sums->classes[i];
        double *numbers;

        if (class->slabs == 0)
            continue;
        numbers =
            panel_add(&top->panels[PANEL_CLASSES], class->zone == ZONE_TINY ? "TINY" : "SMALL")
                ->numbers;
        numbers[CLASS_SIZE] = (double)class->size;
        numbers[CLASS_SLABS] = (double)class->slabs;
        numbers[CLASS_CHUNKS] = (double)class->chunks;
        numbers[CLASS_LIVE] = (double)class->live;
        numbers[CLASS_VACANT] = (double)class->vacant;
        numbers[CLASS_CACHED] = (double)class->cached;
        numbers[CLASS_BYTES] = (double)class->bytes;
        numbers[CLASS_FULL] = percent_of(class->live, class->chunks);
    }
}

static int add_arena(void *context, const struct view_arena *arena)
{
    struct slab_sums *sums = context;
    const struct sums *of = arena_sums(sums, arena->id);
    char name[32];
    double *numbers;

    snprintf(name, sizeof(name), "arena %u", arena->id);
    numbers = panel_add(sums->panel, name)->numbers;
    numbers[ARENA_LIVE] = (double)of->bytes;
    numbers[ARENA_CHUNKS] = (double)of->live;
    numbers[ARENA_HEAPS] = (double)of->heaps;
    numbers[ARENA_CACHES] = arena->caches;
    numbers[ARENA_IN_USE] = arena->caches_in_use;
    numbers[ARENA_INBOX] = (double)arena->inbox_bytes;
    return 0;
}

static void fill_threads(struct top *top, const struct sites *sites)
{
    unsigned count;
    int *tids = process_threads(top->pid, &count);
    struct panel *panel = &top->panels[PANEL_THREADS];
    struct groups *groups =
        sites == NULL ? groups_new() : groups_of(sites, top->symbols, BY_THREAD, VALUE_LIVE);
    uint64_t total = 0;

    for (size_t i = 0; i < groups->count; i++)
        total += groups->items[i].sum.live_bytes;
    for (unsigned i = 0; i < count; i++) {
        char name[16], key[32];
        uint64_t cpu_ns;
        const struct row *before;
        const struct site *sum;
        struct row *row;

        if (!process_thread_read(top->pid, tids[i], name, &cpu_ns))
            continue;
        snprintf(key, sizeof(key), "thread %d", tids[i]);
        sum = &groups_at(groups, key)->sum;
        row = panel_add(panel, name);
        row->numbers[THREAD_TID] = tids[i];
        row->numbers[THREAD_LIVE] = (double)sum->live_bytes;
        row->numbers[THREAD_SHARE] = percent_of(sum->live_bytes, total);
        row->numbers[THREAD_CHUNKS] = (double)sum->live;
        row->numbers[THREAD_TIME] = (double)cpu_ns / 1e6;
        before = panel_find(&top->threads_before, row);
        if (before != NULL && seconds_passed(top) > 0)
            row->numbers[THREAD_CPU] = (row->numbers[THREAD_TIME] - before->numbers[THREAD_TIME]) /
                                       seconds_passed(top) / 10;
    }
    groups_free(groups);
    free(tids);
    panel_copy(&top->threads_before, panel);
}

const struct row *panel_find(const struct panel *panel, const struct row *row)
{
    for (size_t i = 0; i < panel->count; i++)
        if (panel->rows[i].numbers[0] == row->numbers[0] &&
            strcmp(panel->rows[i].name, row->name) == 0)
            return &panel->rows[i];
    return NULL;
}

void top_fill(struct top *top, const struct sites *sites)
{
    struct slab_sums sums = {.panel = &top->panels[PANEL_ARENAS]};

    for (unsigned i = 0; i < TOP_PANELS; i++)
        panel_clear(&top->panels[i]);
    sums.arenas = memory_new(1, sizeof(*sums.arenas));
    sums.arena_count = 1;
    view_each_slab(top->view, add_heap, add_slab, &sums);
    fill_classes(top, &sums);
    view_each_arena(top->view, add_arena, &sums);
    free(sums.arenas);
    if (sites != NULL)
        fill_sites(top, sites);
    fill_threads(top, sites);
    for (unsigned i = 0; i < TOP_PANELS; i++)
        panel_sort(&top->panels[i]);
}
