/*
 * Filling and checking. A chunk without memory has no pages, and nothing beside it.
 */
#include "bins/guard_beside.h"

#include "base/report_line.h"
#include "bins/size_class.h"
#include "os/os.h"

#include <string.h>

/* No zero, because the end of a string is what is written there most often. */
enum { PATTERN = 0xb9, MOST = 1024 };

struct beside {
    unsigned char *front, *behind;
    size_t front_size, behind_size;
};

static size_t at_most(size_t size)
{
    return size < MOST ? size : MOST;
}

static struct beside beside_of(const struct guard_place *place)
{
    uintptr_t first = place->start & ~(uintptr_t)(os_page_size() - 1);
    uintptr_t end = place->start + place->requested;
    size_t front = place->opened == 0 ? 0 : at_most(place->start - first);
    size_t behind = place->opened == 0 ? 0 : at_most(first + place->opened - end);

    return (struct beside){.front = pointer_to(place->start - front),
                           .behind = pointer_to(end),
                           .front_size = front,
                           .behind_size = behind};
}

void guard_beside_fill(const struct guard_place *place)
{
    struct beside beside = beside_of(place);

    memset(beside.front, PATTERN, beside.front_size);
    memset(beside.behind, PATTERN, beside.behind_size);
}

/* In words, because most of a page has to be looked at. */
static bool filled(const unsigned char *at, size_t size)
{
    const uint64_t pattern = UINT64_C(0x0101010101010101) * PATTERN;
    uint64_t wrong = 0, word;
    size_t n = 0;

    for (; n + sizeof word <= size; n += sizeof word) {
        memcpy(&word, at + n, sizeof word);
        wrong |= word ^ pattern;
    }
    for (; n < size; n++)
        wrong |= at[n] ^ (uint64_t)PATTERN;
    return wrong == 0;
}

void guard_beside_check(const struct guard_place *place, const char *function)
{
    struct beside beside = beside_of(place);
    const struct reported_chunk chunk = {.start = place->start,
                                         .zone = zone_of_size(place->requested),
                                         .requested = place->requested};

    if (!filled(beside.behind, beside.behind_size))
        report_overflow(function, &chunk);
    if (!filled(beside.front, beside.front_size))
        report_underflow(function, &chunk);
}
