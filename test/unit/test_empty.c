/*
 * Chunks of 0 bytes in hardened mode. Each has an address of its own that nobody can read or write,
 * aligned as requested; bit maps say which addresses are live. Each test runs in a child process,
 * because regions are never unmapped.
 */
#include "unit/hardened.h"

#include "bins/empty.h"
#include "os/os.h"
#include "support/sanitized.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

enum { PLACES = (4 << 20) / CHUNK_ALIGN, SOME = 1000, THREADS = 4 };

static uintptr_t take_empty(size_t align)
{
    uintptr_t address = (uintptr_t)empty_alloc(align);

    REQUIRE(address != 0 && address % CHUNK_ALIGN == 0 && address % align == 0, "%lx for %zu",
            address, align);
    return address;
}

static enum verdict verdict_on(uintptr_t address)
{
    struct chunk chunk = {.zone = ZONE_LARGE};
    enum verdict verdict = empty_find(address, &chunk);

    REQUIRE(verdict == CHUNK_NONE ||
                (chunk.start == address / CHUNK_ALIGN * CHUNK_ALIGN && chunk.zone == ZONE_TINY &&
                 chunk.requested == 0 && chunk.usable == 0),
            "a wrong description");
    return verdict;
}

static void live_and_die(void *unused)
{
    uintptr_t address = take_empty(1);
    (void)unused;

    REQUIRE(verdict_on(address) == CHUNK_LIVE, "not live");
    REQUIRE(verdict_on(address + 1) == CHUNK_INTERIOR && verdict_on(address + 15) == CHUNK_INTERIOR,
            "outside");
    REQUIRE(verdict_on(address + 16) == CHUNK_NONE && verdict_on(0) == CHUNK_NONE, "never was");
    REQUIRE(!empty_free(address + 1) && !empty_free(address + 16) && !empty_free(0),
            "freed what is none");
    REQUIRE(empty_free(address), "not freed");
    REQUIRE(verdict_on(address) == CHUNK_FREED && verdict_on(address + 1) == CHUNK_NONE,
            "not freed");
    REQUIRE(!empty_free(address), "freed twice");
}

static void test_states(void **state)
{
    (void)state;
    run(live_and_die);
}

static void touch(void *address)
{
    *(volatile char *)address = 1;
}

static void be_out_of_reach(void *unused)
{
    uintptr_t address = take_empty(1);
    struct unit_end end;
    (void)unused;

    REQUIRE(unit_protected_so(address, address + 1, "---p"), "it can be read");
    unit_in_child(touch, (void *)address, &end); // NOLINT: an address becomes a pointer
    REQUIRE(end.signal == SIGSEGV || (sanitized && end.exit_code > 0), "it can be written to");
}

static void test_nobody_can_touch_it(void **state)
{
    (void)state;
    run(be_out_of_reach);
}

static void align_all(void *unused)
{
    (void)unused;
    for (size_t align = 1; align <= 2 << 20; align *= 2)
        for (unsigned n = 0; n < 2; n++)
            REQUIRE(verdict_on(take_empty(align)) == CHUNK_LIVE, "not live");
    REQUIRE(empty_alloc((size_t)1 << 40) == NULL, "aligned to a TiB");
}

static void test_any_alignment(void **state)
{
    (void)state;
    run(align_all);
}

static int compare(const void *a, const void *b)
{
    uintptr_t one = *(const uintptr_t *)a, other = *(const uintptr_t *)b;

    return one < other ? -1 : one > other;
}

/* More chunks than one region has room for. */
static void take_many(void *unused)
{
    static uintptr_t taken[PLACES + SOME];
    enum { MANY = PLACES + SOME };
    (void)unused;

    for (unsigned n = 0; n < MANY; n++)
        taken[n] = take_empty(1);
    qsort(taken, MANY, sizeof taken[0], compare);
    for (unsigned n = 1; n < MANY; n++)
        REQUIRE(taken[n] != taken[n - 1], "%lx twice", taken[n]);
    for (unsigned n = 0; n < MANY; n++)
        REQUIRE(empty_free(taken[n]), "not freed");
}

static void test_when_a_region_is_full_there_is_another(void **state)
{
    (void)state;
    run(take_many);
}

static void take_again(void *unused)
{
    uintptr_t first = take_empty(1);
    (void)unused;

    REQUIRE(empty_free(first), "not freed");
    for (unsigned n = 0; n < PLACES / 2; n++) {
        uintptr_t address = take_empty(1);

        REQUIRE(address != first, "handed out again after %u others", n);
        REQUIRE(empty_free(address), "not freed");
    }
}

static void test_freed_addresses_wait(void **state)
{
    (void)state;
    run(take_again);
}

/* Without memory the request fails and leaves nothing behind; with memory it succeeds. */
static void refuse(void *unused)
{
    (void)unused;
    for (unsigned n = 1; n <= 2; n++) {
        size_t before = unit_address_space();

        os_fail_after(n, false);
        REQUIRE(empty_alloc(1) == NULL, "no call, or none that is needed");
        os_fail_after(0, false);
        REQUIRE(unit_address_space() == before, "something is left over");
    }
    take_empty(1);
}

static void test_without_memory(void **state)
{
    (void)state;
    run(refuse);
}

static void *take_and_free(void *failed)
{
    for (unsigned n = 0; n < 20000; n++) {
        uintptr_t chunks[3] = {(uintptr_t)empty_alloc(1), (uintptr_t)empty_alloc(64),
                               (uintptr_t)empty_alloc(1)};

        for (unsigned i = 0; i < 3; i++)
            if (chunks[i] == 0 || !empty_free(chunks[i]))
                atomic_store((atomic_bool *)failed, true);
    }
    return NULL;
}

static void take_and_free_in_threads(void *unused)
{
    pthread_t threads[THREADS];
    atomic_bool failed = false;
    (void)unused;

    for (unsigned n = 0; n < THREADS; n++)
        REQUIRE(pthread_create(&threads[n], NULL, take_and_free, &failed) == 0, "no thread");
    for (unsigned n = 0; n < THREADS; n++)
        pthread_join(threads[n], NULL);
    REQUIRE(!atomic_load(&failed), "two threads had the same chunk");
}

static void test_threads_get_different_chunks(void **state)
{
    (void)state;
    run(take_and_free_in_threads);
}

struct seen {
    unsigned regions, chunks;
    uintptr_t start, end, last;
};

static void see_region(void *context, uintptr_t start, size_t size)
{
    struct seen *seen = context;

    seen->regions++;
    seen->start = seen->last = start;
    seen->end = start + size;
}

static void see_chunk(void *context, uintptr_t address)
{
    struct seen *seen = context;

    REQUIRE(address >= seen->last && address < seen->end, "not in its region, or not in order");
    REQUIRE(verdict_on(address) == CHUNK_LIVE, "not live");
    seen->last = address + 1;
    seen->chunks++;
}

static void walk(void *unused)
{
    struct seen seen = {0};
    (void)unused;

    empty_walk(see_region, see_chunk, &seen);
    REQUIRE(seen.regions == 0 && seen.chunks == 0, "there is something already");
    for (unsigned n = 0; n < SOME; n++)
        if (n % 3 == 0)
            REQUIRE(empty_free(take_empty(1)), "not freed");
        else
            take_empty(1);
    empty_walk(see_region, see_chunk, &seen);
    REQUIRE(seen.regions == 1 && seen.chunks == SOME - (SOME + 2) / 3, "%u chunks", seen.chunks);
}

static void test_a_walk_sees_live_chunks(void **state)
{
    (void)state;
    run(walk);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_states),
        cmocka_unit_test(test_nobody_can_touch_it),
        cmocka_unit_test(test_any_alignment),
        cmocka_unit_test(test_when_a_region_is_full_there_is_another),
        cmocka_unit_test(test_freed_addresses_wait),
        cmocka_unit_test(test_without_memory),
        cmocka_unit_test(test_threads_get_different_chunks),
        cmocka_unit_test(test_a_walk_sees_live_chunks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
