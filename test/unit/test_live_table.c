/*
 * The table of noted chunks: added, replaced, found and removed by any thread; after a fork; and
 * without memory.
 */
#include "unit/unit.h"

#include "debug/live_table.h"
#include "debug/mode_memory.h"

#include <pthread.h>
#include <unistd.h>

enum { THREADS = 4 };

static struct live_chunk chunk_at(uintptr_t address)
{
    return (struct live_chunk){.address = address,
                               .size = address % 1000,
                               .bytes = address % 1000 * 3,
                               .time = address * 5,
                               .site = (uint32_t)(address % 77),
                               .count = 3,
                               .thread = 1234};
}

static int begin(void **state)
{
    (void)state;
    return live_table_begin(MODE_RECORD) ? 0 : -1;
}

static bool same(const struct live_chunk *first, const struct live_chunk *second)
{
    return first->address == second->address && first->size == second->size &&
           first->bytes == second->bytes && first->time == second->time &&
           first->site == second->site && first->count == second->count &&
           first->thread == second->thread;
}

static bool there(uintptr_t address)
{
    struct live_chunk right = chunk_at(address), found;

    return live_table_find(address, &found) && same(&found, &right);
}

static bool add(uintptr_t address)
{
    struct live_chunk chunk = chunk_at(address), old;

    return live_table_add(&chunk, &old) && old.address == 0;
}

static bool remove_it(uintptr_t address)
{
    struct live_chunk right = chunk_at(address), found;

    return live_table_remove(address, &found) && same(&found, &right);
}

static void test_chunks_come_and_go(void **state)
{
    (void)state;
    enum { CHUNKS = 100000 };
    struct live_chunk found;

    for (uintptr_t n = 1; n <= CHUNKS; n++)
        assert_true(add(n * 16));
    assert_int_equal(live_table_count(), CHUNKS);
    for (uintptr_t n = 1; n <= CHUNKS; n++)
        assert_true(there(n * 16));
    for (uintptr_t n = 1; n <= CHUNKS; n += 2)
        assert_true(remove_it(n * 16));
    assert_int_equal(live_table_count(), CHUNKS / 2);
    for (uintptr_t n = 1; n <= CHUNKS; n++)
        assert_int_equal(there(n * 16), n % 2 == 0);
    assert_false(live_table_remove(16, &found));
    for (uintptr_t n = 2; n <= CHUNKS; n += 2)
        assert_true(remove_it(n * 16));
    assert_int_equal(live_table_count(), 0);
}

/* What was freed is used again, so the table does not grow when chunks come and go. */
static void test_entries_are_reused(void **state)
{
    (void)state;
    size_t used = mode_memory_of(MODE_RECORD).used;

    for (uintptr_t n = 1; n <= 300000; n++) {
        assert_true(add(n * 32));
        assert_true(remove_it(n * 32));
    }
    assert_int_equal(mode_memory_of(MODE_RECORD).used, used);
}

static void test_a_chunk_is_replaced(void **state)
{
    (void)state;
    struct live_chunk first = chunk_at(4096), second = chunk_at(4096), old;

    second.size = 1;
    second.site = 5;
    assert_true(live_table_add(&first, &old));
    assert_int_equal(old.address, 0);
    assert_true(live_table_add(&second, &old));
    assert_true(same(&old, &first));
    assert_int_equal(live_table_count(), 1);
    assert_true(live_table_remove(4096, &old));
    assert_true(same(&old, &second));
    assert_int_equal(live_table_count(), 0);
}

static size_t forgotten_count, forgotten_bytes;

static void count_forgotten(const struct live_chunk *chunk)
{
    forgotten_count++;
    forgotten_bytes += chunk->bytes;
}

static void test_all_are_forgotten_at_once(void **state)
{
    (void)state;
    size_t bytes = 0;

    for (uintptr_t n = 1; n <= 1000; n++) {
        assert_true(add(n * 64));
        bytes += chunk_at(n * 64).bytes;
    }
    live_table_clear(count_forgotten);
    assert_int_equal(forgotten_count, 1000);
    assert_int_equal(forgotten_bytes, bytes);
    assert_int_equal(live_table_count(), 0);
    assert_false(there(64));
    for (uintptr_t n = 1; n <= 1000; n++)
        assert_true(add(n * 64) && remove_it(n * 64));
}

/* A reader outside sees the entries of all blocks. */
static size_t count_entries(void)
{
    size_t count = 0;

    for (unsigned shard = 0; shard < LIVE_SHARDS; shard++)
        for (unsigned block = 0; block < LIVE_BLOCKS && live_table->blocks[shard][block] != NULL;
             block++)
            for (size_t n = 0; n < (size_t)LIVE_FIRST << block; n++)
                count += live_table->blocks[shard][block][n].address != 0;
    return count;
}

static void test_all_are_found_without_the_hash(void **state)
{
    (void)state;
    for (uintptr_t n = 1; n <= 12345; n++)
        assert_true(add(n * 48));
    assert_int_equal(count_entries(), 12345);
    for (uintptr_t n = 1; n <= 12345; n++)
        assert_true(remove_it(n * 48));
    assert_int_equal(count_entries(), 0);
}

static void *come_and_go(void *argument)
{
    uintptr_t own = (uintptr_t)argument << 32;
    bool right = true;

    for (unsigned round = 0; round < 20; round++) {
        for (uintptr_t n = 1; n <= 1000; n++)
            right &= add(own + n * 16);
        for (uintptr_t n = 1; n <= 1000; n++)
            right &= remove_it(own + n * 16);
    }
    return right ? NULL : argument;
}

static void test_threads_do_not_disturb_each_other(void **state)
{
    (void)state;
    pthread_t threads[THREADS];

    for (uintptr_t n = 0; n < THREADS; n++)
        assert_int_equal(pthread_create(&threads[n], NULL, come_and_go, pointer_to(n + 1)), 0);
    for (unsigned n = 0; n < THREADS; n++) {
        void *wrong;

        pthread_join(threads[n], &wrong);
        assert_null(wrong);
    }
    assert_int_equal(live_table_count(), 0);
}

static _Atomic bool stop;

static void *change_until_stopped(void *unused)
{
    while (!atomic_load(&stop)) {
        for (uintptr_t n = 1; n <= 2000; n++)
            add(((uintptr_t)1 << 40) + n * 16);
        for (uintptr_t n = 1; n <= 2000; n++)
            remove_it(((uintptr_t)1 << 40) + n * 16);
    }
    return unused;
}

static void use_in_child(void *unused)
{
    (void)unused;
    live_table_after_fork();
    for (uintptr_t n = 1; n <= 1000; n++)
        if (!there(n * 16) || !remove_it(n * 16))
            _exit(1);
    for (uintptr_t n = 1; n <= 3000; n++)
        if (!add(n * 16) || !there(n * 16))
            _exit(2);
    for (uintptr_t n = 1; n <= 3000; n++)
        if (!remove_it(n * 16))
            _exit(3);
    if (count_entries() != live_table_count())
        _exit(4);
}

/* Another thread is changing the table at each fork. */
static void test_a_child_of_fork_continues(void **state)
{
    (void)state;
    pthread_t thread;

    for (uintptr_t n = 1; n <= 1000; n++)
        assert_true(add(n * 16));
    atomic_store(&stop, false);
    assert_int_equal(pthread_create(&thread, NULL, change_until_stopped, NULL), 0);
    for (unsigned n = 0; n < 100; n++)
        assert_true(unit_child_succeeds(use_in_child, NULL));
    atomic_store(&stop, true);
    pthread_join(thread, NULL);
    for (uintptr_t n = 1; n <= 1000; n++)
        assert_true(remove_it(n * 16));
}

static void fill_it_up(void *unused)
{
    (void)unused;
    uintptr_t added = 0, n = 0;
    struct mode_memory memory;

    live_table_begin(MODE_PROFILE);
    for (unsigned refused = 0; refused < 1000; n++)
        if (add((n + 1) * 16))
            added++;
        else
            refused++;
    memory = mode_memory_of(MODE_PROFILE);
    if (memory.dropped != 1000 || memory.used > memory.cap || live_table_count() != added)
        _exit(1);
    for (uintptr_t at = 1; at <= n; at++)
        added -= there(at * 16);
    if (added != 0)
        _exit(2);
}

static void test_the_memory_is_bounded(void **state)
{
    (void)state;
    assert_true(unit_child_succeeds(fill_it_up, NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_chunks_come_and_go),
        cmocka_unit_test(test_entries_are_reused),
        cmocka_unit_test(test_a_chunk_is_replaced),
        cmocka_unit_test(test_all_are_forgotten_at_once),
        cmocka_unit_test(test_all_are_found_without_the_hash),
        cmocka_unit_test(test_threads_do_not_disturb_each_other),
        cmocka_unit_test(test_a_child_of_fork_continues),
        cmocka_unit_test(test_the_memory_is_bounded),
    };

    return cmocka_run_group_tests(tests, begin, NULL);
}
