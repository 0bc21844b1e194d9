/*
 * Marking. Chunks whose links have still to be followed are on a stack of numbers. What a link
 * means depends on where it was found, so each flood has a rule.
 */
#include "heuristic.h"
#include "mark_own.h"
#include "pool.h"

#include <errno.h>
#include <stdlib.h>

/* What a link does that a chunk of this number has; MARK_NOBODY is a root. */
typedef void rule_of_flood(struct mark *mark, uint32_t found_in, const struct link *link);

void mark_push(struct mark *mark, size_t number)
{
    if (mark->depth == mark->room) {
        size_t room = mark->room * 2 + 4096;
        uint32_t *larger = realloc(mark->stack, room * sizeof *larger);

        if (larger == NULL) {
            mark->failed = true;
            return;
        }
        mark->stack = larger;
        mark->room = room;
    }
    /* What flood() will need of the chunk is seldom in the processor's cache. */
    __builtin_prefetch(&mark->links.first[number]);
    mark->stack[mark->depth++] = (uint32_t)number;
}

/*
 * The empty array of heuristic.h, which is the only chunk that is known by a pointer to its end, is
 * found by that, too.
 */
size_t mark_pointed_to(const struct mark *mark, uint64_t word, bool *start)
{
    int64_t found = chunk_index_find(mark->index, word, start);
    const struct mark_chunk *chunk;
    uint64_t offset;

    /* Without a look at the chunk, which is seldom in the processor's cache. */
    if (*start)
        return (size_t)found;
    if (found < 0)
        return mark->count;
    chunk = &mark->chunks[found];
    offset = word - chunk->start;
    return offset < chunk->size || (offset == MARK_WORD && chunk->size == MARK_WORD) ? (size_t)found
                                                                                     : mark->count;
}

/* Returns whether a link leads to its target at all: see mark_pointed_to(). */
static bool leads(const struct mark *mark, const struct link *link)
{
    return !link->inside || link->offset != 1 || mark->chunks[link->target].size != MARK_WORD ||
           heuristic_whole(mark->hints[link->target], MARK_WORD);
}

/* Returns whether two base classes of one object begin where a chunk begins, and inside of it. */
static bool is_object(const struct mark *mark, const struct link *link)
{
    const struct mark_chunk *chunk = &mark->chunks[link->target];
    uint64_t offset = (uint64_t)link->offset * MARK_WORD, table;

    return (mark->hints[link->target] & MARK_MULTIPLE_INHERITANCE) != 0 && offset > 0 &&
           offset + MARK_WORD <= chunk->size &&
           mark->memory.read(mark->memory.context, chunk->start + offset, &table, MARK_WORD) ==
               MARK_WORD &&
           mark->memory.is_vtable(mark->memory.context, table);
}

static bool is_whole(const struct mark *mark, const struct link *link)
{
    return !link->inside ||
           heuristic_whole(mark->hints[link->target], (uint64_t)link->offset * MARK_WORD) ||
           is_object(mark, link);
}

/* Returns false if the word leads to no chunk. */
static bool link_of(const struct mark *mark, uint64_t word, struct link *link)
{
    bool start;
    size_t number =
        chunk_index_may(mark->index, word) ? mark_pointed_to(mark, word, &start) : mark->count;
    uint64_t offset;

    if (number == mark->count)
        return false;
    *link = (struct link){.target = (uint32_t)number, .inside = !start};
    offset = word - mark->chunks[number].start;
    if (offset % MARK_WORD == 0 && offset / MARK_WORD <= UINT32_MAX)
        link->offset = (uint32_t)(offset / MARK_WORD);
    return leads(mark, link);
}

size_t mark_find(const struct mark *mark, uint64_t address)
{
    struct link link;

    return link_of(mark, address, &link) ? link.target : mark->count;
}

/* From a root, or from a chunk that a root leads to. */
static void rule_reach(struct mark *mark, uint32_t found_in, const struct link *link)
{
    uint32_t number = link->target;
    bool sure = found_in == MARK_NOBODY || mark->kinds[found_in] == MARK_REACHABLE;

    if (mark->kinds[number] == MARK_REACHABLE || !leads(mark, link))
        return;
    if (sure && is_whole(mark, link)) {
        mark->kinds[number] = MARK_REACHABLE;
        mark_push(mark, number);
    } else if (mark->kinds[number] != MARK_POSSIBLE) {
        mark->kinds[number] = MARK_POSSIBLE;
        mark_push(mark, number);
    }
}

static void rule_suppress(struct mark *mark, uint32_t found_in, const struct link *link)
{
    (void)found_in;
    if (mark->kinds[link->target] != MARK_LOST || !leads(mark, link))
        return;
    mark->kinds[link->target] = MARK_SUPPRESSED;
    mark_push(mark, link->target);
}

/*
 * A chunk that was taken for lost, before this flood came to it, has been looked at already; only
 * its leader changes.
 */
static void rule_lost(struct mark *mark, uint32_t found_in, const struct link *link)
{
    uint32_t number = link->target;

    (void)found_in;
    if (number == mark->leader || mark->kinds[number] != MARK_LOST || !leads(mark, link))
        return;
    mark->kinds[number] = MARK_INDIRECT;
    if (mark->leaders[number] == 0)
        mark_push(mark, number);
    mark->leaders[number] = mark->leader + 1;
}

/* Follows the links of the chunks on the stack, and of those that this leads to. */
static bool flood(struct mark *mark, rule_of_flood *rule)
{
    while (mark->depth > 0 && !mark->failed) {
        uint32_t number = mark->stack[--mark->depth];
        const uint32_t *item = links_of(&mark->links, number);
        struct link link;

        while (item != NULL) {
            item = links_next(item, &link);
            rule(mark, number, &link);
        }
    }
    return !mark->failed;
}

bool mark_flood_reach(struct mark *mark)
{
    return flood(mark, rule_reach);
}

void mark_found(struct mark *mark, uint64_t word)
{
    struct link link;

    if (mark->phase != MARK_AFTER)
        mark_found_early(mark, word);
    else if (link_of(mark, word, &link))
        rule_reach(mark, MARK_NOBODY, &link);
}

/* Goes on from what roots led to, as far as the memory has been looked at. */
static bool settle(struct mark *mark)
{
    return mark->phase == MARK_AFTER ? mark_flood_reach(mark) : mark_scan_large(mark);
}

static bool chunks_sound(const struct mark_chunk *chunks, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (chunks[i].start % 16 != 0 || chunks[i].start >> 48 != 0 || chunks[i].size >> 48 != 0)
            return false;
        if (i > 0 && (chunks[i].start <= chunks[i - 1].start ||
                      chunks[i].start - chunks[i - 1].start < chunks[i - 1].size))
            return false;
    }
    return count <= LINKS_CHUNKS_MAX;
}

struct mark *mark_open(const struct mark_chunk *chunks, size_t count,
                       const struct mark_memory *memory, unsigned heuristics)
{
    struct mark *mark;

    if (!chunks_sound(chunks, count)) {
        errno = EINVAL;
        return NULL;
    }
    mark = calloc(1, sizeof *mark);
    if (mark == NULL)
        return NULL;
    mark->chunks = chunks;
    mark->count = count;
    mark->memory = *memory;
    mark->heuristics = heuristics;
    mark->index = chunk_index_make(chunks, count);
    mark->kinds = pool_map(count * sizeof *mark->kinds);
    mark->hints = pool_map(count * sizeof *mark->hints);
    mark->leaders = pool_map(count * sizeof *mark->leaders);
    mark->buffer = calloc(1, sizeof *mark->buffer);
    if (!links_open(&mark->links, count) || mark->index == NULL || mark->kinds == NULL ||
        mark->hints == NULL || mark->leaders == NULL || mark->buffer == NULL) {
        mark_close(mark);
        errno = ENOMEM;
        return NULL;
    }
    return mark;
}

void mark_close(struct mark *mark)
{
    if (mark == NULL)
        return;
    chunk_index_free(mark->index);
    links_close(&mark->links);
    pool_unmap(mark->kinds, mark->count * sizeof *mark->kinds);
    pool_unmap(mark->hints, mark->count * sizeof *mark->hints);
    pool_unmap(mark->leaders, mark->count * sizeof *mark->leaders);
    free(mark->buffer);
    free(mark->inside);
    free(mark->stack);
    free(mark);
}

bool mark_root(struct mark *mark, uint64_t start, uint64_t end)
{
    return mark_scan_root(mark, start, end) && settle(mark);
}

bool mark_words(struct mark *mark, const uint64_t *words, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (chunk_index_may(mark->index, words[i]))
            mark_found(mark, words[i]);
    return settle(mark);
}

void mark_known(struct mark *mark, size_t index)
{
    mark->kinds[index] = MARK_REACHABLE;
}

bool mark_possible(struct mark *mark, size_t index)
{
    if (mark->kinds[index] != MARK_LOST)
        return true;
    mark->kinds[index] = MARK_POSSIBLE;
    mark_push(mark, index);
    return flood(mark, rule_reach);
}

bool mark_around(struct mark *mark, uint64_t address)
{
    size_t number = mark_find(mark, address);

    return number == mark->count || mark_words(mark, &mark->chunks[number].start, 1);
}

bool mark_suppress(struct mark *mark, size_t index)
{
    if (mark->kinds[index] == MARK_POSSIBLE)
        mark->kinds[index] = MARK_SUPPRESSED;
    if (mark->kinds[index] != MARK_LOST)
        return true;
    mark->kinds[index] = MARK_SUPPRESSED;
    mark_push(mark, index);
    return flood(mark, rule_suppress);
}

bool mark_finish(struct mark *mark)
{
    for (size_t i = 0; i < mark->count; i++) {
        if (mark->kinds[i] != MARK_LOST)
            continue;
        mark->leader = (uint32_t)i;
        mark->leaders[i] = mark->leader + 1;
        mark_push(mark, i);
        if (!flood(mark, rule_lost))
            return false;
    }
    return true;
}

enum mark_kind mark_kind(const struct mark *mark, size_t index)
{
    return (enum mark_kind)mark->kinds[index];
}

/* A leader that became indirect has a leader itself; the way there is shortened for the next. */
size_t mark_leader(struct mark *mark, size_t index)
{
    uint32_t *leaders = mark->leaders;
    size_t last = index;

    if (leaders[index] == 0)
        return index;
    while (leaders[last] - 1 != last)
        last = leaders[last] - 1;
    while (leaders[index] - 1 != last) {
        size_t next = leaders[index] - 1;

        leaders[index] = (uint32_t)last + 1;
        index = next;
    }
    return last;
}
