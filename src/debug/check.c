/*
 * The check. In the slab of any thread, a state may be LIVE only where one of the slab's chunks
 * starts, with the slab's class, and with a slack of at most the chunk's size. In a slab of the
 * calling thread, the count of vacant chunks must be that of the bit map, and no vacant chunk may
 * be LIVE or REMOTE. A LARGE chunk must start at a page. A guarded chunk must be in one slot.
 *
 * Faults are collected first, and reported when the arena has been left, so the program's handler
 * may allocate.
 */
#include "debug/check.h"

#include "arena/thread.h"
#include "base/bits.h"
#include "base/modes.h"
#include "base/report_line.h"
#include "bins/guard_pool.h"
#include "debug/walk.h"
#include "os/os.h"

#include <unistd.h>

enum { REPORTED = 16 };

struct fault {
    const char *what;
    uintptr_t address;
};

struct check {
    struct arena *own; /* locked; or NULL */
    size_t count;
    struct fault first[REPORTED];
};

static void add_fault(struct check *check, const char *what, uintptr_t address)
{
    if (check->count < REPORTED)
        check->first[check->count] = (struct fault){.what = what, .address = address};
    check->count++;
}

/* Returns whether a chunk of the slab starts at the address. */
static bool starts_chunk(const struct walk_slab *slab, uintptr_t address)
{
    uint32_t offset = (uint32_t)(address - slab->start);
    uint32_t index = chunk_index(slab->shape, offset);

    return index < slab->shape->chunks && index * slab->shape->size == offset;
}

/* Acquire, here and below: see walk_same_slab(). Returns 0 if there is no fault. */
static uintptr_t wrong_tiny(const struct walk_slab *slab)
{
    uintptr_t end = slab->start + (uintptr_t)slab->shape->units * UNIT_SIZE;

    for (uintptr_t at = slab->start; at < end; at += CHUNK_ALIGN) {
        uint8_t seen = atomic_load_explicit(tiny_state(at), memory_order_acquire);

        if (tiny_lives(seen) && (!starts_chunk(slab, at) || tiny_slack(seen) > slab->shape->size))
            return at;
    }
    return 0;
}

static uintptr_t wrong_small(const struct walk_slab *slab)
{
    uintptr_t end = slab->start + (uintptr_t)slab->shape->units * UNIT_SIZE;

    for (uintptr_t granule = slab->start; granule < end; granule += SMALL_GRANULE) {
        uint32_t seen = atomic_load_explicit(small_state(granule), memory_order_acquire);
        uintptr_t at = granule + small_place(seen);

        if (small_lives(seen) &&
            (!starts_chunk(slab, at) || small_slack(seen) > slab->shape->size ||
             small_state_class(seen) != identity_class(slab->identity)))
            return at;
    }
    return 0;
}

/* Counts the vacant chunks. Returns one that is in use nevertheless, or 0. */
static uintptr_t wrong_vacant(const struct walk_slab *slab, unsigned *vacant)
{
    for (unsigned index = 0; index < slab->shape->chunks; index++) {
        uintptr_t at = slab->start + (uintptr_t)index * slab->shape->size;

        if (!bit_get(slab->slab->vacant, index))
            continue;
        ++*vacant;
        if (!state_is_owners(identity_class(slab->identity), at))
            return at;
    }
    return 0;
}

static void check_own_slab(struct check *check, const struct walk_slab *slab)
{
    unsigned vacant = 0;
    uintptr_t wrong = wrong_vacant(slab, &vacant);

    if (wrong != 0)
        add_fault(check, "a chunk is vacant and in use: ", wrong);
    else if (vacant != slab->slab->free)
        add_fault(check, "wrong count of vacant chunks in the slab at ", slab->start);
}

static void check_slab(void *context, const struct walk_slab *slab)
{
    struct check *check = context;
    uintptr_t wrong = slab->heap->set->small ? wrong_small(slab) : wrong_tiny(slab);

    if (wrong != 0 && walk_same_slab(slab))
        add_fault(check, "wrong state of a chunk at ", wrong);
    if (check->own != NULL && slab->heap->arena == check->own)
        check_own_slab(check, slab);
}

static void check_large(void *context, const struct large_info *info)
{
    if (info->start % os_page_size() != 0)
        add_fault(context, "a LARGE chunk starts inside a page: ", info->start);
}

static void check_guarded(void *context, const struct chunk *chunk)
{
    uintptr_t last = chunk->start + (chunk->requested > 0 ? chunk->requested - 1 : 0);

    if (chunk->start % CHUNK_ALIGN != 0 || chunk->requested > GUARD_SIZE_MAX ||
        chunk->start >> GUARD_SLOT_SHIFT != last >> GUARD_SLOT_SHIFT)
        add_fault(context, "wrong place of a guarded chunk: ", chunk->start);
}

static void report_fault(const struct fault *fault, const char *function, bool go_on)
{
    const struct report report = {.kind = FT_MALLOC_CORRUPTION,
                                  .function = function,
                                  .address = fault->address,
                                  .unlocked = true};
    struct text text = {.fd = STDERR_FILENO};

    report_begin(&text, report.function);
    text_string(&text, fault->what);
    text_hex_lower(&text, fault->address);
    if (go_on)
        report_end_line(&text, &report);
    else
        report_end(&text, &report);
}

/* The first faults are reported; with `fatal`, the last of these ends the process. */
static void report_faults(const struct check *check, const char *function, bool fatal)
{
    size_t told = check->count < REPORTED ? check->count : REPORTED;

    for (size_t i = 0; i < told; i++)
        report_fault(&check->first[i], function, !fatal || i + 1 < told);
}

size_t check_all(void)
{
    static const struct walk_visitor visitor = {
        .slab = check_slab, .large = check_large, .guarded = check_guarded};
    struct cache *entered = cache_enter();
    struct check check = {.own = entered == NULL ? NULL : entered->arena};

    /* Until the repair after a fork has ended, lists and counts are not all true. */
    if (check.own != NULL && arena_is_damaged(check.own))
        check.own = NULL;
    walk_all(&visitor, &check);
    if (entered != NULL)
        cache_leave(entered);
    report_faults(&check, "ft_malloc_check()", false);
    return check.count;
}

static void check_here(void)
{
    static const struct walk_visitor visitor = {.slab = check_slab};
    struct cache *entered = cache_enter();
    struct check check = {.own = entered == NULL ? NULL : entered->arena};

    if (entered == NULL)
        return;
    if (arena_is_damaged(check.own))
        check.own = NULL;
    walk_arena(entered->arena, &visitor, &check);
    cache_leave(entered);
    report_faults(&check, "FT_MALLOC_CHECK", true);
}

/* Relaxed, here and below: only the number matters. */
static _Atomic uint64_t calls;

void check_begin(void)
{
    atomic_store_explicit(&calls, 0, memory_order_relaxed);
}

void check_now_and_then(void)
{
    uint64_t every = mode_number(MODE_CHECK, 0);

    if (every != 0 && atomic_fetch_add_explicit(&calls, 1, memory_order_relaxed) % every == 0)
        check_here();
}
