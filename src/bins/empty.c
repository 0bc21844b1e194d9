/*
 * The regions are a list that only grows. Most processes have none, or one.
 */
#include "bins/empty.h"

#include "base/own.h"
#include "base/secret.h"
#include "os/os.h"

enum {
    REGION_BYTES = 4 << 20,
    /* The size of a region if address space is limited. */
    REGION_BYTES_LEAST = 64 << 10,
    WORD_BITS = 64,
    /*
     * How many places are tried in a region. A region that is nearly full is left for another one.
     */
    TRIES = 4096,
};

_Atomic(struct empty_region *) empty_regions;

static struct empty_region *first_region(void)
{
    return atomic_load_explicit(&empty_regions, memory_order_acquire); /* see `empty_regions` */
}

static uint64_t bit_of(size_t place)
{
    return UINT64_C(1) << (place % WORD_BITS);
}

static bool bit_get(const _Atomic uint64_t *bits, size_t place)
{
    return (atomic_load_explicit(&bits[place / WORD_BITS], memory_order_relaxed) & bit_of(place)) !=
           0; /* see `was` */
}

/* Sets the bit. Returns true if it was set before. */
static bool bit_raise(_Atomic uint64_t *bits, size_t place)
{
    uint64_t before = atomic_fetch_or_explicit(&bits[place / WORD_BITS], bit_of(place),
                                               memory_order_relaxed); /* see `was` */

    return (before & bit_of(place)) != 0;
}

static size_t maps_size(size_t places)
{
    return round_up(sizeof(struct empty_region) + 2 * (places / WORD_BITS) * sizeof(uint64_t),
                    os_page_size());
}

static struct empty_region *create_region(void)
{
    size_t bytes = os_memory_limit() == SIZE_MAX ? REGION_BYTES : REGION_BYTES_LEAST;
    size_t places = bytes / CHUNK_ALIGN;
    struct empty_region *region = own_map(maps_size(places));
    void *space = region == NULL ? NULL : os_reserve(bytes);

    if (region == NULL)
        return NULL;
    if (space == NULL) {
        own_unmap(region, maps_size(places));
        return NULL;
    }
    region->base = (uintptr_t)space;
    region->places = places;
    region->was = region->live + places / WORD_BITS;
    /* Relaxed: no other thread knows the region yet. */
    atomic_store_explicit(&region->hint, secret_scramble(secret_word ^ region->base) % places,
                          memory_order_relaxed);
    /* Relaxed: the exchange checks it. */
    region->next = atomic_load_explicit(&empty_regions, memory_order_relaxed);
    while (!atomic_compare_exchange_weak_explicit(&empty_regions, &region->next, region,
                                                  memory_order_release,
                                                  memory_order_relaxed)) /* see `empty_regions` */
        ;
    return region;
}

/* Makes an address of the region live, at a multiple of `align`. Returns 0 if it finds none. */
static uintptr_t take_address(struct empty_region *region, size_t align)
{
    size_t step = align / CHUNK_ALIGN > 0 ? align / CHUNK_ALIGN : 1;
    size_t first = (round_up(region->base, step * CHUNK_ALIGN) - region->base) / CHUNK_ALIGN;
    size_t count = first < region->places ? (region->places - first + step - 1) / step : 0;
    /* Relaxed: a hint. */
    size_t from = atomic_fetch_add_explicit(&region->hint, 1, memory_order_relaxed);

    for (size_t tried = 0; tried < count && tried < TRIES; tried++) {
        size_t place = first + (from + tried) % count * step;

        if (!bit_get(region->live, place) && !bit_raise(region->live, place)) {
            bit_raise(region->was, place);
            return region->base + place * CHUNK_ALIGN;
        }
    }
    return 0;
}

void *empty_alloc(size_t align)
{
    uintptr_t address = 0;
    struct empty_region *region;

    for (region = first_region(); region != NULL && address == 0; region = region->next)
        address = take_address(region, align);
    if (address == 0 && align <= REGION_BYTES / 2) {
        region = create_region();
        address = region == NULL ? 0 : take_address(region, align);
    }
    return pointer_to(address);
}

static struct empty_region *region_around(uintptr_t address)
{
    struct empty_region *region = first_region();

    while (region != NULL && address - region->base >= region->places * CHUNK_ALIGN)
        region = region->next;
    return region;
}

bool empty_free(uintptr_t address)
{
    struct empty_region *region = region_around(address);
    size_t place;
    uint64_t before;

    if (region == NULL || address % CHUNK_ALIGN != 0)
        return false;
    place = (address - region->base) / CHUNK_ALIGN;
    /* If two threads free the same chunk at once, one of them is told. */
    before = atomic_fetch_and_explicit(&region->live[place / WORD_BITS], ~bit_of(place),
                                       memory_order_relaxed); /* see `was` */
    return (before & bit_of(place)) != 0;
}

enum verdict empty_find(uintptr_t address, struct chunk *chunk)
{
    struct empty_region *region = region_around(address);
    size_t place;
    bool live;

    if (region == NULL)
        return CHUNK_NONE;
    place = (address - region->base) / CHUNK_ALIGN;
    live = bit_get(region->live, place);
    *chunk = (struct chunk){.start = region->base + place * CHUNK_ALIGN, .zone = ZONE_TINY};
    if (address != chunk->start)
        return live ? CHUNK_INTERIOR : CHUNK_NONE;
    if (live)
        return CHUNK_LIVE;
    return bit_get(region->was, place) ? CHUNK_FREED : CHUNK_NONE;
}

void empty_walk(void (*visit_region)(void *context, uintptr_t start, size_t size),
                void (*visit_chunk)(void *context, uintptr_t address), void *context)
{
    for (struct empty_region *region = first_region(); region != NULL; region = region->next) {
        visit_region(context, region->base, region->places * CHUNK_ALIGN);
        for (size_t word = 0; word < region->places / WORD_BITS; word++) {
            uint64_t bits =
                atomic_load_explicit(&region->live[word], memory_order_relaxed); /* see `was` */

            for (; bits != 0; bits &= bits - 1)
                visit_chunk(context,
                            region->base +
                                (word * WORD_BITS + (size_t)__builtin_ctzll(bits)) * CHUNK_ALIGN);
        }
    }
}
