/*
 * The table of stacks: each is stored once, by any thread, and survives a fork and a lack of
 * memory.
 */
#include "unit/unit.h"

#include "base/secret.h"
#include "debug/mode_memory.h"
#include "debug/stack_table.h"

#include <pthread.h>
#include <string.h>
#include <unistd.h>

enum { THREADS = 4 };

/* The frames of an imagined stack: some callers that many share, and then its own. */
static unsigned make_stack(uintptr_t *pcs, uintptr_t which)
{
    unsigned depth = 1 + which % 20;

    for (unsigned n = 0; n < depth; n++)
        pcs[n] = 0x400000 + (which >> (depth - n - 1)) * 16;
    return depth;
}

static uint32_t site_of(uintptr_t which)
{
    uintptr_t pcs[STACK_DEPTH_MAX];
    unsigned depth = make_stack(pcs, which);

    return stack_table_site(pcs, depth, which % 2 == 0);
}

static int begin(void **state)
{
    (void)state;
    return stack_table_begin(MODE_RECORD) ? 0 : -1;
}

static bool right(uint32_t site, uintptr_t which)
{
    uintptr_t pcs[STACK_DEPTH_MAX], stored[STACK_DEPTH_MAX];
    unsigned depth = make_stack(pcs, which);

    return stack_table_at(site)->depth == depth &&
           stack_table_at(site)->truncated == (which % 2 == 0) &&
           stack_table_frames(site, stored, STACK_DEPTH_MAX) == depth &&
           memcmp(stored, pcs, depth * sizeof pcs[0]) == 0;
}

static void test_each_stack_is_stored_once(void **state)
{
    (void)state;
    enum { STACKS = 20000 };
    static uint32_t sites[STACKS];
    uint32_t before = stack_table->sites;

    for (uintptr_t n = 0; n < STACKS; n++) {
        sites[n] = site_of(n);
        assert_true(sites[n] > STACK_OVERFLOW);
    }
    assert_int_equal(stack_table->sites, before + STACKS);
    for (uintptr_t n = 0; n < STACKS; n++) {
        assert_int_equal(site_of(n), sites[n]);
        assert_true(right(sites[n], n));
    }
    assert_int_equal(stack_table->sites, before + STACKS);
}

/* Whatever stack came before, and whoever stored the frames that both share. */
static void test_the_last_stack_leads_to_the_same_sites(void **state)
{
    (void)state;
    enum { STACKS = 5000, FIRST = 30000 };
    struct stack_last last = {.depth = 0};
    uint64_t random = 1;

    for (unsigned n = 0; n < 4 * STACKS; n++) {
        uintptr_t which = FIRST + secret_random(&random) % STACKS, pcs[STACK_DEPTH_MAX];
        unsigned depth = make_stack(pcs, which);
        uint32_t known = n % 3 == 0 ? site_of(which) : STACK_NONE;
        uint32_t site = stack_table_site_from(&last, pcs, depth, which % 2 == 0);

        assert_true(right(site, which));
        assert_true(known == STACK_NONE || site == known);
        assert_int_equal(site_of(which), site);
    }
}

static void test_nodes_are_shared_by_way_of_the_last_stack(void **state)
{
    (void)state;
    struct stack_last last = {.depth = 0};
    uintptr_t pcs[STACK_DEPTH_MAX];
    uint32_t nodes;

    for (unsigned n = 0; n < STACK_DEPTH_MAX; n++)
        pcs[n] = 0x700000 + n;
    (void)stack_table_site_from(&last, pcs, STACK_DEPTH_MAX, false);
    nodes = stack_table->nodes;
    pcs[0]++;
    (void)stack_table_site_from(&last, pcs, STACK_DEPTH_MAX, false);
    assert_int_equal(stack_table->nodes, nodes + 1);
    (void)stack_table_site_from(&last, pcs + 1, STACK_DEPTH_MAX - 1, false);
    assert_int_equal(stack_table->nodes, nodes + 1);
}

static void test_a_truncated_stack_is_another_one(void **state)
{
    (void)state;
    const uintptr_t pcs[] = {0x10001, 0x10002, 0x10003};
    uint32_t whole = stack_table_site(pcs, 3, false), cut = stack_table_site(pcs, 3, true);

    assert_int_not_equal(whole, cut);
    assert_int_equal(stack_table_at(whole)->node, stack_table_at(cut)->node);
    assert_int_not_equal(stack_table_site(pcs, 2, false), whole);
}

/* Only the innermost frame differs, so only that is added. */
static void test_stacks_share_their_outer_frames(void **state)
{
    (void)state;
    uintptr_t pcs[STACK_DEPTH_MAX];
    uint32_t nodes;

    for (unsigned n = 0; n < STACK_DEPTH_MAX; n++)
        pcs[n] = 0x77000000 + n;
    stack_table_site(pcs, STACK_DEPTH_MAX, false);
    nodes = stack_table->nodes;
    for (unsigned n = 1; n <= 100; n++) {
        pcs[0]++;
        stack_table_site(pcs, STACK_DEPTH_MAX, false);
    }
    /* the first of them is pcs[1], which was another place of the stack before */
    assert_int_equal(stack_table->nodes, nodes + 100);
}

static void *add_many(void *argument)
{
    enum { STACKS = 5000 };
    uint32_t *sites = argument;

    for (uintptr_t n = 0; n < STACKS; n++)
        sites[n] = site_of(1000000 + n);
    return NULL;
}

static void test_threads_find_the_same_sites(void **state)
{
    (void)state;
    enum { STACKS = 5000 };
    static uint32_t sites[THREADS][STACKS];
    pthread_t threads[THREADS];
    uint32_t before = stack_table->sites;

    for (unsigned n = 0; n < THREADS; n++)
        assert_int_equal(pthread_create(&threads[n], NULL, add_many, sites[n]), 0);
    for (unsigned n = 0; n < THREADS; n++)
        pthread_join(threads[n], NULL);
    assert_int_equal(stack_table->sites, before + STACKS);
    for (unsigned n = 0; n < THREADS; n++)
        assert_memory_equal(sites[n], sites[0], sizeof sites[0]);
    for (uintptr_t n = 0; n < STACKS; n++)
        assert_true(right(sites[0][n], 1000000 + n));
}

enum { FIRST = 3000000 };
static _Atomic uintptr_t goal = FIRST;

/* Adds stacks up to the goal, which rises with each fork. */
static void *add_up_to_goal(void *unused)
{
    for (uintptr_t n = FIRST, most = FIRST; most != 0; most = atomic_load(&goal))
        for (; n < most; n++)
            site_of(n);
    return unused;
}

/* In the child, what was there before is there, and new stacks are stored. */
static void use_in_child(void *unused)
{
    (void)unused;
    stack_table_after_fork();
    for (uintptr_t n = 0; n < 1000; n++)
        if (!right(site_of(n), n))
            _exit(1);
    for (uintptr_t n = 5000000; n < 5003000; n++)
        if (!right(site_of(n), n))
            _exit(2);
}

static void test_a_child_of_fork_continues(void **state)
{
    (void)state;
    pthread_t thread;

    assert_int_equal(pthread_create(&thread, NULL, add_up_to_goal, NULL), 0);
    for (unsigned n = 0; n < 50; n++) {
        atomic_fetch_add(&goal, 2000);
        assert_true(unit_child_succeeds(use_in_child, NULL));
    }
    atomic_store(&goal, 0);
    pthread_join(thread, NULL);
}

static void fill_it_up(void *unused)
{
    (void)unused;
    uint64_t dropped = mode_memory_of(MODE_PROFILE).dropped, overflowed = 0;
    uintptr_t n = 10000000;

    stack_table_begin(MODE_PROFILE);
    while (site_of(n) != STACK_OVERFLOW)
        n++;
    for (uintptr_t more = 0; more < 10; more++)
        overflowed += site_of(n + more) == STACK_OVERFLOW;
    if (overflowed == 0 || stack_table->totals.overflowed != overflowed + 1 ||
        mode_memory_of(MODE_PROFILE).dropped != dropped + overflowed + 1 ||
        mode_memory_of(MODE_PROFILE).used > mode_memory_of(MODE_PROFILE).cap ||
        stack_table_at(STACK_OVERFLOW)->depth != 0)
        _exit(1);
    for (uintptr_t old = 0; old < 1000; old++)
        if (!right(site_of(old), old))
            _exit(2);
}

static void test_the_memory_is_bounded(void **state)
{
    (void)state;
    assert_true(unit_child_succeeds(fill_it_up, NULL));
}

static void refuse_memory(void *unused)
{
    (void)unused;
    bool refused = false;

    os_fail_after(1, true);
    for (uintptr_t n = 10000000; n < 10020000; n++)
        refused |= site_of(n) == STACK_OVERFLOW;
    os_fail_after(0, false);
    if (!refused)
        _exit(1);
    for (uintptr_t n = 10000000; n < 10020000; n++)
        if (!right(site_of(n), n))
            _exit(2);
}

static void test_refused_memory_is_asked_for_again(void **state)
{
    (void)state;
    assert_true(unit_child_succeeds(refuse_memory, NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_stack_is_stored_once),
        cmocka_unit_test(test_the_last_stack_leads_to_the_same_sites),
        cmocka_unit_test(test_nodes_are_shared_by_way_of_the_last_stack),
        cmocka_unit_test(test_a_truncated_stack_is_another_one),
        cmocka_unit_test(test_stacks_share_their_outer_frames),
        cmocka_unit_test(test_threads_find_the_same_sites),
        cmocka_unit_test(test_a_child_of_fork_continues),
        cmocka_unit_test(test_the_memory_is_bounded),
        cmocka_unit_test(test_refused_memory_is_asked_for_again),
    };

    return cmocka_run_group_tests(tests, begin, NULL);
}
