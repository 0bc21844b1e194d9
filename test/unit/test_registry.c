/*
 * The registry of LARGE chunks, with a hundred thousand descriptors whose mappings do not exist.
 */
#include "unit/unit.h"

#include "large/registry.h"
#include "os/os.h"

#include <string.h>

enum { ENTRIES = 100000, GONE_KEPT = 128 };

static struct large *entries[ENTRIES];

/* Addresses that the kernel does not use: neighbours, and some that are far apart. */
static uintptr_t address_of(size_t n)
{
    return ((uintptr_t)1 << 44) + (uintptr_t)n * OS_PAGE * (n % 3 == 0 ? 1 : 7919);
}

static struct large *insert(uintptr_t address, size_t requested)
{
    struct large *large = registry_new();

    if (large == NULL)
        return NULL;
    atomic_store(&large->requested, requested + 1);
    large->mapped = large->reserved = OS_PAGE;
    registry_insert(large, address);
    return large;
}

static void drop(struct large *large)
{
    registry_remove(large);
    registry_drop(large);
}

static void insert_all(void)
{
    for (size_t n = 0; n < ENTRIES; n++) {
        entries[n] = insert(address_of(n), n);
        assert_non_null(entries[n]);
    }
}

static void drop_all(void)
{
    for (size_t n = 0; n < ENTRIES; n++)
        drop(entries[n]);
}

static void check_all(void)
{
    for (size_t n = 0; n < ENTRIES; n++) {
        assert_ptr_equal(registry_find(address_of(n)), entries[n]);
        assert_null(registry_find(address_of(n) + 16));
    }
}

static void count_one(void *context, struct large *large)
{
    size_t *count = context;

    (void)large;
    ++*count;
}

static size_t count_all(void)
{
    size_t count = 0;

    registry_each(count_one, &count);
    return count;
}

static unsigned visits[ENTRIES];

static void visit_one(void *context, struct large *large)
{
    size_t requested = atomic_load(&large->requested);

    ++*(size_t *)context;
    if (requested > 0 && requested <= ENTRIES)
        visits[requested - 1]++;
}

/*
 * Chunks come and go between the steps of the walk. Every third is removed, whether it was visited
 * or not; others are added, in used and in new descriptors; and blocks of descriptors are added.
 */
static void test_a_walk_in_steps_sees_lasting_chunks_once(void **state)
{
    (void)state;
    enum { STAY = ENTRIES / 2 };
    static struct large *added[ENTRIES];
    struct registry_place place = {.block = NULL};
    size_t count = 0, most = 0, removed = 0, new = 0;
    bool more = true;

    memset(visits, 0, sizeof visits);
    registry_lock();
    for (size_t n = 0; n < STAY; n++)
        entries[n] = insert(address_of(n), n);
    for (; more; most = count > most ? count : most) {
        count = 0;
        more = registry_next(&place, visit_one, &count);
        registry_unlock();
        registry_lock();
        for (size_t n = 0; n < 40 && removed < STAY; n++, removed += 3)
            drop(entries[removed]);
        for (size_t n = 0; n < 100 && new < STAY; n++, new ++)
            added[new] = insert(address_of(STAY + new), ENTRIES);
    }
    assert_int_equal(most, REGISTRY_PIECE);
    for (size_t n = 0; n < STAY; n++)
        if (n % 3 != 0)
            assert_int_equal(visits[n], 1);
        else
            assert_in_range(visits[n], 0, 1);
    assert_true(removed >= STAY && new == STAY);
    assert_int_equal(count_all(), STAY - (STAY + 2) / 3 + STAY);
    for (size_t n = 0; n < STAY; n++) {
        drop(added[n]);
        if (n % 3 != 0)
            drop(entries[n]);
    }
    registry_unlock();
}

static void test_a_hundred_thousand_entries(void **state)
{
    (void)state;
    registry_lock();
    size_t before = count_all();
    insert_all();
    check_all();
    assert_int_equal(count_all(), before + ENTRIES);
    for (size_t n = 0; n < ENTRIES; n += 2)
        drop(entries[n]);
    for (size_t n = 0; n < ENTRIES; n++)
        assert_ptr_equal(registry_find(address_of(n)), n % 2 == 0 ? NULL : entries[n]);
    for (size_t n = 1; n < ENTRIES; n += 2)
        drop(entries[n]);
    assert_int_equal(count_all(), before);
    registry_unlock();
}

static void test_descriptors_are_used_again(void **state)
{
    (void)state;
    registry_lock();
    insert_all();
    drop_all();
    struct os_counters before = os_counted();
    for (unsigned round = 0; round < 3; round++) {
        insert_all();
        drop_all();
    }
    registry_unlock();
    assert_int_equal(os_counted().mmap, before.mmap);
}

static void test_a_rebuild_finds_everything(void **state)
{
    (void)state;
    registry_lock();
    insert_all();
    registry_rebuild();
    check_all();
    /*
     * A descriptor that a thread was handling when it forked has no address, and is unused again.
     */
    struct large *lost = registry_new();
    size_t before = count_all();
    assert_non_null(lost);
    registry_rebuild();
    assert_int_equal(count_all(), before);
    drop_all();
    insert_all();
    check_all();
    drop_all();
    registry_unlock();
}

/* Runs alone in its process, so that the hash is small and has to grow without memory. */
static void test_without_memory_chains_get_longer(void **state)
{
    (void)state;
    struct large *some[1000];
    size_t count = 0;

    registry_lock();
    /* Allocates the descriptors first, so that only the hash lacks memory. */
    for (; count < 1000; count++)
        some[count] = registry_new();
    for (size_t n = 0; n < count; n++)
        registry_drop(some[n]);
    os_fail_after(1, true);
    for (size_t n = 0; n < count; n++) {
        some[n] = insert(address_of(n), n);
        assert_non_null(some[n]);
    }
    while (registry_new() != NULL)
        continue;
    os_fail_after(0, false);
    for (size_t n = 0; n < count; n++) {
        assert_ptr_equal(registry_find(address_of(n)), some[n]);
        drop(some[n]);
    }
    registry_unlock();
}

static void test_freed_chunks_are_remembered_for_a_while(void **state)
{
    (void)state;
    struct large_info info;

    assert_false(large_find_gone(0, &info));
    registry_lock();
    for (size_t n = 1; n <= GONE_KEPT + 10; n++)
        registry_note_gone(n * OS_PAGE, n);
    registry_note_gone((GONE_KEPT + 5) * (uintptr_t)OS_PAGE, 12345);
    registry_unlock();
    for (size_t n = 1; n <= GONE_KEPT + 10; n++) {
        assert_int_equal(large_find_gone(n * OS_PAGE, &info), n > 11);
        assert_false(large_find_gone(n * OS_PAGE + 16, &info));
    }
    /* Of two chunks that had the same address, the later one is found. */
    assert_true(large_find_gone((GONE_KEPT + 5) * (uintptr_t)OS_PAGE, &info));
    assert_int_equal(info.requested, 12345);
    assert_int_equal(info.start, (GONE_KEPT + 5) * (uintptr_t)OS_PAGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_walk_in_steps_sees_lasting_chunks_once),
        cmocka_unit_test(test_without_memory_chains_get_longer),
        cmocka_unit_test(test_a_hundred_thousand_entries),
        cmocka_unit_test(test_descriptors_are_used_again),
        cmocka_unit_test(test_a_rebuild_finds_everything),
        cmocka_unit_test(test_freed_chunks_are_remembered_for_a_while),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
