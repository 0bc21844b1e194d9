/*
 * Walking over heaps: the heap that the walker is in stays mapped, all others may come and go, and
 * no lock is held meanwhile.
 */
#include "unit/unit.h"

#include "base/structure_lock.h"
#include "bins/heap_walk.h"
#include "support/require.h"

#include <pthread.h>
#include <stdatomic.h>

enum { HEAPS = 6, ROUNDS = 300, WALKERS = 3 };

static size_t make_heaps(struct heap_set *set, struct heap **heaps, size_t count)
{
    for (size_t n = 0; n < count; n++)
        heaps[n] = unit_take_heap(set);
    return count;
}

static void test_each_heap_is_visited_once(void **state)
{
    struct heap_set *set = &unit_arena()->tiny;
    struct heap *heaps[HEAPS], *heap;
    size_t n = make_heaps(set, heaps, HEAPS);

    (void)state;
    for (heap = heap_walk(set, NULL); heap != NULL; heap = heap_walk(set, heap))
        assert_ptr_equal(heap, heaps[--n]);
    assert_int_equal(n, 0);
    for (n = 0; n < HEAPS; n++)
        assert_false(heap_pinned(heaps[n]));
    assert_null(heap_walk(&unit_arena()->small, NULL));
}

static void test_no_lock_is_held_inside_a_heap(void **state)
{
    struct heap_set *set = &unit_arena()->tiny;
    struct heap *heap;

    (void)state;
    unit_take_heap(set);
    heap = heap_walk(set, NULL);
    assert_true(structure_lock_try_write());
    assert_true(heap_pinned(heap));
    structure_unlock();
    assert_null(heap_walk(set, heap));
    assert_false(heap_pinned(heap));
}

/*
 * Unmaps heaps in every possible way: when they get empty, at a tick, by malloc_trim, and for lack
 * of memory.
 */
static void test_the_heap_that_a_walker_is_in_stays(void **state)
{
    struct heap_set *set = &unit_arena()->tiny;
    struct heap *heaps[4], *heap;

    (void)state;
    make_heaps(set, heaps, 4);
    heap = heap_walk(set, heap_walk(set, NULL));
    assert_ptr_equal(heap, heaps[2]);
    for (size_t n = 0; n < 4; n++)
        unit_give_heap(heaps[n]);
    heap_set_age(set);
    heap_set_trim(set);
    heap_set_release(set);
    assert_int_equal(unit_count_heaps(set), 1);
    assert_ptr_equal(set->heaps, heap);
    assert_int_equal(heap_map_tag(heap->base), set->tag);
    /* The walk continues from there, and does not see heaps that were mapped meanwhile. */
    heaps[0] = unit_take_heap(set);
    assert_ptr_equal(heaps[0], heap);
    heaps[1] = unit_take_heap(set);
    assert_null(heap_walk(set, heap));
    unit_give_heap(heaps[0]);
    unit_give_heap(heaps[1]);
    assert_true(heap_set_release(set) > 0);
    assert_null(set->heaps);
}

static void test_two_walkers_in_one_heap(void **state)
{
    struct heap_set *set = &unit_arena()->tiny;
    struct heap *heap = unit_take_heap(set);

    (void)state;
    assert_ptr_equal(heap_walk(set, NULL), heap);
    assert_ptr_equal(heap_walk(set, NULL), heap);
    unit_give_heap(heap);
    assert_null(heap_walk(set, heap));
    assert_int_equal(heap_set_release(set), 0);
    assert_null(heap_walk(set, heap));
    assert_true(heap_set_release(set) > 0);
}

/*
 * In the child the walkers of other threads do not exist, while one of the forking thread may go
 * on.
 */
static void release_after_fork(void *argument)
{
    struct heap_set *set = argument;
    struct heap *heap = set->heaps;

    structure_lock_renew();
    REQUIRE(!heap_pinned(heap), "a walker is left over");
    REQUIRE(heap_walk(set, NULL) == heap && heap_pinned(heap), "no pin");
    REQUIRE(heap_walk(set, heap) == NULL && !heap_pinned(heap), "a pin");
    /* The pin from before the fork. */
    REQUIRE(heap_walk(set, heap) == NULL && !heap_pinned(heap), "a pin");
    REQUIRE(heap_set_release(set) > 0 && set->heaps == NULL, "the heap stays");
}

static void test_walkers_from_before_a_fork_do_not_count(void **state)
{
    struct heap_set *set = &unit_arena()->small;
    struct heap *heap = unit_take_heap(set);

    (void)state;
    unit_give_heap(heap);
    assert_ptr_equal(heap_walk(set, NULL), heap);
    assert_true(unit_child_succeeds(release_after_fork, set));
    assert_null(heap_walk(set, heap));
}

static struct heap *always;
static atomic_bool ended;

/* The heap that is there all the while is visited exactly once in each walk. */
static void *walk_often(void *argument)
{
    struct heap_set *set = argument;

    while (!atomic_load(&ended)) {
        unsigned seen = 0;

        for (struct heap *heap = heap_walk(set, NULL); heap != NULL; heap = heap_walk(set, heap)) {
            REQUIRE(heap->set == set && heap_map_tag(heap->base) == set->tag, "no heap of the set");
            seen += heap == always;
        }
        REQUIRE(seen == 1, "seen %u times", seen);
    }
    return NULL;
}

static void test_heaps_come_and_go_around_walkers(void **state)
{
    struct heap_set *set = &unit_arena()->tiny;
    struct heap *heaps[HEAPS];
    pthread_t walkers[WALKERS];

    (void)state;
    make_heaps(set, heaps, 2);
    always = unit_take_heap(set);
    atomic_store(&ended, false);
    for (unsigned n = 0; n < WALKERS; n++)
        assert_int_equal(pthread_create(&walkers[n], NULL, walk_often, set), 0);
    for (unsigned round = 0; round < ROUNDS; round++) {
        size_t count = make_heaps(set, heaps, round % HEAPS + 1);

        while (count-- > 0)
            unit_give_heap(heaps[count]);
        heap_set_release(set);
    }
    atomic_store(&ended, true);
    for (unsigned n = 0; n < WALKERS; n++)
        assert_int_equal(pthread_join(walkers[n], NULL), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_heap_is_visited_once),
        cmocka_unit_test(test_no_lock_is_held_inside_a_heap),
        cmocka_unit_test(test_the_heap_that_a_walker_is_in_stays),
        cmocka_unit_test(test_two_walkers_in_one_heap),
        cmocka_unit_test(test_walkers_from_before_a_fork_do_not_count),
        cmocka_unit_test(test_heaps_come_and_go_around_walkers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
