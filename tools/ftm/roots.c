/*
 * The roots, from the mappings and the threads of a source.
 */
#include "roots.h"

#include "command.h"
#include "mark.h"
#include "memory.h"
#include "source.h"
#include "territory.h"

#include <stdlib.h>
#include <string.h>

/* Functions that call no other may use so many bytes below the stack pointer (x86-64's psABI). */
enum { RED_ZONE = 128 };

struct search {
    struct source *source;
    struct roots *roots;
    /* Parts of stacks that no function uses. */
    struct ranges unused;
};

static void add_word(uint64_t **words, size_t *count, size_t *room, uint64_t word)
{
    *words = memory_grow(*words, room, *count, sizeof **words);
    (*words)[(*count)++] = word;
}

/*
 * Returns whether the mapping is nothing but a stack: the first thread's, or one with a guard below
 * it, as the C library makes it. A core file may lack mappings that nobody can touch.
 */
static bool is_stack(struct source *source, const struct source_map *map)
{
    const struct source_map *below = source_map_at(source, map->start - 1);

    if (strncmp(map->path, "[stack", strlen("[stack")) == 0)
        return true;
    if (map->path[0] != '\0')
        return false;
    if (below == NULL)
        return source_kind(source) == SOURCE_CORE;
    /* gdb's gcore calls what nobody can touch readable. */
    if (source_kind(source) == SOURCE_CORE)
        return (below->flags & MAP_WRITE) == 0 && below->path[0] == '\0';
    return (below->flags & (MAP_READ | MAP_WRITE)) == 0 && below->path[0] == '\0';
}

static int add_thread(void *context, const struct source_thread *thread)
{
    struct search *search = context;
    struct roots *roots = search->roots;
    const struct source_map *map =
        thread->sp == 0 ? NULL : source_map_at(search->source, thread->sp);

    roots->threads++;
    for (unsigned i = 0; i < thread->register_count; i++)
        add_word(&roots->words, &roots->word_count, &roots->word_room, thread->registers[i]);
    if (thread->register_count == 0)
        roots->no_registers++;
    if (thread->sp == 0) {
        roots->whole_stacks++;
        return 0;
    }
    add_word(&roots->pointers, &roots->pointer_count, &roots->pointer_room, thread->sp);
    if (map != NULL && is_stack(search->source, map) && thread->sp - map->start > RED_ZONE)
        ranges_add(&search->unused, map->start, thread->sp - RED_ZONE - map->start);
    return 0;
}

/*
 * Memory that others may write to, as a file of the program's data, and memory that the program
 * made read-only later. Looking at a device may do something there, so devices are left out.
 */
static bool may_hold_pointers(const struct source_map *map)
{
    bool anonymous = map->path[0] == '\0' || strncmp(map->path, "[anon", strlen("[anon")) == 0;

    if ((map->flags & MAP_READ) == 0 || strcmp(map->path, "[vsyscall]") == 0 ||
        strncmp(map->path, "[vvar", strlen("[vvar")) == 0)
        return false;
    if (strncmp(map->path, "/dev/", strlen("/dev/")) == 0 &&
        strncmp(map->path, "/dev/shm/", strlen("/dev/shm/")) != 0 &&
        strncmp(map->path, "/dev/zero", strlen("/dev/zero")) != 0)
        return false;
    return (map->flags & MAP_WRITE) != 0 || anonymous;
}

static void add_root(void *context, uint64_t start, uint64_t end)
{
    struct roots *roots = context;

    ranges_add(&roots->ranges, start, end - start);
}

static int by_start_and_end(const void *one, const void *other)
{
    const struct range *a = one, *b = other;

    if (a->start != b->start)
        return a->start < b->start ? -1 : 1;
    return (a->end > b->end) - (a->end < b->end);
}

/* The lowest stack pointer decides if several threads have parts of one mapping. */
static void keep_used_parts(struct ranges *unused)
{
    size_t kept = 0;

    if (unused->count == 0)
        return;
    qsort(unused->list, unused->count, sizeof *unused->list, by_start_and_end);
    for (size_t i = 1; i < unused->count; i++)
        if (unused->list[i].start != unused->list[kept].start)
            unused->list[++kept] = unused->list[i];
    unused->count = kept + 1;
}

/*
 * A snapshot or core file may lack the program's memory. Then everything would seem lost, so this
 * says what is wrong, and returns false.
 */
static bool have_contents(struct source *source, const struct roots *roots)
{
    size_t missing = 0;
    char byte;

    for (size_t i = 0; i < roots->ranges.count; i++)
        missing += !source_read(source, roots->ranges.list[i].start, &byte, 1);
    if (roots->ranges.count > 0 && missing <= roots->ranges.count / 2)
        return true;
    say("%s does not have the memory that the program's variables and stacks are in; `ftm dump "
        "--contents` writes it",
        source_name(source));
    return false;
}

bool roots_find(struct source *source, const struct territory *territory, each_thread *each,
                void *from, struct roots *roots)
{
    struct search search = {.source = source, .roots = roots};
    size_t count;
    const struct source_map *maps = source_maps(source, &count);

    *roots = (struct roots){.ranges = {.list = NULL}};
    if (count == 0) {
        say("%s does not tell which memory the program has; `ftm dump --contents` writes that",
            source_name(source));
        return false;
    }
    (void)each(from, add_thread, &search);
    keep_used_parts(&search.unused);
    for (size_t i = 0; i < territory->all.count; i++)
        ranges_add(&search.unused, territory->all.list[i].start,
                   territory->all.list[i].end - territory->all.list[i].start);
    ranges_join(&search.unused);
    for (size_t i = 0; i < count; i++)
        if (may_hold_pointers(&maps[i]))
            ranges_outside(&search.unused, maps[i].start, maps[i].end, add_root, roots);
    ranges_free(&search.unused);
    return have_contents(source, roots);
}

bool roots_mark(const struct roots *roots, struct mark *mark)
{
    if (!mark_words(mark, roots->words, roots->word_count))
        return false;
    for (size_t i = 0; i < roots->pointer_count; i++)
        if (!mark_around(mark, roots->pointers[i]))
            return false;
    for (size_t i = 0; i < roots->ranges.count; i++)
        if (!mark_root(mark, roots->ranges.list[i].start, roots->ranges.list[i].end))
            return false;
    return true;
}

void roots_free(struct roots *roots)
{
    ranges_free(&roots->ranges);
    free(roots->words);
    free(roots->pointers);
    *roots = (struct roots){.ranges = {.list = NULL}};
}
