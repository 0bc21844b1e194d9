/*
 * The census: its sums are exact to the byte, and a walk is consistent while other threads go on.
 */
#include "unit/unit.h"

#include "bins/heap_walk.h"
#include "debug/census.h"
#include "debug/walk.h"
#include "large/registry.h"
#include "os/os.h"
#include "support/capture.h"
#include "support/prefixed.h"
#include "support/require.h"
#include "support/rng.h"
#include "support/shown.h"

#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

enum { STABLE = 400, WALKS = 150, MIB = 1 << 20 };

static size_t stable_size(size_t n)
{
    return n % 4 == 3 ? 2000 + n * 53 : n * 37 % (TINY_MAX + 1);
}

static void test_the_sums_of_each_zone(void **state)
{
    (void)state;
    struct census before, after;
    struct arena *arena = unit_arena();
    void *large[3];
    size_t requested[3] = {0}, usable[3] = {0};

    census_take(&before);
    for (size_t n = 0; n < STABLE; n++) {
        size_t size = stable_size(n);
        struct chunk chunk = unit_chunk(unit_alloc(arena, size));

        requested[chunk.zone] += size;
        usable[chunk.zone] += chunk.usable;
    }
    for (size_t n = 0; n < 3; n++) {
        large[n] = ft_malloc(SMALL_MAX + 1 + n);
        assert_non_null(large[n]);
        requested[ZONE_LARGE] += SMALL_MAX + 1 + n;
        usable[ZONE_LARGE] += large_mapping_size(SMALL_MAX + os_page_size());
    }
    census_take(&after);
    for (unsigned zone = ZONE_TINY; zone <= ZONE_LARGE; zone++) {
        size_t chunks = zone == ZONE_TINY ? STABLE / 4 * 3 : zone == ZONE_SMALL ? STABLE / 4 : 3;

        assert_int_equal(after.zone[zone].chunks - before.zone[zone].chunks, chunks);
        assert_int_equal(after.zone[zone].requested - before.zone[zone].requested, requested[zone]);
        assert_int_equal(after.zone[zone].usable - before.zone[zone].usable, usable[zone]);
        assert_true(after.zone[zone].slabs >= after.zone[zone].usable);
    }
    assert_int_equal(after.zone[ZONE_TINY].heaps,
                     unit_count_heaps(&arena->tiny) + before.zone[ZONE_TINY].heaps);
    assert_int_equal(after.zone[ZONE_LARGE].heaps, before.zone[ZONE_LARGE].heaps + 3);
    for (size_t n = 0; n < 3; n++)
        ft_free(large[n]);
    census_take(&before);
    assert_int_equal(before.zone[ZONE_LARGE].chunks, after.zone[ZONE_LARGE].chunks - 3);
    assert_true(before.cached > after.cached);
}

static void test_chunks_that_are_not_live_are_vacant(void **state)
{
    (void)state;
    struct arena *arena = unit_arena();
    struct census before, after;
    void *chunks[100];

    for (size_t n = 0; n < 100; n++)
        chunks[n] = unit_alloc(arena, 64);
    census_take(&before);
    for (size_t n = 0; n < 100; n += 2)
        unit_free(arena, chunks[n]);
    census_take(&after);
    assert_int_equal(before.zone[ZONE_TINY].chunks - after.zone[ZONE_TINY].chunks, 50);
    assert_int_equal(after.zone[ZONE_TINY].vacant - before.zone[ZONE_TINY].vacant, 50);
    assert_int_equal(after.zone[ZONE_TINY].slabs, before.zone[ZONE_TINY].slabs);
}

/* The slab that heap_next_slab() found, as the walk shows it to a visitor. */
static struct walk_slab as_visited(struct heap *heap, struct slab *slab, uint64_t identity)
{
    return (struct walk_slab){
        .heap = heap,
        .slab = slab,
        .identity = identity,
        .shape = &size_classes[identity_class(identity)],
        .start = heap->base + (uintptr_t)identity_unit(identity) * UNIT_SIZE,
    };
}

static void test_slabs_are_visited_in_address_order(void **state)
{
    (void)state;
    struct arena *arena = unit_arena();
    struct walk_chunk chunks[TINY_SLAB_CHUNKS_MAX];
    uintptr_t last = 0;
    size_t seen = 0;
    unsigned at;
    uint64_t identity;
    struct slab *slab;

    for (unsigned size_class = TINY_CLASSES; size_class < SIZE_CLASSES; size_class++)
        unit_alloc(arena, size_classes[size_class].size);
    assert_int_equal(unit_count_heaps(&arena->small), 1);
    at = heap_first_unit(arena->small.heaps);
    while ((slab = heap_next_slab(arena->small.heaps, &at, &identity)) != NULL) {
        struct walk_slab visited = as_visited(arena->small.heaps, slab, identity);
        unsigned count = walk_live(&visited, chunks);

        for (unsigned n = 0; n < count; n++) {
            assert_true(chunks[n].start > last);
            assert_int_equal(chunks[n].usable, visited.shape->size);
            last = chunks[n].start;
        }
        seen += count;
    }
    assert_int_equal(seen, SIZE_CLASSES - TINY_CLASSES);
}

static void test_a_slab_that_was_replaced_has_no_chunks(void **state)
{
    (void)state;
    struct arena *arena = unit_arena();
    struct walk_chunk chunks[TINY_SLAB_CHUNKS_MAX];
    struct chunk chunk = unit_chunk(unit_alloc(arena, 2000));
    struct walk_slab visited =
        as_visited(arena->small.heaps, chunk.slab, atomic_load(&chunk.slab->identity));

    assert_int_equal(walk_live(&visited, chunks), 1);
    assert_int_equal(chunks[0].start, chunk.start);
    assert_int_equal(chunks[0].requested, 2000);
    visited.identity += (uint64_t)1 << 32;
    assert_int_equal(walk_live(&visited, chunks), 0);
}

static struct large *pretend(uintptr_t address, size_t requested)
{
    struct large *large = registry_new();

    assert_non_null(large);
    atomic_store(&large->requested, requested + 1);
    large->mapped = large->reserved = round_up(requested + 1, os_page_size());
    registry_insert(large, address);
    return large;
}

/* Takes pretended chunks out of the registry again. */
static void forget(struct large **descriptors, size_t count)
{
    registry_lock();
    for (size_t n = 0; n < count; n++) {
        registry_remove(descriptors[n]);
        registry_drop(descriptors[n]);
    }
    registry_unlock();
}

/*
 * A walk may see places that overlap, because memory was unmapped and mapped elsewhere meanwhile,
 * and something else is in the old place by then.
 */
static void test_of_overlapping_places_the_lower_is_listed(void **state)
{
    (void)state;
    static const uintptr_t at = (uintptr_t)1 << 44; /* an address far from where the kernel maps */
    static const struct {
        uintptr_t offset;
        size_t requested;
        bool shown;
    } seen[] = {
        {0, MIB, true},         {0x100000, MIB, true},
        {0x180000, MIB, false}, {0x1ff000, OS_PAGE, false},
        {0x200000, 0, true},    {0x200000, 0, false},
        {0x201000, 1, true},
    };
    enum { COUNT = sizeof seen / sizeof *seen };
    struct large *descriptors[COUNT];
    struct capture capture;
    struct shown shown;

    for (size_t n = COUNT; n-- > 0;) {
        registry_lock();
        descriptors[n] = pretend(at + seen[n].offset, seen[n].requested);
        registry_unlock();
    }
    capture_open(&capture, STDOUT_FILENO);
    capture_call(&capture, show_alloc_mem);
    forget(descriptors, COUNT);
    assert_true(shown_parse(&shown, capture.text, capture.length));
    for (size_t n = 0; n < COUNT; n++) {
        const struct shown_chunk *chunk =
            shown_find(&shown, (const void *)(at + seen[n].offset)); // NOLINT: an address

        if (seen[n].shown)
            assert_true(chunk != NULL && chunk->size == seen[n].requested);
        else if (seen[n].offset != 0x200000)
            assert_null(chunk);
    }
    shown_free(&shown);
    capture_close(&capture);
}

static _Atomic bool stop;

static void *go_on(void *argument)
{
    struct rng rng = rng_stream(*(const uint64_t *)argument, 0);
    void *chunks[200] = {NULL};

    while (!atomic_load(&stop)) {
        size_t n = rng_below(&rng, 200);

        ft_free(chunks[n]);
        chunks[n] = ft_malloc(rng_below(&rng, rng_below(&rng, 16) == 0 ? 200000 : TINY_MAX + 100));
        REQUIRE(chunks[n] != NULL, "no memory");
        if (rng_below(&rng, 5000) == 0)
            ft_malloc_trim(0);
    }
    for (size_t n = 0; n < 200; n++)
        ft_free(chunks[n]);
    return NULL;
}

/* The chunks that are live throughout, and how often a walk saw one of them with its size. */
struct search {
    const struct walk_chunk *stable;
    size_t found;
};

static void find_in_slab(void *context, const struct walk_slab *slab)
{
    static struct walk_chunk chunks[TINY_SLAB_CHUNKS_MAX];
    struct search *search = context;
    unsigned seen = walk_live(slab, chunks);

    for (unsigned n = 0; n < seen; n++)
        for (size_t i = 0; i < STABLE; i++)
            search->found += chunks[n].start == search->stable[i].start &&
                             chunks[n].requested == search->stable[i].requested;
}

static void test_chunks_live_throughout_are_always_seen(void **state)
{
    (void)state;
    static const struct walk_visitor visitor = {.slab = find_in_slab};
    static struct walk_chunk stable[STABLE];
    static void *freed[STABLE];
    static const uint64_t seeds[2] = {3, 4};
    pthread_t threads[2];

    for (size_t n = 0; n < STABLE; n++) {
        stable[n].start = (uintptr_t)ft_malloc(stable_size(n));
        stable[n].requested = (uint32_t)stable_size(n);
        assert_true(stable[n].start != 0);
        freed[n] = ft_malloc(stable_size(n));
    }
    for (size_t n = 0; n < STABLE; n++)
        ft_free(freed[n]);
    for (size_t n = 0; n < 2; n++)
        assert_int_equal(pthread_create(&threads[n], NULL, go_on, (void *)(uintptr_t)&seeds[n]), 0);
    for (unsigned walk = 0; walk < WALKS; walk++) {
        struct search search = {.stable = stable};
        struct census census;

        census_take(&census);
        assert_true(census.zone[ZONE_TINY].chunks >= STABLE / 4 * 3);
        walk_all(&visitor, &search);
        assert_int_equal(search.found, STABLE);
    }
    atomic_store(&stop, true);
    for (size_t n = 0; n < 2; n++)
        assert_int_equal(pthread_join(threads[n], NULL), 0);
    for (size_t n = 0; n < STABLE; n++)
        ft_free((void *)stable[n].start);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_sums_of_each_zone),
        cmocka_unit_test(test_chunks_that_are_not_live_are_vacant),
        cmocka_unit_test(test_slabs_are_visited_in_address_order),
        cmocka_unit_test(test_a_slab_that_was_replaced_has_no_chunks),
        cmocka_unit_test(test_of_overlapping_places_the_lower_is_listed),
        cmocka_unit_test(test_chunks_live_throughout_are_always_seen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
