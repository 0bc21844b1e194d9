/*
 * LARGE mappings that wait for the next request make way for slabs: as slow calls take fresh
 * memory, at ticks, and where there is no address space for a heap.
 */
#include "unit/cache.h"

#include "arena/thread.h"
#include "support/require.h"

#include <stdio.h>
#include <sys/resource.h>

void *ft_malloc(size_t size);
void ft_free(void *pointer);

#define MIB ((size_t)1 << 20)
enum { CHUNK = 256 << 10, CHUNKS = 16 };

/* The arena of this thread, in which no tick comes but where a test asks for one. */
static struct arena *own_arena(void)
{
    struct cache *cache = cache_enter();

    assert_non_null(cache);
    cache->arena->bins.next_tick = BINS_NO_TICKS;
    cache->stacks.next_flush = BINS_NO_TICKS;
    cache_leave(cache);
    return cache->arena;
}

static void test_slabs_in_fresh_memory_take_the_place_of_cached_mappings(void **state)
{
    (void)state;
    void *chunks[CHUNKS];
    char *large;

    own_arena();
    /* The first chunk may need a heap, and more of fresh memory. */
    chunks[0] = ft_malloc(CHUNK);
    release(large = allocate(2 * MIB));
    for (unsigned n = 1; n < CHUNKS; n++) {
        assert_int_equal(cached(large), n <= 2 * MIB / CHUNK);
        chunks[n] = ft_malloc(CHUNK);
    }
    for (unsigned n = 0; n < CHUNKS; n++)
        ft_free(chunks[n]);
    /* The same chunks once more are not fresh. */
    release(large = allocate(2 * MIB));
    for (unsigned n = 0; n < CHUNKS; n++)
        chunks[n] = ft_malloc(CHUNK);
    assert_true(cached(large));
    for (unsigned n = 0; n < CHUNKS; n++)
        ft_free(chunks[n]);
}

/* A mapping that has waited for longer than any may. */
static char *put_in_old(void)
{
    char *chunk = allocate(2 * MIB);
    struct large *large;

    registry_lock();
    large = registry_find((uintptr_t)chunk);
    registry_unlock();
    assert_non_null(large);
    release(chunk);
    registry_lock();
    large->freed_at -= (uint64_t)100 * CLOCK_TENTH;
    registry_unlock();
    assert_true(cached(chunk));
    return chunk;
}

/* So many that some of the calls are slow, in a class that shares no other: see stack_shared(). */
static void allocate_and_free_small_ones(void)
{
    enum { MANY = 500 };
    void *chunks[MANY];

    for (unsigned n = 0; n < MANY; n++)
        chunks[n] = ft_malloc(128);
    for (unsigned n = 0; n < MANY; n++)
        ft_free(chunks[n]);
}

static void test_what_has_waited_too_long_goes_at_a_tick(void **state)
{
    (void)state;
    struct arena *arena = own_arena();
    char *large;

    /* Once before, so that none of the memory is fresh later. */
    allocate_and_free_small_ones();
    large = put_in_old();
    allocate_and_free_small_ones();
    assert_true(cached(large));
    arena->bins.next_tick = 0;
    allocate_and_free_small_ones();
    assert_int_not_equal(arena->bins.next_tick, 0);
    assert_false(cached(large));
}

static size_t address_space(void)
{
    FILE *statm = fopen("/proc/self/statm", "r");
    unsigned long pages = 0;

    REQUIRE(statm != NULL && fscanf(statm, "%lu", &pages) == 1, "no /proc/self/statm");
    (void)fclose(statm);
    return pages * os_page_size();
}

static void make_heap_where_cached_mappings_are(void *unused)
{
    enum { CACHED = 8 };
    struct arena *arena = unit_arena();
    struct rlimit limit;
    char *chunks[CACHED];

    (void)unused;
    /* The first SMALL heap of a process has a place that is reserved for it. */
    unit_alloc(unit_arena(), CHUNK);
    for (unsigned n = 0; n < CACHED; n++)
        chunks[n] = allocate(5 * MIB);
    for (unsigned n = 0; n < CACHED; n++)
        release(chunks[n]);
    REQUIRE(large_cached_bytes() == CACHED * 5 * MIB, "%zu bytes are cached", large_cached_bytes());
    limit.rlim_cur = limit.rlim_max = address_space() + 8 * MIB;
    REQUIRE(setrlimit(RLIMIT_AS, &limit) == 0, "setrlimit");
    unit_alloc(arena, CHUNK);
    REQUIRE(large_cached_bytes() == 0, "%zu bytes are still cached", large_cached_bytes());
    REQUIRE(arena->small.heaps->size == SMALL_HEAP_SIZE, "the heap is not whole");
}

static void test_cached_mappings_go_before_a_heap_is_made_smaller(void **state)
{
    (void)state;
    assert_true(unit_child_succeeds(make_heap_where_cached_mappings_are, NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_slabs_in_fresh_memory_take_the_place_of_cached_mappings, empty),
        cmocka_unit_test_setup(test_what_has_waited_too_long_goes_at_a_tick, empty),
        cmocka_unit_test_setup(test_cached_mappings_go_before_a_heap_is_made_smaller, empty),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
