/*
 * Looking at memory. What is reachable already when its words are looked at leaves no links: the
 * chunks that it points to are reachable at once, and if these come later, they leave none either.
 * So large chunks, which often hold the pointers to many small ones, are read as soon as a root
 * leads to them.
 */
#include "heuristic.h"
#include "mark_own.h"
#include "memory.h"

enum {
    PAGE = 4096,      /* the least that can be missing */
    PIECE = 64 << 10, /* where so much is missing, more may be */
    SKIP_MAX = 1 << 30,
    GAP = 16 << 10, /* chunks that are no further apart are read in one piece */
    LARGE = 64 << 10
};

/*
 * Returns how many bytes to leave out from an address that cannot be read. A file may pretend to
 * have more address space than anybody can look at, so after a long stretch of nothing the steps
 * become larger.
 */
static uint64_t step_over(struct mark *mark, uint64_t address)
{
    uint64_t step = PAGE - address % PAGE;

    if (mark->skip >= PIECE)
        step += mark->skip < SKIP_MAX ? mark->skip - mark->skip % PAGE : SKIP_MAX;
    mark->skip += step;
    return step;
}

/* Reads into the buffer. Returns how many words at the address there are, or 0. */
static uint64_t fill(struct mark *mark, uint64_t address, uint64_t size)
{
    struct mark_buffer *buffer = mark->buffer;

    if (size > sizeof buffer->word)
        size = sizeof buffer->word;
    buffer->from = address;
    buffer->words =
        mark->memory.read(mark->memory.context, address, buffer->word, size) / MARK_WORD;
    mark->read += buffer->words * MARK_WORD;
    if (buffer->words > 0)
        mark->skip = 0;
    if (mark->memory.progress != NULL)
        mark->memory.progress(mark->memory.context, mark->read);
    return buffer->words;
}

/* Where the chunks from `number` on that are close together end, as far as the buffer has room. */
static uint64_t end_of_piece(const struct mark *mark, size_t number, uint64_t address)
{
    const struct mark_chunk *chunks = mark->chunks;
    uint64_t end = chunks[number].start + chunks[number].size;

    /* Those behind a large one that is read before its turn are not looked at. */
    if (mark->phase == MARK_BEFORE)
        return end;
    for (number++; number < mark->count && end - address < sizeof mark->buffer->word; number++) {
        if (chunks[number].start - end > GAP ||
            (chunks[number].size >= LARGE && (mark->hints[number] & MARK_SEEN) != 0))
            break;
        end = chunks[number].start + chunks[number].size;
    }
    return end;
}

/* A chunk or a root leads to the start of a chunk. */
static void reach(struct mark *mark, size_t number)
{
    bool seen = mark->phase == MARK_DURING && number <= mark->at;

    if (mark->kinds[number] == MARK_REACHABLE)
        return;
    mark->kinds[number] = MARK_REACHABLE;
    if (seen || (mark->phase == MARK_BEFORE && mark->chunks[number].size >= LARGE))
        mark_push(mark, number);
}

void mark_found_early(struct mark *mark, uint64_t word)
{
    bool start;
    size_t number = mark_pointed_to(mark, word, &start);

    if (number == mark->count)
        return;
    if (start) {
        reach(mark, number);
        return;
    }
    mark->inside =
        memory_grow(mark->inside, &mark->inside_room, mark->inside_count, sizeof *mark->inside);
    mark->inside[mark->inside_count++] = word;
}

static void look_at(struct mark *mark, uint32_t from, uint64_t word)
{
    bool start;
    size_t number = mark_pointed_to(mark, word, &start);

    if (number == mark->count || number == from)
        return;
    if (mark->phase == MARK_BEFORE)
        mark_found_early(mark, word); /* a large chunk that a root leads to is no less than one */
    else if (!start)
        links_add_inside(&mark->links, (uint32_t)number, word - mark->chunks[number].start);
    else if (mark->kinds[from] == MARK_REACHABLE)
        reach(mark, number);
    else
        links_add(&mark->links, (uint32_t)number);
}

static void look_at_words(struct mark *mark, uint32_t from, const uint64_t *words, uint64_t count)
{
    uint64_t last = 0;

    for (uint64_t i = 0; i < count; i++) {
        if (!chunk_index_may(mark->index, words[i]) || words[i] == last)
            continue;
        last = words[i];
        look_at(mark, from, last);
    }
}

/* The first words of a chunk tell what pointers into it mean. */
static void note_hints(struct mark *mark, size_t number, const uint64_t *words, uint64_t count)
{
    unsigned hints = MARK_SEEN;

    hints |= heuristic_hints(mark->heuristics, mark->chunks[number].size, words[0],
                             count > 1 ? words[1] : 0);
    if ((mark->heuristics & MARK_MULTIPLE_INHERITANCE) != 0 && words[0] % MARK_WORD == 0 &&
        words[0] != 0 && mark->memory.is_vtable(mark->memory.context, words[0]))
        hints |= MARK_MULTIPLE_INHERITANCE;
    mark->hints[number] = (uint8_t)hints;
}

/* Looks at the words of a chunk, from the buffer where it has them. */
static bool look_at_chunk(struct mark *mark, size_t number)
{
    const struct mark_chunk *chunk = &mark->chunks[number];
    struct mark_buffer *buffer = mark->buffer;
    uint64_t at = chunk->start, end = chunk->start + chunk->size;

    while (end - at >= MARK_WORD) {
        uint64_t first = (at - buffer->from) / MARK_WORD, left = (end - at) / MARK_WORD, here;

        if (at < buffer->from || first >= buffer->words) {
            first = 0;
            if (fill(mark, at, end_of_piece(mark, number, at) - at) == 0) {
                uint64_t step = step_over(mark, at);

                at = step < end - at ? at + step : end;
                continue;
            }
        }
        here = buffer->words - first < left ? buffer->words - first : left;
        if (!links_reserve(&mark->links, here))
            return false;
        if (at == chunk->start)
            note_hints(mark, number, buffer->word + first, here);
        look_at_words(mark, (uint32_t)number, buffer->word + first, here);
        at += here * MARK_WORD;
    }
    return true;
}

bool mark_scan_root(struct mark *mark, uint64_t start, uint64_t end)
{
    start = (start + MARK_WORD - 1) & ~(uint64_t)(MARK_WORD - 1);
    while (start < end && end - start >= MARK_WORD) {
        uint64_t count = fill(mark, start, end - start), step;

        for (uint64_t i = 0; i < count; i++)
            if (chunk_index_may(mark->index, mark->buffer->word[i]))
                mark_found(mark, mark->buffer->word[i]);
        step = count > 0 ? count * MARK_WORD : step_over(mark, start);
        start = step < end - start ? start + step : end;
    }
    return !mark->failed;
}

bool mark_scan_large(struct mark *mark)
{
    while (mark->depth > 0 && !mark->failed) {
        uint32_t number = mark->stack[--mark->depth];

        if (!look_at_chunk(mark, number))
            return false;
        mark->hints[number] |= MARK_SEEN;
    }
    return !mark->failed;
}

bool mark_scan(struct mark *mark)
{
    mark->phase = MARK_DURING;
    mark->buffer->words = 0;
    for (; mark->at < mark->count && !mark->failed; mark->at++) {
        bool seen = (mark->hints[mark->at] & MARK_SEEN) != 0;

        links_begin(&mark->links, mark->at);
        if ((!seen && !look_at_chunk(mark, mark->at)) || !links_end(&mark->links, mark->at))
            return false;
        if (mark->kinds[mark->at] == MARK_REACHABLE && links_of(&mark->links, mark->at) != NULL)
            mark_push(mark, mark->at);
    }
    mark->phase = MARK_AFTER;
    for (size_t i = 0; i < mark->inside_count; i++)
        mark_found(mark, mark->inside[i]);
    return mark_flood_reach(mark);
}
