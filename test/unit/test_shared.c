/*
 * Arenas that several threads share, each with a cache of its own. Each test runs in a child.
 */
#include "unit/unit.h"

#include "arena/pool.h"
#include "arena/remote.h"
#include "arena/thread.h"
#include "support/pattern.h"
#include "support/prefixed.h"
#include "support/require.h"

#include <pthread.h>
#include <stdatomic.h>

enum { CHUNK = 30000, MANY = 128 };

/* An arena and the caches of two threads in front of it. */
static struct arena *share(struct cache **first, struct cache **second)
{
    REQUIRE(pool_limit(1), "the limit came too late");
    *first = pool_get();
    *second = pool_get();
    REQUIRE(*first != NULL && *second != NULL && *first != *second, "no caches");
    REQUIRE((*first)->arena == (*second)->arena, "the arena is not shared");
    atomic_store(&(*first)->arena->bins.next_tick, BINS_NO_TICKS);
    (*first)->stacks.next_flush = (*second)->stacks.next_flush = BINS_NO_TICKS;
    return (*first)->arena;
}

/* What a thread does with its cache in slow calls. */
static void *allocate(struct cache *cache, size_t size)
{
    void *chunk;

    cache_use(cache);
    chunk = cache_alloc_aligned(cache, size_class_of(size), size);
    REQUIRE(chunk != NULL, "no memory");
    return chunk;
}

static void release(struct cache *cache, void *pointer)
{
    struct chunk chunk = unit_chunk(pointer);

    cache_use(cache);
    cache_free(cache, &chunk);
}

/* Allocates where there is a stack, which a further cache does not have from the beginning. */
static void *allocate_again(struct cache *cache, size_t size)
{
    for (unsigned n = 0; n < 2; n++)
        release(cache, allocate(cache, size));
    return allocate(cache, size);
}

static void keep_stacks_apart(void *argument)
{
    struct cache *first, *second;
    struct arena *arena = share(&first, &second);

    (void)argument;
    for (unsigned size_class = 0; size_class < TINY_CLASSES; size_class++) {
        size_t size = size_classes[size_class].size;
        struct stack *one = &first->stacks.of[size_class], *other = &second->stacks.of[size_class];
        void *chunk = allocate(first, size), *by_other = allocate_again(second, size);
        unsigned count = stack_count(one), live = (unsigned)unit_count_state(arena, STATE_LIVE);

        REQUIRE(one->slots + one->capacity <= other->slots ||
                    other->slots + other->capacity <= one->slots,
                "two caches have the same slots");
        REQUIRE(bin_of(one) == bin_of(other) && chunk != by_other, "one chunk for two threads");
        /* A chunk that one thread allocated and the other one frees is no remote free. */
        release(second, chunk);
        REQUIRE(unit_chunk(chunk).kind == STATE_FREE, "not free");
        REQUIRE(stack_count(one) == count && other->top[-1] == chunk, "in the wrong stack");
        REQUIRE(remote_inbox_empty(arena), "sent to its own arena");
        REQUIRE(unit_count_state(arena, STATE_LIVE) == live - 1, "more than one was freed");
        REQUIRE(allocate(first, size) != chunk, "a chunk from the stack of another thread");
        REQUIRE(allocate(second, size) == chunk, "not the chunk that was freed last");
    }
}

static void test_each_cache_has_its_own_stacks(void **state)
{
    (void)state;
    assert_true(unit_child_succeeds(keep_stacks_apart, NULL));
}

static void keep_tables_apart(void *argument)
{
    struct cache *first, *second;
    struct arena *arena = share(&first, &second);
    uintptr_t tiny = (uintptr_t)allocate(first, 100), small = (uintptr_t)allocate(first, CHUNK);

    (void)argument;
    REQUIRE(heap_owned(&first->own_tiny, tiny, TINY_HEAP_SHIFT) &&
                heap_owned(&first->own_small, small, SMALL_HEAP_SHIFT),
            "not in the table of the thread that made the heap");
    REQUIRE(!heap_owned(&second->own_tiny, tiny, TINY_HEAP_SHIFT) &&
                !heap_owned(&second->own_small, small, SMALL_HEAP_SHIFT),
            "in the table of another thread");
    REQUIRE(arena->tiny.own == &first->own_tiny && arena->small.own == &first->own_small,
            "not the table of the thread that has the lock");
    cache_use(second);
    REQUIRE(arena->tiny.own == &second->own_tiny && arena->small.own == &second->own_small,
            "not the table of the thread that has the lock now");
    REQUIRE(!arena->tiny.alone && !arena->small.alone, "there are two threads");
}

static void test_each_cache_has_its_own_table_of_heaps(void **state)
{
    (void)state;
    assert_true(unit_child_succeeds(keep_tables_apart, NULL));
}

static void unmap_only_alone(void *argument)
{
    struct cache *first, *second;
    struct arena *arena = share(&first, &second);
    void *chunks[MANY], *by_second = allocate(second, CHUNK);

    (void)argument;
    for (unsigned n = 0; n < MANY; n++)
        chunks[n] = allocate(first, CHUNK);
    for (unsigned n = 0; n < MANY; n++)
        release(first, chunks[n]);
    release(second, by_second);
    cache_use(first);
    cache_flush(first);
    cache_use(second);
    cache_flush(second);
    REQUIRE(unit_unused(arena) > (size_t)MANY * CHUNK / 2, "nothing to give back");
    REQUIRE(arena_trim(arena) > (size_t)MANY * CHUNK / 2 && unit_unused(arena) == 0,
            "unused memory is kept");
    REQUIRE(unit_count_heaps(&arena->small) == 1, "a heap was unmapped that two threads may know");
    pool_put(first);
    REQUIRE(unit_count_heaps(&arena->small) == 1, "unmapped at the end of one thread");
    /* The other one is alone now. */
    cache_use(second);
    REQUIRE(arena->small.alone && arena_trim(arena) >= SMALL_HEAP_SIZE, "not unmapped");
    REQUIRE(unit_count_heaps(&arena->small) == 0, "a heap is left");
    REQUIRE(!heap_owned(&second->own_small, (uintptr_t)by_second, SMALL_HEAP_SHIFT) &&
                !heap_owned(&first->own_small, (uintptr_t)by_second, SMALL_HEAP_SHIFT),
            "a table has a heap that is gone");
}

static void test_heaps_are_unmapped_only_by_a_thread_that_is_alone(void **state)
{
    (void)state;
    assert_true(unit_child_succeeds(unmap_only_alone, NULL));
}

enum { THREADS = 4, ROUNDS = 20000, SLOTS = 64, SIZE_MOST = 3000 };
static void *_Atomic slots[SLOTS];

/* Chunks pass from thread to thread; each holds its size and a pattern that belongs to it. */
static void check_and_free(size_t *chunk)
{
    REQUIRE(pattern_mismatch(chunk + 1, *chunk, *chunk) == *chunk, "a chunk has two owners");
    ft_free(chunk);
}

static void *pass_around(void *argument)
{
    unsigned mix = (unsigned)(uintptr_t)argument * 7919U + 1;

    for (unsigned round = 0; round < ROUNDS; round++) {
        size_t *chunk, size;

        mix = mix * 1664525U + 1013904223U;
        size = (mix >> 8) % SIZE_MOST;
        chunk = ft_malloc(sizeof *chunk + size);
        REQUIRE(chunk != NULL, "no memory");
        *chunk = size;
        pattern_write(chunk + 1, 0, size, size);
        chunk = atomic_exchange(&slots[mix >> 24 & (SLOTS - 1)], chunk);
        if (chunk != NULL)
            check_and_free(chunk);
    }
    return NULL;
}

static void share_among_threads(void *argument)
{
    pthread_t threads[THREADS];

    (void)argument;
    REQUIRE(pool_limit(1), "the limit came too late");
    for (uintptr_t n = 0; n < THREADS; n++)
        REQUIRE(pthread_create(&threads[n], NULL, pass_around, pointer_to(n)) == 0, "no thread");
    for (unsigned n = 0; n < THREADS; n++)
        REQUIRE(pthread_join(threads[n], NULL) == 0, "cannot join");
    for (unsigned n = 0; n < SLOTS; n++)
        if (slots[n] != NULL)
            check_and_free(slots[n]);
    REQUIRE(atomic_load(&arena_list)->next == NULL, "more than one arena");
    REQUIRE(unit_count_state(atomic_load(&arena_list), STATE_LIVE) == 0, "chunks are left");
    REQUIRE(unit_count_state(atomic_load(&arena_list), STATE_REMOTE) == 0,
            "sent to their own arena");
}

static void test_threads_pass_chunks_around_in_one_arena(void **state)
{
    (void)state;
    assert_true(unit_child_succeeds(share_among_threads, NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_cache_has_its_own_stacks),
        cmocka_unit_test(test_each_cache_has_its_own_table_of_heaps),
        cmocka_unit_test(test_heaps_are_unmapped_only_by_a_thread_that_is_alone),
        cmocka_unit_test(test_threads_pass_chunks_around_in_one_arena),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
