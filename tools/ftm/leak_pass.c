/*
 * One look: chunks, the allocator's memory, roots, and marking, in this order, so that a chunk that
 * is allocated meanwhile is not among those that could be missed.
 */
#include "leak_pass.h"

#include "command.h"
#include "memory.h"
#include "source.h"
#include "stop.h"
#include "view.h"

#include <stdlib.h>

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
    pass->chunks = memory_grow(pass->chunks, &pass->room, pass->count, sizeof *pass->chunks);
    pass->chunks[pass->count++] = (struct mark_chunk){chunk->start, chunk->requested};
    pass->bytes += chunk->requested;
    return 0;
}

static const unsigned char *bytes(void *context, uint64_t address, size_t *size)
{
    struct leak_pass *pass = context;

    return image_bytes(pass->image, address, size);
}

/*
 * A table of virtual functions is in a mapped file, and one of its first words is the address of
 * code.
 */
static bool is_vtable(void *context, uint64_t address)
{
    struct leak_pass *pass = context;
    const struct source_map *map = source_map_at(pass->target.source, address);
    uint64_t entries[3];

    if (address % sizeof *entries != 0 || map == NULL || map->path[0] != '/' ||
        !source_read(pass->target.source, address, entries, sizeof entries))
        return false;
    for (unsigned i = 0; i < sizeof entries / sizeof *entries; i++) {
        map = source_map_at(pass->target.source, entries[i]);
        if (map != NULL && (map->flags & MAP_EXECUTE) != 0)
            return true;
    }
    return false;
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

/* A part of the source's memory, of which every word is looked at once. */
struct buffer {
    uint64_t from, words;
    uint64_t word[1 << 17];
};

/* Reads from an address in chunk `i` on, as far as chunks are close together. */
static void buffer_fill(const struct leak_pass *pass, struct buffer *buffer, size_t i, uint64_t at)
{
    enum { GAP = 16 << 10 };
    uint64_t end = pass->chunks[i].start + pass->chunks[i].size;

    for (i++; i < pass->count && end - at < sizeof buffer->word; i++) {
        if (pass->chunks[i].start - end > GAP)
            break;
        end = pass->chunks[i].start + pass->chunks[i].size;
    }
    if (end - at > sizeof buffer->word)
        end = at + sizeof buffer->word;
    buffer->from = at;
    buffer->words = source_read_some(pass->target.source, at, buffer->word, end - at) / 8;
}

static bool scan_chunk(struct leak_pass *pass, struct buffer *buffer, size_t i)
{
    uint64_t at = pass->chunks[i].start, left = pass->chunks[i].size / 8;

    while (left > 0) {
        uint64_t first = (at - buffer->from) / 8, here;

        if (at < buffer->from || first >= buffer->words) {
            buffer_fill(pass, buffer, i, at);
            first = 0;
        }
        if (buffer->words == 0)
            return true;
        here = buffer->words - first < left ? buffer->words - first : left;
        if (!mark_words(pass->mark, buffer->word + first, here))
            return false;
        at += here * 8;
        left -= here;
    }
    return true;
}

/*
 * Marks from the words of all known chunks, in the order of addresses, through a buffer: they are
 * looked at once, so a copy of all of them would only cost time.
 */
static bool scan_known(struct leak_pass *pass)
{
    struct buffer *buffer = memory_new(1, sizeof *buffer);
    uint64_t done = 0;
    bool fine = true;

    for (size_t i = 0; i < pass->count && fine; i++)
        if (mark_kind(pass->mark, i) == MARK_REACHABLE) {
            fine = scan_chunk(pass, buffer, i);
            done += pass->chunks[i].size;
            progress_step(&pass->progress, done);
        }
    free(buffer);
    return fine;
}

/* Makes a root of each chunk that was not suspect before. */
static bool carry(struct leak_pass *pass, const struct leak_memory *before)
{
    size_t old = 0;

    for (size_t i = 0; i < pass->count; i++)
        if (kind_before(before, &old, &pass->chunks[i]) == MARK_REACHABLE)
            mark_known(pass->mark, i);
    if (!scan_known(pass))
        return false;
    old = 0;
    for (size_t i = 0; i < pass->count; i++)
        /* What only had pointers inside it has one for the whole time. */
        if (kind_before(before, &old, &pass->chunks[i]) == MARK_POSSIBLE &&
            !mark_possible(pass->mark, i))
            return false;
    return true;
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
    struct mark_memory memory = {bytes, is_vtable, pass};

    *pass = (struct leak_pass){.count = 0};
    if (!gather(pass, name, options)) {
        leak_pass_end(pass, false);
        return false;
    }
    progress_begin(&pass->progress, "looking for leaks", pass->bytes + 1);
    pass->image = image_open(pass->target.source, &pass->progress);
    pass->mark = mark_open(pass->chunks, pass->count, &memory, options->heuristics);
    if (pass->image != NULL && pass->mark != NULL &&
        (before->chunks == NULL || carry(pass, before)) && roots_mark(&pass->roots, pass->mark)) {
        progress_end(&pass->progress);
        return true;
    }
    progress_end(&pass->progress);
    say("there is no memory to look at %zu chunks", pass->count);
    leak_pass_end(pass, false);
    return false;
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
    mark_close(pass->mark);
    pass->mark = NULL;
    pass->chunks = NULL;
}

void leak_memory_free(struct leak_memory *memory)
{
    free(memory->chunks);
    free(memory->kinds);
    *memory = (struct leak_memory){.chunks = NULL};
}

void leak_pass_end(struct leak_pass *pass, bool keep_target)
{
    leak_pass_release(pass);
    mark_close(pass->mark);
    image_close(pass->image);
    roots_free(&pass->roots);
    territory_free(&pass->territory);
    free(pass->chunks);
    if (!keep_target)
        target_close(&pass->target);
    pass->mark = NULL;
    pass->image = NULL;
    pass->chunks = NULL;
}
