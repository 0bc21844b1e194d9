/*
 * Marking. Chunks whose words have still to be looked at are on a stack of numbers. What a word
 * means depends on where it was found, so each flood has a rule.
 */
#include "mark.h"

#include "chunk_index.h"
#include "heuristic.h"
#include "pool.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { WORD = 8 };
#define NOBODY UINT32_MAX

struct mark {
    const struct mark_chunk *chunks;
    size_t count;
    struct mark_memory memory;
    unsigned heuristics;
    struct chunk_index *index;
    uint8_t *kinds;
    /* Of chunks that are lost or indirectly lost: 1 + the chunk that leads to them; else 0. */
    uint32_t *leaders;
    uint32_t *stack;
    size_t depth, room;
    /* Set when there was no memory for the stack. */
    bool failed;
    /* The lost chunk whose flood this is, in mark_finish(). */
    uint32_t leader;
};

/* What a word does that was found in a chunk of this number; NOBODY is a root. */
typedef void rule_of_flood(struct mark *mark, uint32_t found_in, uint64_t word);

/*
 * Asks the processor for what flood() will need of the chunk that was just found by a pointer to
 * this address. It is seldom in the processor's cache, and so the two waits are one.
 */
static void prefetch(const struct mark *mark, size_t number, uint64_t address)
{
    size_t size;

    __builtin_prefetch(&mark->chunks[number]);
    __builtin_prefetch(mark->memory.bytes(mark->memory.context, address & -(uint64_t)WORD, &size));
}

static void push(struct mark *mark, size_t number)
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
    mark->stack[mark->depth++] = (uint32_t)number;
}

/* Returns the number of the chunk that the word points to, `count` if there is none. */
static size_t pointed_to(const struct mark *mark, uint64_t word, bool *start)
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
    if (offset < chunk->size)
        return (size_t)found;
    /* The empty array of heuristic.h is the only one that is known by a pointer to its end. */
    if (offset == WORD && chunk->size == WORD &&
        heuristic_whole(&mark->memory, mark->heuristics, chunk, word))
        return (size_t)found;
    return mark->count;
}

size_t mark_find(const struct mark *mark, uint64_t address)
{
    bool start;

    return chunk_index_may(mark->index, address) ? pointed_to(mark, address, &start) : mark->count;
}

/* From a root, or from a chunk that a root leads to. */
static void rule_reach(struct mark *mark, uint32_t found_in, uint64_t word)
{
    bool start = false;
    size_t number = pointed_to(mark, word, &start);
    bool sure = found_in == NOBODY || mark->kinds[found_in] == MARK_REACHABLE;

    if (number == mark->count || mark->kinds[number] == MARK_REACHABLE)
        return;
    if (sure &&
        (start || heuristic_whole(&mark->memory, mark->heuristics, &mark->chunks[number], word))) {
        mark->kinds[number] = MARK_REACHABLE;
        prefetch(mark, number, word);
        push(mark, number);
    } else if (mark->kinds[number] != MARK_POSSIBLE) {
        mark->kinds[number] = MARK_POSSIBLE;
        push(mark, number);
    }
}

static void rule_suppress(struct mark *mark, uint32_t found_in, uint64_t word)
{
    bool start;
    size_t number = pointed_to(mark, word, &start);

    (void)found_in;
    if (number == mark->count || mark->kinds[number] != MARK_LOST)
        return;
    mark->kinds[number] = MARK_SUPPRESSED;
    push(mark, number);
}

/*
 * A chunk that was taken for lost, before this flood came to it, has been looked at already; only
 * its leader changes.
 */
static void rule_lost(struct mark *mark, uint32_t found_in, uint64_t word)
{
    bool start;
    size_t number = pointed_to(mark, word, &start);

    (void)found_in;
    if (number == mark->count || number == mark->leader || mark->kinds[number] != MARK_LOST)
        return;
    mark->kinds[number] = MARK_INDIRECT;
    if (mark->leaders[number] == 0)
        push(mark, number);
    mark->leaders[number] = mark->leader + 1;
}

static void scan_words(struct mark *mark, rule_of_flood *rule, uint32_t found_in,
                       const unsigned char *bytes, size_t size)
{
    for (; size >= WORD; bytes += WORD, size -= WORD) {
        uint64_t word;

        memcpy(&word, bytes, WORD);
        if (chunk_index_may(mark->index, word))
            rule(mark, found_in, word);
    }
}

static void scan(struct mark *mark, rule_of_flood *rule, uint32_t found_in, uint64_t start,
                 uint64_t end)
{
    start = (start + WORD - 1) & ~(uint64_t)(WORD - 1);
    while (start < end && end - start >= WORD) {
        size_t size;
        const unsigned char *bytes = mark->memory.bytes(mark->memory.context, start, &size);

        if (size > end - start)
            size = (size_t)(end - start);
        size &= ~(size_t)(WORD - 1);
        if (size == 0)
            return;
        if (bytes != NULL)
            scan_words(mark, rule, found_in, bytes, size);
        start += size;
    }
}

/* Looks at the chunks on the stack, and at those that this leads to. */
static bool flood(struct mark *mark, rule_of_flood *rule)
{
    while (mark->depth > 0 && !mark->failed) {
        uint32_t number = mark->stack[--mark->depth];
        const struct mark_chunk *chunk = &mark->chunks[number];

        scan(mark, rule, number, chunk->start, chunk->start + chunk->size);
    }
    return !mark->failed;
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
    return count < NOBODY;
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
    mark->leaders = pool_map(count * sizeof *mark->leaders);
    if (mark->index == NULL || mark->kinds == NULL || mark->leaders == NULL) {
        mark_close(mark);
        return NULL;
    }
    return mark;
}

void mark_close(struct mark *mark)
{
    if (mark == NULL)
        return;
    chunk_index_free(mark->index);
    pool_unmap(mark->kinds, mark->count * sizeof *mark->kinds);
    pool_unmap(mark->leaders, mark->count * sizeof *mark->leaders);
    free(mark->stack);
    free(mark);
}

bool mark_root(struct mark *mark, uint64_t start, uint64_t end)
{
    scan(mark, rule_reach, NOBODY, start, end);
    return flood(mark, rule_reach);
}

bool mark_words(struct mark *mark, const uint64_t *words, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (chunk_index_may(mark->index, words[i]))
            rule_reach(mark, NOBODY, words[i]);
    return flood(mark, rule_reach);
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
    push(mark, index);
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
    push(mark, index);
    return flood(mark, rule_suppress);
}

bool mark_finish(struct mark *mark)
{
    for (size_t i = 0; i < mark->count; i++) {
        if (mark->kinds[i] != MARK_LOST)
            continue;
        mark->leader = (uint32_t)i;
        mark->leaders[i] = mark->leader + 1;
        push(mark, i);
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
