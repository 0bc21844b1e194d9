/*
 * What the middle of a chunk tells.
 */
#include "heuristic.h"

#include <string.h>

enum { WORD = 8 };

static bool word_at(const struct mark_memory *memory, uint64_t address, uint64_t *out)
{
    size_t size;
    const unsigned char *bytes = memory->bytes(memory->context, address, &size);

    if (bytes == NULL || size < WORD)
        return false;
    memcpy(out, bytes, WORD);
    return true;
}

/* The capacity does not count the three words in front, nor the zero at the end. */
static bool is_stdstring(const struct mark_memory *memory, const struct mark_chunk *chunk)
{
    uint64_t length, capacity;

    return word_at(memory, chunk->start, &length) &&
           word_at(memory, chunk->start + WORD, &capacity) && length <= capacity &&
           capacity == chunk->size - 3 * (uint64_t)WORD - 1;
}

static bool is_length64(const struct mark_memory *memory, const struct mark_chunk *chunk)
{
    uint64_t length;

    return chunk->size > WORD && word_at(memory, chunk->start, &length) &&
           length == chunk->size - WORD;
}

static bool is_newarray(const struct mark_memory *memory, const struct mark_chunk *chunk)
{
    uint64_t elements;

    if (!word_at(memory, chunk->start, &elements) || elements > chunk->size - WORD)
        return false;
    return elements == 0 ? chunk->size == WORD : (chunk->size - WORD) % elements == 0;
}

/* The first entry of 16 bytes counts those behind the second one. */
static bool is_dtv(const struct mark_memory *memory, const struct mark_chunk *chunk)
{
    enum { ENTRY = 16 };
    uint64_t entries;

    return chunk->size % ENTRY == 0 && word_at(memory, chunk->start, &entries) &&
           entries == chunk->size / ENTRY - 2;
}

static bool is_object(const struct mark_memory *memory, uint64_t address)
{
    uint64_t table;

    return word_at(memory, address, &table) && memory->is_vtable != NULL &&
           memory->is_vtable(memory->context, table);
}

bool heuristic_whole(const struct mark_memory *memory, unsigned heuristics,
                     const struct mark_chunk *chunk, uint64_t pointer)
{
    uint64_t offset = pointer - chunk->start;

    if (offset == 3 * WORD && heuristics & MARK_STDSTRING && is_stdstring(memory, chunk))
        return true;
    if (offset == WORD && heuristics & MARK_LENGTH64 && is_length64(memory, chunk))
        return true;
    if (offset == WORD && heuristics & MARK_NEWARRAY && is_newarray(memory, chunk))
        return true;
    if (offset == 2 * WORD && heuristics & MARK_DTV && is_dtv(memory, chunk))
        return true;
    return heuristics & MARK_MULTIPLE_INHERITANCE && offset % WORD == 0 &&
           offset + WORD <= chunk->size && is_object(memory, chunk->start) &&
           is_object(memory, pointer);
}

bool heuristic_named(const char *name, size_t length, unsigned *out)
{
    static const struct {
        const char *name;
        unsigned value;
    } names[] = {{"stdstring", MARK_STDSTRING},
                 {"length64", MARK_LENGTH64},
                 {"newarray", MARK_NEWARRAY},
                 {"multipleinheritance", MARK_MULTIPLE_INHERITANCE},
                 {"dtv", MARK_DTV},
                 {"all", MARK_HEURISTICS},
                 {"none", 0}};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strlen(names[i].name) == length && strncmp(names[i].name, name, length) == 0) {
            *out |= names[i].value;
            return true;
        }
    return false;
}
