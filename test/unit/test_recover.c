/*
 * The repair of an arena in steps: how much one call looks at, and that nothing is lost or handed
 * out twice, whatever is allocated and freed in between, and also when another fork comes before
 * the repair ends.
 */
#include "unit/unit.h"

#include "arena/fork.h"
#include "arena/pool.h"
#include "arena/remote.h"
#include "bins/recover.h"
#include "support/pattern.h"
#include "support/require.h"
#include "support/rng.h"

#include <string.h>

enum { CHUNKS = 12000, WORK_MAX = 2 * (1024 + TINY_SLAB_CHUNKS_MAX) };

static char *chunks[CHUNKS];
static size_t sizes[CHUNKS];

static void damage_only(struct arena *arena, bool survivor)
{
    atomic_store(&arena->survivor, survivor);
    atomic_store(&arena->damaged, ARENA_DAMAGED);
}

static void damage(struct arena *arena, bool survivor)
{
    damage_only(arena, survivor);
    for (struct arena *each = atomic_load(&arena_list); each != NULL; each = each->next)
        remote_drop(cache_first(each));
}

static void make(struct arena *arena, struct rng *rng, size_t n)
{
    sizes[n] = rng_below(rng, 8) == 0 ? rng_below(rng, 40000) : rng_below(rng, 900);
    chunks[n] = unit_alloc(arena, sizes[n]);
    pattern_write(chunks[n], 0, sizes[n], n);
}

static void check(size_t n)
{
    struct chunk chunk = unit_chunk(chunks[n]);

    assert_int_equal(chunk.kind, STATE_LIVE);
    assert_int_equal(chunk.requested, sizes[n]);
    assert_int_equal(pattern_mismatch(chunks[n], sizes[n], n), sizes[n]);
}

static void fill(struct arena *arena, struct rng *rng)
{
    for (size_t n = 0; n < CHUNKS; n++)
        make(arena, rng, n);
}

/* As the public calls do it. */
static void free_own(struct arena *arena, size_t n)
{
    struct chunk chunk = unit_chunk(chunks[n]);

    if (!arena_is_damaged(arena) || !arena_keep_for_repair(&chunk))
        cache_free(cache_first(arena), &chunk);
    chunks[n] = NULL;
}

static void free_from(struct arena *other, size_t n)
{
    struct chunk chunk = unit_chunk(chunks[n]);

    remote_free(cache_first(other), &chunk);
    chunks[n] = NULL;
}

/* By a thread that has no cache, and returns the chunk with the arena's lock. */
static void free_without_cache(struct arena *arena, size_t n)
{
    struct chunk chunk = unit_chunk(chunks[n]);

    remote_free(NULL, &chunk);
    chunks[n] = NULL;
    cache_use(cache_first(arena));
}

static void empty(struct arena *arena, struct arena *other)
{
    for (size_t n = 0; n < CHUNKS; n++)
        if (chunks[n] != NULL)
            free_own(arena, n);
    remote_send_all(cache_first(other));
    unit_trim(arena);
    assert_int_equal(atomic_load(&arena->damaged), ARENA_SOUND);
    assert_null(arena->tiny.heaps);
    assert_null(arena->small.heaps);
}

static void test_a_step_is_bounded(void **state)
{
    (void)state;
    struct rng rng = rng_stream(1, 1);

    for (unsigned survivor = 0; survivor < 2; survivor++) {
        struct arena *arena = unit_arena();
        size_t all = recover_looked, steps = 0;

        fill(arena, &rng);
        damage(arena, survivor != 0);
        for (; arena_is_damaged(arena); steps++) {
            size_t before = recover_looked;

            arena_repair_step(arena);
            assert_in_range(recover_looked - before, 0, WORK_MAX);
            unit_alloc(arena, 40);
        }
        /* Each live chunk was looked at, so there was more than one step. */
        assert_true(recover_looked - all >= CHUNKS);
        assert_true(steps > 3);
        for (size_t n = 0; n < CHUNKS; n++)
            check(n);
    }
}

static void test_chunks_freed_in_front_of_the_place_are_reused(void **state)
{
    (void)state;
    struct rng rng = rng_stream(1, 2);
    struct arena *arena = unit_arena(), *other = unit_arena();

    fill(arena, &rng);
    for (size_t n = 0; n < CHUNKS; n += 2)
        free_from(other, n); /* these chunks are in parcels that are lost */
    damage(arena, false);
    while (arena_is_damaged(arena))
        arena_repair_step(arena);
    assert_int_equal(unit_count_state(arena, STATE_REMOTE), 0);
    for (size_t n = 0; n < CHUNKS; n += 2)
        make(arena, &rng, n);
    for (size_t n = 0; n < CHUNKS; n++)
        check(n);
    remote_forget(other);
    empty(arena, other);
}

/*
 * Makes everything happen between the steps: in the arena of the surviving thread, in one that is
 * rebuilt, and in both in turn.
 */
static void mix(unsigned seed, bool (*survives)(unsigned fork))
{
    struct rng rng = rng_stream(2, seed);
    struct arena *arena = unit_arena(), *other = unit_arena();

    fill(arena, &rng);
    for (unsigned fork = 0; fork < 6; fork++) {
        unsigned steps = fork == 5 ? ~0U : (unsigned)rng_below(&rng, 12);

        damage(arena, survives(fork));
        damage(other, true);
        for (arena_repair(other); steps > 0 && arena_is_damaged(arena); steps--) {
            arena_repair_step(arena);
            for (unsigned change = 0; change < 150; change++) {
                size_t n = rng_below(&rng, CHUNKS);

                if (chunks[n] == NULL) {
                    make(arena, &rng, n);
                    continue;
                }
                check(n);
                switch (rng_below(&rng, 4)) {
                case 0:
                    free_without_cache(arena, n);
                    break;
                case 1:
                    free_from(other, n);
                    break;
                default:
                    free_own(arena, n);
                }
            }
        }
    }
    for (size_t n = 0; n < CHUNKS; n++)
        if (chunks[n] != NULL)
            check(n);
    empty(arena, other);
}

static bool always(unsigned fork)
{
    (void)fork;
    return true;
}

static bool never(unsigned fork)
{
    (void)fork;
    return false;
}

/* Its thread forks after the arena was rebuilt in part. */
static bool after_the_first(unsigned fork)
{
    return fork > 0;
}

static bool in_turn(unsigned fork)
{
    return fork % 2 == 0;
}

static void test_everything_between_the_steps(void **state)
{
    (void)state;
    static bool (*const survives[])(unsigned fork) = {always, never, after_the_first, in_turn};

    for (unsigned seed = 0; seed < 20; seed++)
        mix(seed, survives[seed % 4]);
}

static void test_the_heap_of_the_place_is_not_unmapped(void **state)
{
    (void)state;
    struct arena *arena = unit_arena();
    struct heap *heaps[2];

    heaps[0] = unit_take_heap(&arena->small);
    heaps[1] = unit_take_heap(&arena->small);
    damage(arena, true);
    arena_repair_step(arena);
    arena->small.unswept = (struct heap_place){.heap = heaps[1], .number = heaps[1]->number};
    unit_give_heap(heaps[0]);
    unit_give_heap(heaps[1]);
    assert_int_equal(unit_count_heaps(&arena->small), 2);
    unit_trim(arena);
    assert_int_equal(unit_count_heaps(&arena->small), 0);
}

static void test_remote_frees_are_sent_after_the_repair(void **state)
{
    (void)state;
    struct rng rng = rng_stream(1, 3);
    struct arena *arena = unit_arena(), *other = unit_arena();

    fill(arena, &rng);
    damage(arena, true);
    arena_repair_step(arena);
    free_from(other, CHUNKS - 1);
    for (unsigned i = 0; i < OUTGOING; i++)
        assert_null(cache_first(other)->outgoing[i].parcel);
    arena_repair(arena);
    /* The first was found. The second is still to be sent. */
    assert_int_equal(unit_count_state(arena, STATE_REMOTE), 0);
    free_from(other, 1);
    assert_int_equal(unit_count_state(arena, STATE_REMOTE), 1);
    remote_send_all(cache_first(other));
    remote_receive_all(cache_first(arena));
    assert_int_equal(unit_count_state(arena, STATE_REMOTE), 0);
    empty(arena, other);
}

static bool waits_for_repair(struct arena *arena, size_t n)
{
    struct chunk chunk = unit_chunk(chunks[n]);
    struct heap_set *set = chunk.zone == ZONE_SMALL ? &arena->small : &arena->tiny;

    return atomic_load(&arena->damaged) == ARENA_DAMAGED ||
           recover_at_or_behind(&set->unswept, &chunk) ||
           recover_at_or_behind(&set->unknown, &chunk);
}

/*
 * The repair finds a chunk at its place or behind it, so that is only marked. In front of the place
 * nobody would find a mark.
 */
static void free_directly(bool survivor, unsigned steps)
{
    struct rng rng = rng_stream(1, 4);
    struct arena *arena = unit_arena(), *other = unit_arena();
    size_t count[2] = {0, 0};

    fill(arena, &rng);
    damage(arena, survivor);
    for (unsigned step = 0; step < steps; step++)
        arena_repair_step(arena);
    for (size_t n = 0; n < CHUNKS; n += 7) {
        const char *chunk = chunks[n];
        bool waits = waits_for_repair(arena, n);

        free_without_cache(arena, n);
        assert_int_equal(unit_chunk(chunk).kind == STATE_REMOTE, waits);
        assert_int_not_equal(unit_chunk(chunk).kind, STATE_LIVE);
        count[waits]++;
    }
    assert_true(arena_is_damaged(arena) && count[true] > 0 && (count[false] > 0 || steps == 0));
    arena_repair(arena);
    assert_int_equal(unit_count_state(arena, STATE_REMOTE), 0);
    for (size_t n = 0; n < CHUNKS; n++)
        if (chunks[n] != NULL)
            check(n);
    empty(arena, other);
}

/*
 * The cache of a thread that ended before the fork knew heaps of the arena. Its next thread must
 * not free chunks by that: behind the place, the repair would find them, too.
 */
static void test_a_cache_from_before_the_fork_knows_no_heap(void **state)
{
    (void)state;
    struct rng rng = rng_stream(1, 5);
    struct arena *arena = unit_arena(), *other = unit_arena();
    struct cache *cache = cache_first(other);
    size_t behind = 0, collected = 0;

    fill(arena, &rng);
    for (size_t n = 0; n < CHUNKS; n += 5) {
        uint16_t tag = unit_chunk(chunks[n]).zone == ZONE_TINY ? arena->tiny_tag : arena->small_tag;

        assert_true(remote_free_aligned(cache, (uintptr_t)chunks[n], tag));
        chunks[n] = NULL;
    }
    pool_put(cache);
    damage_only(arena, true);
    for (arena_repair_step(arena); arena_is_damaged(arena); arena_repair_step(arena))
        for (size_t n = 0; n < CHUNKS; n++) {
            if (chunks[n] == NULL)
                continue;
            if (waits_for_repair(arena, n)) {
                assert_false(remote_free_known(cache, (uintptr_t)chunks[n], false, 0));
                behind++;
            } else if (n % 3 == 0) {
                free_from(other, n);
                collected++;
            }
        }
    assert_true(collected > 0 && behind > 0);
    empty(arena, other);
}

static void test_frees_with_the_lock_during_a_repair(void **state)
{
    (void)state;
    for (unsigned survivor = 0; survivor < 2; survivor++)
        for (unsigned steps = 0; steps < 9; steps += 4)
            free_directly(survivor != 0, steps);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_step_is_bounded),
        cmocka_unit_test(test_chunks_freed_in_front_of_the_place_are_reused),
        cmocka_unit_test(test_everything_between_the_steps),
        cmocka_unit_test(test_the_heap_of_the_place_is_not_unmapped),
        cmocka_unit_test(test_remote_frees_are_sent_after_the_repair),
        cmocka_unit_test(test_a_cache_from_before_the_fork_knows_no_heap),
        cmocka_unit_test(test_frees_with_the_lock_during_a_repair),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
