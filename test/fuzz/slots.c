/*
 * The model: what is held, and what must be true of it. Long chunks are filled in stripes, because
 * filling them wholly would take the time of the commands.
 */
#include "fuzz/fuzz.h"

#include "api/api.h"
#include "arena/lookup.h"
#include "support/pattern.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { WHOLE = 4096, ENDS = 1024, STEP = 32768, STRIPE = 64 };

struct stripe {
    size_t from;
    size_t to;
};

/* Iterates from {0, 0} on: both ends of the chunk, and a little at each step in between. */
static bool stripe_next(struct stripe *stripe, size_t size)
{
    size_t next = stripe->from / STEP * STEP + STEP;

    if (stripe->to == size)
        return false;
    if (size <= WHOLE)
        *stripe = (struct stripe){0, size};
    else if (stripe->to == 0)
        *stripe = (struct stripe){0, ENDS};
    else if (next + STRIPE > size - ENDS)
        *stripe = (struct stripe){size - ENDS, size};
    else
        *stripe = (struct stripe){next, next + STRIPE};
    return true;
}

void slots_clear(void)
{
    memset(fuzz.slots, 0, sizeof fuzz.slots);
    fuzz.held_bytes = 0;
    fuzz.freed_count = 0;
}

struct held *slot_empty(unsigned from)
{
    for (unsigned i = 0; i < SLOTS; i++)
        if (fuzz.slots[(from + i) % SLOTS].start == NULL)
            return &fuzz.slots[(from + i) % SLOTS];
    return NULL;
}

struct held *slot_starting(uintptr_t address)
{
    for (unsigned i = 0; i < SLOTS; i++)
        if ((uintptr_t)fuzz.slots[i].start == address)
            return &fuzz.slots[i];
    return NULL;
}

static uintptr_t end_of(const struct held *slot)
{
    return (uintptr_t)slot->start + (slot->filled > 0 ? slot->filled : 1);
}

static void require_apart(const struct held *one, const struct held *other)
{
    REQUIRE((uintptr_t)one->start >= end_of(other) || (uintptr_t)other->start >= end_of(one),
            "%p of %zu bytes overlaps %p of %zu bytes", (void *)one->start, one->size,
            (void *)other->start, other->size);
}

static int by_start(const void *left, const void *right)
{
    const struct held *const *a = left, *const *b = right;

    return ((*a)->start > (*b)->start) - ((*a)->start < (*b)->start);
}

void held_require_disjoint(void)
{
    static const struct held *sorted[SLOTS];
    size_t count = 0;

    for (unsigned i = 0; i < SLOTS; i++)
        if (fuzz.slots[i].start != NULL)
            sorted[count++] = &fuzz.slots[i];
    qsort(sorted, count, sizeof sorted[0], by_start);
    for (size_t i = 1; i < count; i++)
        require_apart(sorted[i - 1], sorted[i]);
}

/*
 * Compares the chunk with its neighbours among the slots. All slots are compared when many were
 * allocated, and at the end.
 */
static void require_apart_from_some(const struct held *slot)
{
    for (unsigned i = 0; i < SINGLE_SLOTS; i++)
        if (fuzz.slots[i].start != NULL && &fuzz.slots[i] != slot)
            require_apart(&fuzz.slots[i], slot);
}

void held_fill(struct held *slot, size_t filled)
{
    struct stripe stripe = {0, 0};

    slot->filled = filled;
    while (stripe_next(&stripe, filled))
        pattern_write(slot->start + stripe.from, 0, stripe.to - stripe.from,
                      slot->tag + stripe.from);
}

bool held_enter(struct held *slot, void *start, size_t size, size_t alignment)
{
    if (start == NULL) {
        REQUIRE(fuzz.out_of_memory || size_impossible(size), "no memory for %zu bytes", size);
        REQUIRE(errno == ENOMEM, "errno is %d, not ENOMEM", errno);
        return false;
    }
    REQUIRE(!size_impossible(size), "%zu bytes at %p", size, start);
    REQUIRE((uintptr_t)start % alignment == 0 && (uintptr_t)start % LEAST_ALIGNMENT == 0,
            "%p of %zu bytes is not aligned to %zu", start, size, alignment);
    *slot = (struct held){
        .start = start, .size = size, .shown = size, .alignment = alignment, .tag = fuzz.next_tag};
    fuzz.next_tag += (uint64_t)1 << 40;
    fuzz.held_bytes += size;
    held_fill(slot, size);
    require_apart_from_some(slot);
    return true;
}

/*
 * Without memory, a chunk that is to shrink stays where it is, and may keep its size if its state
 * cannot express the smaller one.
 */
static void look_at_shown(struct held *slot, size_t before)
{
    struct chunk chunk;

    REQUIRE(lookup_live((uintptr_t)slot->start, &chunk), "%p is not live", (void *)slot->start);
    REQUIRE(chunk.requested >= slot->size && chunk.requested <= before,
            "%p is shown with %zu, not %zu", (void *)slot->start, chunk.requested, slot->size);
    slot->shown = chunk.requested;
}

bool held_resized(struct held *slot, void *start, size_t size)
{
    struct held old = *slot;

    if (start == NULL || old.start == NULL) {
        bool entered = held_enter(slot, start, size, LEAST_ALIGNMENT);

        if (!entered && old.start != NULL)
            held_check(slot, slot->filled);
        return entered;
    }
    slot->start = start;
    held_check(slot, size < old.filled ? size : old.filled);
    if (start != old.start)
        fuzz.freed[fuzz.freed_count++ % FREED] = (uintptr_t)old.start;
    slot->start = NULL;
    fuzz.held_bytes -= old.size;
    held_enter(slot, start, size, LEAST_ALIGNMENT);
    if (fuzz.out_of_memory && start == old.start && size < old.size)
        look_at_shown(slot, old.shown);
    return true;
}

void held_require_zero(const void *start, size_t size)
{
    struct stripe stripe = {0, 0};

    while (stripe_next(&stripe, size)) {
        size_t length = stripe.to - stripe.from;
        size_t nonzero = pattern_first_nonzero((const char *)start + stripe.from, length);

        REQUIRE(nonzero == length, "%p of %zu bytes is not zero at %zu", start, size,
                stripe.from + nonzero);
    }
}

void held_check(const struct held *slot, size_t limit)
{
    struct stripe stripe = {0, 0};

    while (stripe_next(&stripe, slot->filled) && stripe.from < limit) {
        size_t length = (stripe.to < limit ? stripe.to : limit) - stripe.from;
        size_t at = pattern_mismatch(slot->start + stripe.from, length, slot->tag + stripe.from);

        REQUIRE(at == length, "%p of %zu bytes was changed at %zu", (void *)slot->start, slot->size,
                stripe.from + at);
    }
}

void *held_leave(struct held *slot)
{
    void *start = slot->start;

    held_check(slot, slot->filled);
    fuzz.held_bytes -= slot->size;
    fuzz.freed[fuzz.freed_count++ % FREED] = (uintptr_t)start;
    slot->start = NULL;
    return start;
}

void held_check_all(void)
{
    for (unsigned i = 0; i < SLOTS; i++)
        if (fuzz.slots[i].start != NULL)
            held_check(&fuzz.slots[i], fuzz.slots[i].filled);
    held_require_disjoint();
}
