/*
 * Freed LARGE chunks in a thread's own stash. They are allocated and freed without the registry's
 * lock; the stash is bounded; whoever gives memory back finds them; and a second free is refused,
 * whichever way it takes.
 */
#include "unit/cache.h"
#include "unit/unit.h"

#include "base/clock.h"
#include "large/large.h"
#include "large/registry.h"
#include "large/stash.h"
#include "os/os.h"

#include <pthread.h>

enum { SIZE = 300000, MIB = 1 << 20, BYTES_MAX = 4 * MIB };

static struct large_stash stash;

static const uint64_t second = (uint64_t)10 * CLOCK_TENTH;

static char *handed_out(size_t size)
{
    char *chunk = large_stash_take(&stash, size);

    if (chunk == NULL) {
        chunk = allocate(size);
        large_stash_hand_out(&stash, (uintptr_t)chunk);
    }
    return chunk;
}

static void release_here(char *chunk)
{
    assert_true(large_stash_free(&stash, (uintptr_t)chunk));
}

static size_t requested(const char *chunk)
{
    struct large_info info;

    assert_true(large_find((uintptr_t)chunk, &info) && info.live);
    return info.requested;
}

/* The test holds the lock, so that a call which wanted it would wait for ever. */
static void test_it_needs_no_lock(void **state)
{
    (void)state;
    char *chunk = handed_out(SIZE);

    registry_lock();
    release_here(chunk);
    assert_ptr_equal(large_stash_take(&stash, SIZE - 7), chunk);
    release_here(chunk);
    assert_ptr_equal(large_stash_take(&stash, SIZE - 8), chunk);
    registry_unlock();
    assert_int_equal(requested(chunk), SIZE - 8);
    release_here(chunk);
    assert_true(cached(chunk));
}

static void test_only_a_fitting_chunk_is_taken(void **state)
{
    (void)state;
    char *chunk = handed_out(512 << 10);

    release_here(chunk);
    assert_null(large_stash_take(&stash, (512 << 10) + 1));
    assert_null(large_stash_take(&stash, 128 << 10));
    assert_ptr_equal(large_stash_take(&stash, 256 << 10), chunk);
    release_here(chunk);
}

static void test_a_second_free_is_refused(void **state)
{
    (void)state;
    char *chunk = handed_out(SIZE);

    release_here(chunk);
    assert_false(large_stash_free(&stash, (uintptr_t)chunk));
    assert_int_equal(large_free((uintptr_t)chunk, true), LARGE_WAS_FREE);
    assert_ptr_equal(handed_out(SIZE), chunk);
    /* The chunk was freed elsewhere, so freeing it here is refused. */
    assert_int_equal(large_free((uintptr_t)chunk, true), LARGE_FREED);
    assert_false(large_stash_free(&stash, (uintptr_t)chunk));
    large_trim();
    assert_false(large_stash_free(&stash, (uintptr_t)chunk));
    assert_int_equal(large_free((uintptr_t)chunk, true), LARGE_UNKNOWN);
}

static void test_chunks_allocated_elsewhere_are_unknown(void **state)
{
    (void)state;
    static struct large_stash other;
    char *chunk = handed_out(SIZE);

    assert_false(large_stash_free(&other, (uintptr_t)chunk));
    assert_int_equal(requested(chunk), SIZE);
    release(chunk);
}

static void test_it_is_bounded(void **state)
{
    (void)state;
    enum { COUNT = 40 };
    static const size_t sizes[] = {SIZE, MIB};
    char *chunks[COUNT];

    for (size_t n = 0; n < 2; n++) {
        size_t held = 0;

        for (size_t i = 0; i < COUNT; i++)
            chunks[i] = handed_out(sizes[n]);
        for (size_t i = 0; i < COUNT; i++)
            if (!large_stash_free(&stash, (uintptr_t)chunks[i]))
                release(chunks[i]);
        for (size_t i = 0; i < COUNT; i++)
            held += cached(chunks[i]) ? sizes[n] : 0;
        assert_in_range(held, sizes[n], large_cached_bytes());
        assert_in_range(stash_bytes(), SIZE, BYTES_MAX);
        large_trim();
        for (size_t i = 0; i < COUNT; i++)
            assert_false(cached(chunks[i]));
    }
}

static void test_large_mappings_are_not_kept(void **state)
{
    (void)state;
    char *chunk = handed_out(2 * MIB);

    if (!large_stash_free(&stash, (uintptr_t)chunk))
        release(chunk);
    assert_null(large_stash_take(&stash, 2 * MIB));
    assert_int_equal(large_cached_bytes(), 2 * MIB);
}

/* Other threads empty the stash, with the lock only. */
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

static void test_unused_chunks_leave_the_stash(void **state)
{
    (void)state;
    uint64_t now = clock_now();
    char *used = handed_out(SIZE), *idle = handed_out(2 * SIZE);

    release_here(idle);
    release_here(used);
    look(now + 10 * second);
    look(now + 20 * second);
    assert_true(cached(idle) && cached(used));
    assert_null(large_stash_take(&stash, 2 * SIZE));
    assert_null(large_stash_take(&stash, SIZE));
    large_trim();
    assert_false(cached(idle) || cached(used));
}

static void test_chunks_used_now_and_then_stay(void **state)
{
    (void)state;
    uint64_t now = clock_now();
    char *used = handed_out(SIZE);

    for (unsigned n = 1; n <= 20; n++) {
        release_here(used);
        look(now + n * 8 * second);
        assert_ptr_equal(large_stash_take(&stash, SIZE), used);
    }
    release_here(used);
}

enum { ROUNDS = 20000, WATCHERS = 2 };
static _Atomic bool done;

static void *trim(void *unused)
{
    while (!atomic_load(&done))
        large_trim();
    return unused;
}

/* Other threads empty the stash all the while. No chunk is handed out twice, and none is lost. */
static void test_others_may_empty_it_at_any_time(void **state)
{
    (void)state;
    enum { LIVE = 5 };
    pthread_t watchers[WATCHERS];
    char *chunks[LIVE];

    for (size_t n = 0; n < WATCHERS; n++)
        assert_int_equal(pthread_create(&watchers[n], NULL, trim, NULL), 0);
    for (size_t round = 0; round < ROUNDS / LIVE; round++) {
        for (size_t n = 0; n < LIVE; n++) {
            chunks[n] = handed_out(SIZE);
            *chunks[n] = (char)n;
        }
        for (size_t n = 0; n < LIVE; n++)
            assert_int_equal(*chunks[n], n);
        for (size_t n = 0; n < LIVE; n++)
            if (!large_stash_free(&stash, (uintptr_t)chunks[n]))
                release(chunks[n]);
    }
    atomic_store(&done, true);
    for (size_t n = 0; n < WATCHERS; n++)
        pthread_join(watchers[n], NULL);
    large_trim();
    for (size_t n = 0; n < LIVE; n++)
        assert_false(cached(chunks[n]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_it_needs_no_lock, empty),
        cmocka_unit_test_setup(test_only_a_fitting_chunk_is_taken, empty),
        cmocka_unit_test_setup(test_a_second_free_is_refused, empty),
        cmocka_unit_test_setup(test_chunks_allocated_elsewhere_are_unknown, empty),
        cmocka_unit_test_setup(test_it_is_bounded, empty),
        cmocka_unit_test_setup(test_large_mappings_are_not_kept, empty),
        cmocka_unit_test_setup(test_unused_chunks_leave_the_stash, empty),
        cmocka_unit_test_setup(test_chunks_used_now_and_then_stay, empty),
        cmocka_unit_test_setup(test_others_may_empty_it_at_any_time, empty),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
