/*
 * Finds the tables of libft_malloc.so, and looks addresses up in them.
 */
#include "bounds.h"

#include "debug/layout.h"

#pragma weak ft_malloc_bounds
#pragma weak ft_malloc_layout

static struct heap_map no_map;
static const struct large no_large;
static const struct outside nowhere;
static const struct outside everywhere = {.low_complement = UINTPTR_MAX, .high = UINTPTR_MAX};

static struct ft_malloc_extent know_nothing(const void *pointer)
{
    (void)pointer;
    return (struct ft_malloc_extent){NULL, 0};
}

struct bounds_tables bounds_tables = {.map = &no_map, .outside = &nowhere, .ask = know_nothing};
/* No heap starts at 1. */
_Thread_local struct bounds_known bounds_known = {.tiny = {[0 ... KNOWN_HEAPS - 1] = 1},
                                                  .large = {[0 ... KNOWN_LARGE - 1] = &no_large}};
_Atomic uint64_t bounds_clear[KNOWN_CLEAR];

/* In loops, because an initialiser might be a call of memset(), which would look up again. */
static void forget(uint64_t changes)
{
    for (unsigned n = 0; n < KNOWN_HEAPS; n++)
        bounds_known.tiny[n] = 1;
    for (unsigned n = 0; n < KNOWN_SMALL; n++)
        bounds_known.small[n].size = 0;
    bounds_known.changes = changes;
}

static void note_clear(uintptr_t address, uint64_t changes)
{
    atomic_store_explicit(&bounds_clear[address >> OUTSIDE_PAGE_SHIFT & (KNOWN_CLEAR - 1)],
                          outside_clear_at(address, changes), memory_order_relaxed);
}

/* Like tiny_bounds() of bins/bounds.h, which has the comments. */
static size_t room_tiny(uintptr_t address)
{
    size_t size_class = tiny_class_around(address);
    uintptr_t within = address & (UNIT_SIZE - 1), size, start, slack;
    uint8_t seen;

    if (unlikely(size_class >= TINY_CLASSES))
        return SIZE_MAX;
    size = bounds_tables.of[size_class].size;
    start = (within * bounds_tables.of[size_class].inverse >> 32) * size;
    /* Relaxed: the holder of the chunk received it together with its state. */
    seen = atomic_load_explicit(tiny_state(address - within + start), memory_order_relaxed);
    slack = bounds_tables.slack[seen];
    size -= within - start;
    return size > slack ? size - slack : 0;
}

/* Like small_bounds() of bins/bounds.h. */
static size_t room_small(uintptr_t address)
{
    uintptr_t base = address & ~(uintptr_t)(SMALL_HEAP_SIZE - 1), within = address - base;
    size_t number = address >> OUTSIDE_PAGE_SHIFT & (KNOWN_SMALL - 1);
    uint64_t identity, start, size;
    const struct slab *slab;
    uint32_t seen;

    if (unlikely(within < SMALL_FIRST_UNIT * UNIT_SIZE || (slab = small_slab(address)) == NULL))
        return SIZE_MAX;
    /* Acquire: what is read of the slab afterwards is not older than the identity. */
    identity = atomic_load_explicit(&slab->identity, memory_order_acquire);
    if (unlikely((identity & 1) == 0))
        return SIZE_MAX;
    within -= (uintptr_t)identity_unit(identity) * UNIT_SIZE;
    size = bounds_tables.of[identity_class(identity)].size;
    start = (within * bounds_tables.of[identity_class(identity)].inverse >> 32) * size;
    /* The inverse is rounded up: just below a chunk, the index can be that chunk's. */
    if (unlikely(start > within))
        start -= size;
    within -= start;
    /* Relaxed: the holder of the chunk received it together with its state. */
    seen = atomic_load_explicit(small_state(address - within), memory_order_relaxed);
    if (unlikely(!small_lives(seen) || size - small_slack(seen) <= within))
        return 0;
    size -= small_slack(seen);
    bounds_known.small[number] = (struct bounds_small){
        .minus_start = within - address,
        .size = (uint32_t)size,
        .state = seen,
        .state_at = (uint32_t)((uintptr_t)small_state(address - within) - base),
    };
    return size - within;
}

static bool is_far(uintptr_t address)
{
    const struct outside *range = bounds_tables.outside;

    /* Relaxed: see struct outside. */
    return address < ~atomic_load_explicit(&range->low_complement, memory_order_relaxed) ||
           address >= atomic_load_explicit(&range->high, memory_order_relaxed);
}

static void note_large(struct bounds_of_large *remembered, uintptr_t address, uintptr_t start)
{
    for (unsigned which = 0; which < 2; which++) {
        /* Relaxed: a descriptor says itself what it is. */
        const struct large *large =
            atomic_load_explicit(bounds_around(remembered, address) + which, memory_order_relaxed);

        if (large != NULL && atomic_load_explicit(&large->address, memory_order_relaxed) == start)
            bounds_known.large[address >> BOUNDS_BLOCK_SHIFT & (KNOWN_LARGE - 1)] = large;
    }
}

static size_t room_elsewhere(const void *pointer, uint64_t changes)
{
    struct ft_malloc_extent extent = bounds_tables.ask(pointer);
    uintptr_t address = (uintptr_t)pointer, offset = address - (uintptr_t)extent.start;

    /* Acquire: whoever sees the tables sees their zeros. */
    struct bounds_of_large *remembered =
        atomic_load_explicit(&bounds_tables.outside->remembered, memory_order_acquire);

    if (remembered != NULL && extent.start != NULL)
        note_large(remembered, address, (uintptr_t)extent.start);
    if (extent.start != NULL)
        return offset < extent.size ? extent.size - offset : 0;
    /* Relaxed: an entry says itself of which page and when it is. */
    if (remembered != NULL &&
        atomic_load_explicit(bounds_page(remembered, address), memory_order_relaxed) ==
            outside_clear_at(address, changes))
        note_clear(address, changes);
    return SIZE_MAX;
}

size_t bounds_room(const void *pointer)
{
    uintptr_t address = (uintptr_t)pointer;
    /* Acquire: what is found afterwards is not older than the number that it is noted with. */
    uint64_t changes = atomic_load_explicit(&bounds_tables.outside->changes, memory_order_acquire);
    uint32_t entry = heap_map_entry_in(bounds_tables.map, address);
    uint32_t unit = address >> UNIT_SHIFT & (TINY_HEAP_SIZE / UNIT_SIZE - 1);

    if (unlikely(bounds_known.changes != changes))
        forget(changes);
    if (likely(unit < entry >> MAP_UNITS_SHIFT)) {
        if (entry & TAG_SMALL)
            return room_small(address);
        bounds_known.tiny[address >> HEAP_SHIFT & (KNOWN_HEAPS - 1)] = bounds_tiny_heap(address);
        return room_tiny(address);
    }
    if (unlikely(entry != 0 || !is_far(address)))
        return room_elsewhere(pointer, changes);
    note_clear(address, changes);
    return SIZE_MAX;
}

bool bounds_hold(const void *pointer, size_t size)
{
    struct bounds_known *known = bounds_of_thread();

    return (bounds_current(known, size) && bounds_allow(known, pointer, size)) ||
           bounds_room(pointer) >= size;
}

static bool zone_is_known(const struct layout_zone *zone, bool small)
{
    return zone->heap_size == (small ? SMALL_HEAP_SIZE : TINY_HEAP_SIZE) &&
           zone->granule == (small ? SMALL_GRANULE : CHUNK_ALIGN) &&
           zone->state_size == (small ? sizeof(uint32_t) : sizeof(uint8_t)) &&
           zone->kind_shift == (small ? SMALL_KIND_SHIFT : TINY_KIND_SHIFT) &&
           zone->slack_mask == (small ? SMALL_SLACK_MAX : TINY_SLACK_MAX) &&
           zone->first_unit == (small ? SMALL_FIRST_UNIT : TINY_FIRST_UNIT) &&
           zone->numbers_end == (small ? SMALL_NUMBERS_END : 0) &&
           zone->slabs == (small ? SMALL_SLABS_OFFSET : TINY_SLABS_OFFSET) &&
           zone->slab_stride == (small ? SMALL_SLAB_STRIDE : TINY_SLAB_STRIDE);
}

/* Whether heaps and the heap map are made as this library was compiled for. */
static bool is_known(const struct ft_malloc_layout *layout)
{
    return layout->version == LAYOUT_VERSION && layout->size >= sizeof *layout &&
           layout->outside_changes == offsetof(struct outside, changes) &&
           layout->outside_remembered == offsetof(struct outside, remembered) &&
           layout->large_address == offsetof(struct large, address) &&
           layout->large_requested == offsetof(struct large, requested) &&
           zone_is_known(&layout->tiny, false) && zone_is_known(&layout->small, true) &&
           layout->unit_size == UNIT_SIZE && layout->state_live == STATE_LIVE &&
           layout->class_count == SIZE_CLASSES && layout->tiny_classes == TINY_CLASSES &&
           layout->slab_identity == offsetof(struct slab, identity) &&
           layout->map_shift == HEAP_SHIFT && layout->map_units_shift == MAP_UNITS_SHIFT &&
           layout->map_tag_small == TAG_SMALL &&
           layout->map_empty == offsetof(struct heap_map, empty) &&
           layout->map_root == offsetof(struct heap_map, root) &&
           layout->map_root_count == MAP_ROOT_SIZE && layout->map_leaf_count == MAP_LEAF_SIZE;
}

/* In a hardened process a TINY chunk always has some slack. */
static void find_slacks(bool hardened)
{
    for (unsigned seen = 0; seen <= UINT8_MAX; seen++)
        bounds_tables.slack[seen] =
            tiny_lives((uint8_t)seen) ? (uint16_t)(((seen - hardened) & TINY_SLACK_MAX) + hardened)
                                      : UINT16_MAX;
}

bool bounds_begin(void)
{
    const struct ft_malloc_layout *layout = &ft_malloc_layout;

    if (ft_malloc_bounds == NULL)
        return false;
    bounds_tables.ask = ft_malloc_bounds;
    bounds_tables.outside = &everywhere;
    if (layout == NULL || !is_known(layout))
        return true;
    for (unsigned n = 0; n < SIZE_CLASSES; n++) {
        const struct size_class *shape =
            (const void *)((const char *)layout->size_classes + n * layout->class_stride);

        bounds_tables.of[n].size = shape->size;
        bounds_tables.of[n].inverse = shape->inverse;
        if (n < TINY_CLASSES)
            bounds_tables.tiny[n + TINY_CLASS_MARK] = bounds_tables.of[n];
    }
    find_slacks(*(const bool *)layout->hardened);
    bounds_tables.outside = layout->outside;
    bounds_tables.map = layout->heap_map;
    return true;
}

bool bounds_hold_joined(const char *from, size_t size)
{
    struct ft_malloc_extent next;
    size_t room;

    while (!bounds_hold(from, size)) {
        room = bounds_room(from);
        next = bounds_tables.ask(from + room);
        if (room >= size || next.start != from + room || next.size == 0)
            return room >= size;
        from += room;
        size -= room;
    }
    return true;
}
