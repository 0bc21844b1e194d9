/*
 * Words for a fault: whether it is an overflow, an underflow or a use after free, of which chunk,
 * and how far from it. Guards end the program at the instruction; this tells why.
 */
#include "debug/fault.h"

#include "arena/lookup.h"
#include "base/report_line.h"
#include "bins/guard_pool.h"
#include "large/large.h"
#include "os/os.h"

#include <unistd.h>

/* A chunk further away than this has nothing to do with the fault. */
enum { NEAR = 64 << 10 };

struct suspect {
    uintptr_t start;
    size_t requested;
    enum zone zone;
    bool freed;
};

static struct suspect suspect_of(const struct chunk *chunk, bool freed)
{
    return (struct suspect){chunk->start, chunk->requested, chunk->zone, freed};
}

/* A slot has at most one chunk, and whatever is touched in it was meant for that. */
static bool in_guard_pool(uintptr_t address, struct suspect *suspect)
{
    struct caller allocated, freed;
    struct chunk chunk;
    enum guard_state state;

    if (guard_slot_around(guard_pool_now(), address) == NULL)
        return false;
    state = guard_pool_callers(address, &allocated, &freed);
    if (state == GUARD_UNUSED || state == GUARD_OPENING)
        return false;
    (void)guard_pool_find(address, &chunk);
    *suspect = suspect_of(&chunk, state != GUARD_LIVE);
    return true;
}

/* The address is in a chunk: of 0 bytes, or one whose memory was given back when it was freed. */
static bool in_chunk(uintptr_t address, struct suspect *suspect)
{
    struct large_info info;
    struct chunk chunk;

    switch (lookup_any(address, &chunk)) {
    case CHUNK_LIVE:
    case CHUNK_INTERIOR:
        *suspect = suspect_of(&chunk, false);
        return true;
    case CHUNK_FREED:
    case CHUNK_GONE:
        *suspect = suspect_of(&chunk, true);
        return true;
    default:
        if (!large_find_gone_around(address, &info))
            return false;
        *suspect = (struct suspect){info.start, info.requested, ZONE_LARGE, true};
        return true;
    }
}

/* Describes the chunk around an address near the fault. */
static bool chunk_at(uintptr_t address, struct suspect *suspect)
{
    struct ft_malloc_extent extent = lookup_bounds(address);
    struct chunk chunk;

    if (extent.start == NULL || lookup_any((uintptr_t)extent.start, &chunk) != CHUNK_LIVE)
        return false;
    *suspect = suspect_of(&chunk, false);
    return true;
}

/* The nearest chunk that ends before the address or begins behind it. */
static bool beside_chunk(uintptr_t address, struct suspect *suspect)
{
    for (uintptr_t far = CHUNK_ALIGN; far < NEAR; far += CHUNK_ALIGN) {
        if (address > far && chunk_at(address - far, suspect))
            return true;
        if (address < UINTPTR_MAX - far && chunk_at(address + far, suspect))
            return true;
    }
    return false;
}

static void put_distance(struct text *text, size_t bytes, const char *where)
{
    text_number(text, bytes);
    text_string(text, bytes == 1 ? " byte " : " bytes ");
    text_string(text, where);
}

static void put_place(struct text *text, uintptr_t address, const struct suspect *suspect)
{
    uintptr_t end = suspect->start + suspect->requested;

    text_hex_lower(text, address);
    text_string(text, ", ");
    if (address < suspect->start)
        put_distance(text, suspect->start - address, "in front of ");
    else if (address >= end)
        put_distance(text, address - end, "behind the end of ");
    else
        put_distance(text, address - suspect->start, "into ");
    text_string(text, suspect->freed ? "the freed chunk " : "the chunk ");
    text_hex_lower(text, suspect->start);
    report_put_size(text, suspect->zone, suspect->requested);
}

static const char *name_of(uintptr_t address, const struct suspect *suspect)
{
    if (suspect->freed)
        return "use after free";
    if (address < suspect->start)
        return "heap underflow";
    return address - suspect->start >= suspect->requested ? "heap overflow"
                                                          : "access to protected memory";
}

bool ft_malloc_report_fault(const struct ft_malloc_fault *fault)
{
    static const char *const verbs[] = {": reads ", ": writes to ", ": touches "};
    uintptr_t address = (uintptr_t)fault->address;
    struct report report = {.function = fault->signal, .address = address, .unlocked = false};
    struct text text = {.fd = STDERR_FILENO};
    struct suspect suspect;

    if (!in_guard_pool(address, &suspect) && !in_chunk(address, &suspect) &&
        !beside_chunk(address, &suspect))
        return false;
    report_begin(&text, fault->signal);
    text_string(&text, name_of(address, &suspect));
    text_string(&text, verbs[fault->access]);
    put_place(&text, address, &suspect);
    report.chunk = suspect.start;
    report.kind = FT_MALLOC_OVERFLOW;
    if (suspect.freed)
        report.kind = FT_MALLOC_USE_AFTER_FREE;
    else if (fault->access == FT_MALLOC_FAULT_READ)
        report.kind = FT_MALLOC_OVERREAD;
    report_end_line(&text, &report);
    if (fault->write_stack != NULL)
        fault->write_stack(fault->context);
    return true;
}
