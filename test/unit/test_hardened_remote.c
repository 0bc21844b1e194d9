/*
 * Hardened arenas, played by one thread: chunks that threads of other arenas have freed, with a
 * cache of their own and without one. Each test runs in a child, because the option cannot be taken
 * back.
 */
#include "unit/hardened.h"
#include "unit/remote.h"

#include "api/hardened.h"
#include "arena/parcel.h"
#include "arena/remote.h"
#include "arena/thread.h"
#include "support/pattern.h"
#include "support/require.h"

#include <string.h>

/* Frees a live chunk of another arena by a thread without a cache. */
static void give_without_cache(void *pointer)
{
    struct chunk chunk = unit_chunk(pointer);

    hardened_check(&chunk, "free()");
    canary_wipe(chunk.start, chunk.requested, chunk.usable);
    remote_free(NULL, &chunk);
}

enum { COUNT = 100 };

static void require_on_their_way(char *const *chunks, size_t size)
{
    for (size_t n = 0; n < COUNT; n++) {
        REQUIRE(unit_chunk(chunks[n]).kind == STATE_REMOTE, "not on its way");
        REQUIRE(pattern_first_nonzero(chunks[n], size) == size,
                "something is written to a chunk on its way");
    }
}

static void require_to_wait(const struct stack *stack, char *const *chunks, size_t size)
{
    for (size_t n = 0; n < COUNT; n++) {
        REQUIRE(unit_chunk(chunks[n]).kind == STATE_FREE, "not free");
        REQUIRE(pattern_first_nonzero(chunks[n], size) == size, "not zero");
        REQUIRE(!in_stack(stack, chunks[n]), "does not wait");
    }
}

/*
 * Threads of other arenas free the chunks. They are zero on their way, and wait in quarantine like
 * all others.
 */
static void come_home(bool without_cache)
{
    static const size_t sizes[] = {10, 40, 100, 800, 3000};
    struct arena *self = unit_arena(), *owner = unit_arena();
    char *chunks[COUNT];

    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        for (size_t n = 0; n < COUNT; n++)
            memset(chunks[n] = take(owner, sizes[s]), 0xee, sizes[s]);
        for (size_t n = 0; n < COUNT; n++)
            without_cache ? give_without_cache(chunks[n]) : give_abroad(self, chunks[n]);
        remote_send_all(cache_first(self));
        require_on_their_way(chunks, sizes[s]);
        cache_use(cache_first(owner));
        remote_receive_all(cache_first(owner));
        require_to_wait(&cache_first(owner)->stacks.of[size_class_of(sizes[s] + 1)], chunks,
                        sizes[s]);
        chunk_quarantine_flush(cache_first(owner));
    }
}

static void come_home_from_caches(void *unused)
{
    (void)unused;
    come_home(false);
}

static void come_home_from_elsewhere(void *unused)
{
    (void)unused;
    come_home(true);
}

static void test_returned_chunks_are_zero_and_wait(void **state)
{
    (void)state;
    run(come_home_from_caches);
    run(come_home_from_elsewhere);
}

/* Chunks that threads without a cache free keep few parcels from others. */
static void fill_parcels(void *unused)
{
    (void)unused;
    enum { MANY = 4 * PARCEL_CHUNKS };
    struct arena *owner = unit_arena();
    static char *chunks[2][MANY];
    unsigned parcels = 0;

    for (size_t n = 0; n < MANY; n++) {
        chunks[0][n] = take(owner, 10);
        chunks[1][n] = take(owner, 3000);
    }
    for (unsigned small = 0; small < 2; small++)
        for (size_t n = 0; n < MANY; n++)
            give_without_cache(chunks[small][n]);
    for (struct parcel *parcel = owner->unpacking; parcel != NULL; parcel = parcel->next)
        parcels += parcel->count == PARCEL_CHUNKS;
    REQUIRE(parcels == 8, "%u parcels are full", parcels);
    cache_use(cache_first(owner));
    remote_receive_all(cache_first(owner));
    REQUIRE(unit_count_state(owner, STATE_REMOTE) == 0, "not all arrived");
}

static void test_a_parcel_is_filled_before_the_next(void **state)
{
    (void)state;
    run(fill_parcels);
}

/* Without memory for a parcel, the chunk is returned to its slab, and does not wait. */
static void run_out_of_parcels(void *unused)
{
    (void)unused;
    struct arena *owner = unit_arena();
    char *chunk = take(owner, 100), *neighbour = take(owner, 100);

    use_up_parcels(cache_first(owner));
    give_without_cache(chunk);
    REQUIRE(owner->unpacking == NULL && unit_chunk(chunk).kind == STATE_FREE, "not returned");
    os_fail_after(0, false);
    give_without_cache(neighbour);
    REQUIRE(owner->unpacking != NULL && unit_chunk(neighbour).kind == STATE_REMOTE, "returned");
}

static void test_without_memory_for_a_parcel_a_chunk_is_returned(void **state)
{
    (void)state;
    run(run_out_of_parcels);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_returned_chunks_are_zero_and_wait),
        cmocka_unit_test(test_a_parcel_is_filled_before_the_next),
        cmocka_unit_test(test_without_memory_for_a_parcel_a_chunk_is_returned),
    };

    thread_runtime_init(NULL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
