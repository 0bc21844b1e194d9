/*
 * Heaps in limbo: they are out of the heap map and have no memory, but keep their address space for
 * a thread that has just read the map.
 */
#include "unit/unit.h"

#include "arena/remote.h"
#include "bins/heap_steps.h"
#include "bins/limbo.h"
#include "os/os.h"

#include <errno.h>
#include <sys/mman.h>

static bool is_mapped(uintptr_t address)
{
    unsigned char page;

    return mincore((void *)(address & ~(os_page_size() - 1)), 1, &page) == 0 || errno != ENOMEM;
}

/*
 * Makes two heaps wholly free. One is kept in reserve, the other is unmapped. Returns a chunk of
 * the second.
 */
static uintptr_t lose_a_heap(struct arena *arena)
{
    enum { MOST = 3 * TINY_HEAP_SIZE / 960 };
    static void *chunks[MOST];
    unsigned count = 0;
    uintptr_t gone = 0;

    while (unit_count_heaps(&arena->tiny) < 3)
        chunks[count++] = unit_alloc(arena, 900);
    for (unsigned n = 0; n < count; n++)
        unit_free(arena, chunks[n]);
    stack_flush(&cache_first(arena)->stacks.of[tiny_class(900)]);
    for (unsigned n = 0; n < 10; n++) {
        heap_set_age(&arena->tiny);
        arena->tiny.allowance = HEAP_ALLOWANCE_ALL;
    }
    for (unsigned n = 0; n < count; n++)
        if (heap_map_tag((uintptr_t)chunks[n]) == TAG_NONE)
            gone = (uintptr_t)chunks[n];
    return gone;
}

static int use(void **state)
{
    (void)state;
    limbo_used = true;
    return 0;
}

static int leave(void **state)
{
    (void)state;
    os_fail_after(0, false);
    limbo_empty(true);
    limbo_used = false;
    return 0;
}

static void test_a_wrong_pointer_into_it_is_no_chunk(void **state)
{
    (void)state;
    struct arena *arena = unit_arena(), *other = unit_arena();
    uintptr_t chunk = lose_a_heap(arena);
    struct chunk found;

    assert_int_not_equal(chunk, 0);
    assert_true(is_mapped(chunk));
    /* As a thread would that read the map before the heap left it. */
    assert_int_equal(chunk_find(chunk, arena->tiny_tag, &found), CHUNK_NONE);
    assert_false(remote_free_aligned(cache_first(other), chunk, arena->tiny_tag));
    /* The heap has no memory any more, so what was written is gone. */
    assert_int_equal(*(uint64_t *)chunk, 0); // NOLINT: an address becomes a pointer
}

static void test_an_old_heap_leaves_limbo(void **state)
{
    (void)state;
    uintptr_t chunk = lose_a_heap(unit_arena());

    assert_true(limbo_any());
    assert_int_equal(limbo_empty(false), 0);
    assert_true(is_mapped(chunk));
    assert_true(limbo_empty(true) >= TINY_HEAP_SIZE);
    assert_false(is_mapped(chunk));
    assert_false(limbo_any());
}

static void test_a_heap_that_cannot_be_unmapped_stays_in_limbo(void **state)
{
    (void)state;
    uintptr_t chunk = lose_a_heap(unit_arena());

    os_fail_after(1, true);
    assert_int_equal(limbo_empty(true), 0);
    os_fail_after(0, false);
    assert_true(limbo_any() && is_mapped(chunk));
    assert_true(limbo_empty(true) >= TINY_HEAP_SIZE);
    assert_false(is_mapped(chunk));
}

/* The range may be a hole, so nobody touches it and nobody unmaps it. */
static void test_a_heap_that_cannot_be_renewed_is_left_alone(void **state)
{
    (void)state;
    uintptr_t chunk;

    os_fail_after(0, false);
    limbo_used = false;
    chunk = (uintptr_t)os_map_guarded_aligned((size_t)heap_units_in(TINY_HEAP_SIZE) * UNIT_SIZE,
                                              TINY_HEAP_SIZE - os_page_size() -
                                                  (size_t)heap_units_in(TINY_HEAP_SIZE) * UNIT_SIZE,
                                              TINY_HEAP_SIZE);
    assert_int_not_equal(chunk, 0);
    limbo_used = true;
    os_fail_after(1, false);
    assert_true(limbo_put(chunk, TINY_HEAP_SIZE, TINY_COMMITTED * UNIT_SIZE));
    os_fail_after(0, false);
    assert_false(limbo_any());
    assert_true(is_mapped(chunk));
    assert_true(limbo_put(chunk, TINY_HEAP_SIZE, TINY_COMMITTED * UNIT_SIZE));
    assert_int_equal(limbo_empty(true), TINY_HEAP_SIZE);
}

static void under_a_limit(void *argument)
{
    (void)argument;
    unit_limit(unit_address_space() + ((size_t)1 << 30));
    if (lose_a_heap(unit_arena()) == 0 || limbo_any())
        __builtin_trap();
}

static void test_limbo_is_off_under_a_limit(void **state)
{
    (void)state;
    assert_true(unit_child_succeeds(under_a_limit, NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_wrong_pointer_into_it_is_no_chunk, use, leave),
        cmocka_unit_test_setup_teardown(test_an_old_heap_leaves_limbo, use, leave),
        cmocka_unit_test_setup_teardown(test_a_heap_that_cannot_be_unmapped_stays_in_limbo, use,
                                        leave),
        cmocka_unit_test_setup_teardown(test_a_heap_that_cannot_be_renewed_is_left_alone, use,
                                        leave),
        cmocka_unit_test_setup_teardown(test_limbo_is_off_under_a_limit, use, leave),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
