/*
 * One look: chunks, the allocator's memory, roots, and marking, in this order, so that a chunk that
 * is allocated meanwhile is not among those that could be missed.
 */
#include "leak_pass.h"

#include "command.h"
#include "memory.h"
#include "pool.h"
#include "process_stat.h"
#include "source.h"
#include "stop.h"
#include "view.h"

#include <stdlib.h>

/* Two mebibytes of chunks, the size of a huge page. */
enum { FIRST_ROOM = 1 << 17 };

/* Returns false after a line on stderr. */
static bool make_room(struct leak_pass *pass)
{
    size_t room = pass->room == 0 ? FIRST_ROOM : 2 * pass->room, size = sizeof *pass->chunks;
    struct mark_chunk *larger = pass->room == 0
                                    ? pool_map(room * size)
                                    : pool_grow(pass->chunks, pass->room * size, room * size);

    if (larger == NULL) {
        say("there is no memory for more than %zu chunks", pass->count);
        return false;
    }
    pass->chunks = larger;
    pass->room = room;
    return true;
}

/* Chunks of a broken source may overlap, or be where no chunk can be: they are left out. */
static int add_chunk(void *context, const struct view_chunk *chunk)
{
    struct leak_pass *pass = context;
    const struct mark_chunk *last = pass->count == 0 ? NULL : &pass->chunks[pass->count - 1];
    bool sound = chunk->start % 16 == 0 && chunk->start >> 48 == 0 && chunk->requested >> 47 == 0;

    if (!sound || (last != NULL &&
                   (chunk->start <= last->start || chunk->start - last->start < last->size))) {
        pass->left_out++;
        return 0;
    }
    if ((pass->chunks == NULL || pass->count == pass->room) && !make_room(pass))
        return VIEW_ERROR;
    pass->chunks[pass->count++] = (struct mark_chunk){chunk->start, chunk->requested};
    pass->bytes += chunk->requested;
    return 0;
}

static size_t read_memory(void *context, uint64_t address, void *out, size_t size)
{
    struct leak_pass *pass = context;

    return source_read_some(pass->target.source, address, out, size);
}

static bool is_vtable(void *context, uint64_t address)
{
    struct leak_pass *pass = context;

    return vtables_have(&pass->vtables, pass->target.source, address);
}

static void show_progress(void *context, uint64_t bytes)
{
    struct leak_pass *pass = context;

    /* Roots are read, too, of which nobody knows how many bytes there are. */
    progress_step(&pass->progress, bytes < pass->bytes ? bytes : pass->bytes);
}

/* Returns what the chunk was in the pass before; a chunk that was not there is reachable. */
static enum mark_kind kind_before(const struct leak_memory *before, size_t *old,
                                  const struct mark_chunk *chunk)
{
    while (*old < before->count && before->chunks[*old].start < chunk->start)
        ++*old;
    if (*old < before->count && before->chunks[*old].start == chunk->start &&
        before->chunks[*old].size == chunk->size)
        return (enum mark_kind)before->kinds[*old];
    return MARK_REACHABLE;
}

/* Makes a root of each chunk that was not suspect before, and looks at all. */
static bool carry(struct leak_pass *pass, const struct leak_memory *before)
{
    size_t old = 0;

    for (size_t i = 0; i < pass->count; i++)
        if (kind_before(before, &old, &pass->chunks[i]) == MARK_REACHABLE)
            mark_known(pass->mark, i);
    if (!mark_scan(pass->mark))
        return false;
    old = 0;
    for (size_t i = 0; i < pass->count; i++)
        /* What only had pointers inside it has one for the whole time. */
        if (kind_before(before, &old, &pass->chunks[i]) == MARK_POSSIBLE &&
            !mark_possible(pass->mark, i))
            return false;
    return true;
}

/* The roots come first in the first pass, and last in the others: pointers move both ways. */
static bool look(struct leak_pass *pass, const struct leak_memory *before)
{
    if (before->chunks == NULL)
        return roots_mark(&pass->roots, pass->mark) && mark_scan(pass->mark);
    return carry(pass, before) && roots_mark(&pass->roots, pass->mark);
}

static int each_in_source(void *source, int (*visit)(void *, const struct source_thread *),
                          void *context)
{
    return source_each_thread(source, visit, context);
}

/* Reads everything that marking needs. Returns false after a line on stderr. */
static bool gather(struct leak_pass *pass, const char *name, const struct leaks_options *options)
{
    struct source *source;

    if (!target_open(name, &pass->target))
        return false;
    source = pass->target.source;
    if (source_kind(source) == SOURCE_LIVE)
        pass->rested = process_rests(source_pid(source), &pass->switches);
    if (options->stop && source_kind(source) == SOURCE_LIVE) {
        pass->stop = stop_process(source_pid(source));
        if (pass->stop == NULL)
            return false;
    }
    if (view_each_chunk(pass->target.view, add_chunk, pass) != 0 ||
        !territory_read(pass->target.view, &pass->territory))
        return false;
    return pass->stop != NULL
               ? roots_find(source, &pass->territory, stop_each, pass->stop, &pass->roots)
               : roots_find(source, &pass->territory, each_in_source, source, &pass->roots);
}

bool leak_pass_begin(struct leak_pass *pass, const char *name, const struct leaks_options *options,
                     const struct leak_memory *before)
{
    struct mark_memory memory = {read_memory, is_vtable, show_progress, pass};

    *pass = (struct leak_pass){.count = 0};
    if (!gather(pass, name, options)) {
        leak_pass_end(pass, false);
        return false;
    }
    progress_begin(&pass->progress, "looking for leaks", pass->bytes + 1);
    pass->mark = mark_open(pass->chunks, pass->count, &memory, options->heuristics);
    if (pass->mark != NULL && look(pass, before)) {
        progress_end(&pass->progress);
        return true;
    }
    progress_end(&pass->progress);
    say("there is no memory to look at %zu chunks", pass->count);
    leak_pass_end(pass, false);
    return false;
}

bool leak_pass_undisturbed(const struct leak_pass *pass)
{
    uint64_t switches;

    return pass->rested && process_rests(source_pid(pass->target.source), &switches) &&
           switches == pass->switches;
}

bool leak_pass_suspects(const struct leak_pass *pass)
{
    for (size_t i = 0; i < pass->count; i++)
        if (mark_kind(pass->mark, i) != MARK_REACHABLE)
            return true;
    return false;
}

void leak_pass_release(struct leak_pass *pass)
{
    stop_release(pass->stop);
    pass->stop = NULL;
}

void leak_pass_remember(struct leak_pass *pass, struct leak_memory *memory)
{
    leak_memory_free(memory);
    memory->kinds = memory_new(pass->count, 1);
    for (size_t i = 0; i < pass->count; i++)
        memory->kinds[i] = (uint8_t)mark_kind(pass->mark, i);
    memory->chunks = pass->chunks;
    memory->count = pass->count;
    memory->room = pass->room;
    mark_close(pass->mark);
    pass->mark = NULL;
    pass->chunks = NULL;
}

void leak_memory_free(struct leak_memory *memory)
{
    pool_unmap(memory->chunks, memory->room * sizeof *memory->chunks);
    free(memory->kinds);
    *memory = (struct leak_memory){.chunks = NULL};
}

void leak_pass_end(struct leak_pass *pass, bool keep_target)
{
    leak_pass_release(pass);
    mark_close(pass->mark);
    roots_free(&pass->roots);
    territory_free(&pass->territory);
    pool_unmap(pass->chunks, pass->room * sizeof *pass->chunks);
    if (!keep_target)
        target_close(&pass->target);
    pass->mark = NULL;
    pass->chunks = NULL;
}
