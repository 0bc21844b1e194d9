/*
 * What the middle of a chunk tells.
 */
#include "heuristic.h"

#include <string.h>

enum { WORD = 8 };

/* The capacity does not count the three words in front, nor the zero at the end. */
static bool is_stdstring(uint64_t size, uint64_t length, uint64_t capacity)
{
    return size > 3 * (uint64_t)WORD && length <= capacity &&
           capacity == size - 3 * (uint64_t)WORD - 1;
}

static bool is_newarray(uint64_t size, uint64_t elements)
{
    if (elements > size - WORD)
        return false;
    return elements == 0 ? size == WORD : (size - WORD) % elements == 0;
}

/* The first entry of 16 bytes counts those behind the second one. */
static bool is_dtv(uint64_t size, uint64_t entries)
{
    enum { ENTRY = 16 };

    return size % ENTRY == 0 && entries == size / ENTRY - 2;
}

unsigned heuristic_hints(unsigned heuristics, uint64_t size, uint64_t first, uint64_t second)
{
    unsigned hints = 0;

    /* Most chunks begin with a pointer, and these are numbers that are smaller than the chunk. */
    if (size < WORD || first > size)
        return 0;
    hints |= is_stdstring(size, first, second) ? MARK_STDSTRING : 0U;
    hints |= size > WORD && first == size - WORD ? MARK_LENGTH64 : 0U;
    hints |= is_newarray(size, first) ? MARK_NEWARRAY : 0U;
    hints |= is_dtv(size, first) ? MARK_DTV : 0U;
    return hints & heuristics;
}

bool heuristic_whole(unsigned hints, uint64_t offset)
{
    switch (offset) {
    case WORD:
        return (hints & (MARK_LENGTH64 | MARK_NEWARRAY)) != 0;
    case 2 * WORD:
        return (hints & MARK_DTV) != 0;
    case 3 * WORD:
        return (hints & MARK_STDSTRING) != 0;
    default:
        return false;
    }
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
