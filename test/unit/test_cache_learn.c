/*
 * What the cache of freed LARGE mappings learns: how many bytes are worth keeping, and for how
 * long. Also what live chunks may hold of mappings that grew before.
 */
#include "unit/cache.h"
#include "unit/unit.h"

#include "base/clock.h"
#include "large/large.h"
#include "large/registry.h"
#include "os/os.h"

enum { MIB = 1 << 20, AT_FIRST = 2 * MIB, COUNT = 20 };

static const uint64_t second = (uint64_t)10 * CLOCK_TENTH;

/* The cache has learned nothing yet. */
static int unlearned(void **state)
{
    (void)state;
    large_trim();
    registry_lock();
    cache_reset();
    registry_unlock();
    /* A period begins here, so that what is learned now is not forgotten at once. */
    learn(0);
    return 0;
}

static void allocate_all(char *chunks[COUNT], size_t size)
{
    for (size_t n = 0; n < COUNT; n++)
        chunks[n] = allocate(size);
}

static void release_all(char *chunks[COUNT])
{
    for (size_t n = 0; n < COUNT; n++)
        release(chunks[n]);
}

/* Later calls may all be such that none looks at the cache. So the cache must be small at once. */
static void test_an_unwanted_mapping_is_unmapped_at_once(void **state)
{
    (void)state;
    char *chunks[COUNT];

    allocate_all(chunks, 8 * MIB);
    release_all(chunks);
    assert_int_equal(large_cached_bytes(), 0);
    allocate_all(chunks, MIB / 2);
    release_all(chunks);
    assert_in_range(large_cached_bytes(), MIB / 2, AT_FIRST);
}

static void test_a_wanted_mapping_is_kept_the_next_time(void **state)
{
    (void)state;
    char *chunks[COUNT];
    bool clean;

    allocate_all(chunks, 4 * MIB);
    release_all(chunks);
    allocate_all(chunks, 4 * MIB);
    release_all(chunks);
    assert_int_equal(large_cached_bytes(), (size_t)COUNT * 4 * MIB);
    struct os_counters before = os_counted();
    for (size_t n = 0; n < COUNT; n++)
        assert_non_null(chunks[n] = large_alloc(4 * MIB - n, 1, &clean));
    assert_int_equal(os_counted().mmap, before.mmap);
    release_all(chunks);
}

static void test_a_request_of_another_size_teaches_nothing(void **state)
{
    (void)state;
    static const size_t others[] = {4 * MIB + 1, 2 * MIB - MIB / 8};
    char *chunk;

    for (size_t n = 0; n < 2; n++)
        for (size_t again = 0; again < 5; again++) {
            release(allocate(4 * MIB));
            chunk = allocate(others[n]);
            assert_int_equal(large_cached_bytes(), 0);
            assert_int_equal(large_free((uintptr_t)chunk, false), LARGE_FREED);
            /* The size is remembered for one request only. */
            large_trim();
        }
}

static void test_a_mapping_too_large_to_keep_evicts_nothing(void **state)
{
    (void)state;
    char *small = allocate(MIB), *large = allocate(4 * MIB);

    release(small);
    release(large);
    assert_true(cached(small));
    assert_false(cached(large));
}

static void put_in(size_t size, uint64_t freed_at)
{
    struct large *large;

    release(allocate(size));
    registry_lock();
    assert_non_null(large = cache_take(size, 1));
    cache_count_live(-large->mapped);
    cache_put(large, freed_at);
    registry_unlock();
}

static void test_a_mapping_that_waits_in_vain_is_evicted(void **state)
{
    (void)state;
    learn(8 * MIB);
    put_in(8 * MIB, clock_now() - 10 * second);
    assert_int_equal(large_cached_bytes(), 8 * MIB);
    /* The mapping is too old and is evicted, and the next one of its size is not kept. */
    large_make_way(0);
    assert_int_equal(large_cached_bytes(), 0);
    release(allocate(8 * MIB));
    assert_int_equal(large_cached_bytes(), 0);
}

/*
 * Looks at the cache at a later time, and stores again what it evicts, so that no mapping is lost.
 */
static void look(uint64_t now)
{
    struct large *evicted;

    registry_lock();
    evicted = cache_evict(now, false);
    for (struct large *next; evicted != NULL; evicted = next) {
        next = evicted->next;
        cache_put(evicted, now);
    }
    registry_unlock();
}

static void test_a_period_without_requests_halves_what_was_learned(void **state)
{
    (void)state;
    uint64_t now = clock_now();

    learn(16 * MIB);
    release(allocate(16 * MIB));
    assert_int_equal(large_cached_bytes(), 16 * MIB);
    large_trim();
    look(now + 9 * second);
    release(allocate(16 * MIB));
    assert_int_equal(large_cached_bytes(), 0);
    release(allocate(8 * MIB));
    assert_int_equal(large_cached_bytes(), 8 * MIB);
}

static void test_a_long_pause_makes_it_forget_everything(void **state)
{
    (void)state;
    uint64_t now = clock_now();

    learn(100 * MIB);
    look(now + 30 * second);
    release(allocate(3 * MIB));
    assert_int_equal(large_cached_bytes(), 0);
}

static char *grown_in_cache(size_t size)
{
    char *chunk = large_alloc_growing(size, &(bool){false});

    assert_non_null(chunk);
    release(chunk);
    assert_true(cached(chunk));
    return chunk;
}

static size_t usable(const char *chunk)
{
    struct large_info info;

    assert_true(large_find((uintptr_t)chunk, &info) && info.live);
    return info.usable;
}

/* Chunks that stay small must not hold mappings that grew before, however many there are. */
static void test_live_chunks_hold_a_bounded_part_of_grown_mappings(void **state)
{
    (void)state;
    enum { MANY = 200, SIZE = 20000 };
    char *chunks[MANY];
    size_t held = 0;

    learn(SIZE_MAX / 2);
    for (size_t n = 0; n < MANY; n++) {
        grown_in_cache(MIB);
        chunks[n] = large_reuse_growing(SIZE);
        if (chunks[n] == NULL)
            chunks[n] = allocate(SIZE);
        held += usable(chunks[n]) - SIZE;
    }
    assert_in_range(held, 2 * MIB, 8 * MIB);
    release_all(chunks);
    /* Freed chunks are not counted any more. */
    grown_in_cache(MIB);
    assert_non_null(chunks[0] = large_reuse_growing(SIZE));
    release(chunks[0]);
    for (size_t n = COUNT; n < MANY; n++)
        release(chunks[n]);
}

static void test_room_that_a_chunk_grows_into_is_not_counted(void **state)
{
    (void)state;
    enum { MANY = 20, SIZE = 20000 };
    char *chunks[MANY];

    learn(SIZE_MAX / 2);
    for (size_t n = 0; n < MANY; n++) {
        grown_in_cache(MIB);
        assert_non_null(chunks[n] = large_reuse_growing(SIZE));
        /* The first chunk grows within its mapping; the others grow into the headroom as well. */
        if (n == 0)
            assert_true(large_grow_within((uintptr_t)chunks[n], MIB));
        else
            assert_true(large_resize((uintptr_t)chunks[n], MIB + os_page_size()));
    }
    release_all(chunks);
}

/* The growing buffer is small when it asks, and no request has found a cached mapping yet. */
static void test_a_buffer_that_grows_again_teaches_too(void **state)
{
    (void)state;
    char *chunk = large_alloc_growing(8 * MIB, &(bool){false});

    assert_non_null(chunk);
    release(chunk);
    assert_int_equal(large_cached_bytes(), 0);
    assert_null(large_reuse_growing(MIB));
    chunk = grown_in_cache(8 * MIB);
    assert_ptr_equal(large_reuse_growing(MIB), chunk);
    release(chunk);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_an_unwanted_mapping_is_unmapped_at_once, unlearned),
        cmocka_unit_test_setup(test_a_wanted_mapping_is_kept_the_next_time, unlearned),
        cmocka_unit_test_setup(test_a_request_of_another_size_teaches_nothing, unlearned),
        cmocka_unit_test_setup(test_a_mapping_too_large_to_keep_evicts_nothing, unlearned),
        cmocka_unit_test_setup(test_a_mapping_that_waits_in_vain_is_evicted, unlearned),
        cmocka_unit_test_setup(test_a_period_without_requests_halves_what_was_learned, unlearned),
        cmocka_unit_test_setup(test_a_long_pause_makes_it_forget_everything, unlearned),
        cmocka_unit_test_setup(test_live_chunks_hold_a_bounded_part_of_grown_mappings, unlearned),
        cmocka_unit_test_setup(test_room_that_a_chunk_grows_into_is_not_counted, unlearned),
        cmocka_unit_test_setup(test_a_buffer_that_grows_again_teaches_too, unlearned),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
