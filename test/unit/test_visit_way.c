/*
 * What is given back before a thread touches fresh memory: memory that is free, of the arena that
 * keeps most of it. Each test runs in a child.
 */
#include "unit/visit.h"

#include "arena/thread.h"
#include "base/secret.h"

#include <unistd.h>

enum {
    /* Memory makes way for so much, and at most for so much at once. */
    WAY_BYTES = 256 << 10,
    WAY_PAGES = 16,
    WAY_MOST = 8 << 20,
    /* So many chunks of CHUNK bytes are more than a process keeps in any case. */
    MUCH = 600,
};

#define WAY                                                                                        \
    ((size_t)WAY_PAGES * os_page_size() > WAY_BYTES ? (size_t)WAY_PAGES * os_page_size()           \
                                                    : (size_t)WAY_BYTES)

/*
 * A page of several units is given back if any of them was written to; the last unit of each slab
 * of CHUNK bytes was not.
 */
static size_t unwritten(size_t bytes)
{
    return unit_page_units() == 1 ? 0 : bytes / 16;
}

static size_t kept_after_way(struct arena *arena, size_t fresh)
{
    visit_make_way(fresh);
    return unit_unused(arena);
}

static void keep_little(void *argument)
{
    (void)argument;
    struct arena *arena = unit_arena();
    size_t before = leave_unused(arena, MANY);

    REQUIRE(!kept_is_much(), "%zu bytes are much", before);
    REQUIRE(kept_after_way(arena, WAY_MOST) == before, "given back although it is little");
}

static void test_a_little_may_be_kept(void **state)
{
    (void)state;
    assert_true(unit_child_succeeds(keep_little, NULL));
}

static void keep_much(void *argument)
{
    (void)argument;
    struct arena *little = unit_arena(), *most = unit_arena(), *none = unit_arena();
    size_t little_before = leave_unused(little, MANY), before = leave_unused(most, MUCH), now;

    REQUIRE(kept_is_much() && unit_unused(none) == 0, "%zu bytes are not much", before);
    REQUIRE(kept_after_way(most, WAY - UNIT_SIZE) == before, "given back for little memory");
    now = kept_after_way(most, UNIT_SIZE);
    REQUIRE(now <= before - WAY + unwritten(WAY) && now >= before - 2 * WAY, "%zu bytes became %zu",
            before, now);
    REQUIRE(unit_unused(little) == little_before, "given back where less is kept");
    before = now;
    now = kept_after_way(most, (size_t)100 * WAY_MOST);
    REQUIRE(now <= before - WAY_MOST + unwritten(WAY_MOST) && now >= before - WAY_MOST - WAY,
            "%zu became %zu", before, now);
    while (kept_is_much())
        visit_make_way(WAY_MOST);
    now = unit_unused(most) + unit_unused(little);
    REQUIRE(now > (4 << 20) && now < (12 << 20), "%zu bytes are kept in the end", now);
}

static void test_the_arena_that_keeps_most_gives_back(void **state)
{
    (void)state;
    assert_true(unit_child_succeeds(keep_much, NULL));
}

static void lock_the_keeper(void *argument)
{
    (void)argument;
    struct arena *arena = unit_arena();
    size_t before = leave_unused(arena, MUCH), now;

    arena_lock(arena);
    REQUIRE(kept_after_way(arena, WAY_MOST) == before, "changed without its lock");
    REQUIRE(arena_locked_here(arena), "the lock was given back");
    arena_unlock(arena);
    /* What was owed then is given back later. */
    now = kept_after_way(arena, UNIT_SIZE);
    REQUIRE(now <= before - WAY_MOST + unwritten(WAY_MOST), "%zu bytes became %zu", before, now);
}

static void test_an_arena_in_use_gives_back_later(void **state)
{
    (void)state;
    assert_true(unit_child_succeeds(lock_the_keeper, NULL));
}

static void damage_the_keeper(void *argument)
{
    (void)argument;
    struct arena *arena = unit_arena();
    size_t before = leave_unused(arena, MUCH);

    atomic_store(&arena->damaged, ARENA_DAMAGED);
    REQUIRE(kept_after_way(arena, WAY_MOST) == before, "changed before its repair");
}

static void test_an_arena_that_waits_for_its_repair_is_left_alone(void **state)
{
    (void)state;
    assert_true(unit_child_succeeds(damage_the_keeper, NULL));
}

static void take_fresh_memory(void *argument)
{
    (void)argument;
    enum { CHUNKS = 100 };
    struct arena *idle = unit_arena(), *own = unit_arena();
    size_t before = leave_unused(idle, MUCH);

    thread_self.home = cache_first(own);
    for (unsigned n = 0; n < CHUNKS; n++) {
        struct cache *cache = cache_enter();

        REQUIRE(cache_alloc_aligned(cache, size_class_of(CHUNK), CHUNK) != NULL, "no memory");
        cache_leave(cache);
    }
    REQUIRE(before - unit_unused(idle) >= CHUNKS * (size_t)CHUNK / 2, "only %zu bytes made way",
            before - unit_unused(idle));
    REQUIRE(unit_count_heaps(&idle->small) == 1, "a heap of another arena was unmapped");
}

static void test_fresh_memory_in_one_arena_takes_the_place_of_kept_memory_in_another(void **state)
{
    (void)state;
    assert_true(unit_child_succeeds(take_fresh_memory, NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_little_may_be_kept),
        cmocka_unit_test(test_the_arena_that_keeps_most_gives_back),
        cmocka_unit_test(test_an_arena_in_use_gives_back_later),
        cmocka_unit_test(test_an_arena_that_waits_for_its_repair_is_left_alone),
        cmocka_unit_test(test_fresh_memory_in_one_arena_takes_the_place_of_kept_memory_in_another),
    };
    secret_init(environ);
    clock_init(environ);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
