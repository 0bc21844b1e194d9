/*
 * Guarded chunks: where they are in their slots, that nobody can touch what is beside them and what
 * was freed, in which order slots are reused, and that nothing is lost where the kernel refuses.
 * Each test runs in a child, because the pool is never unmapped.
 */
#include "unit/guarded_pool.h"

#include "arena/lookup.h"
#include "base/mappings.h"
#include "base/options.h"
#include "os/os.h"

#include <string.h>

static void check_place(size_t size, size_t align, bool front)
{
    char *chunk = take(size, align, front);
    uintptr_t start = (uintptr_t)chunk, end = round_up(start + size, os_page_size());
    uintptr_t first = start & ~(uintptr_t)(os_page_size() - 1);
    struct chunk found;

    check_live(chunk, size);
    REQUIRE(unit_protected_so(end, end + 1, "---p") && unit_protected_so(first - 1, first, "---p"),
            "%zu bytes at %zu are not between guards", size, align);
    REQUIRE(front ? start == first : end - (start + size) < (align < 16 ? 16 : align),
            "%zu bytes at %zu are not beside their guard", size, align);
    REQUIRE(give(chunk) && !give(chunk), "not freed, or freed twice");
    REQUIRE(unit_protected_so(first, end + 1, "---p"), "a freed chunk can be touched");
    REQUIRE(verdict_on(chunk, &found) == CHUNK_FREED && found.requested == size, "not known");
}

static void be_at_guards(void *unused)
{
    static const size_t sizes[] = {0,    1,    15,   16,    42,     960,
                                   4095, 4096, 4097, 70000, 262145, GUARD_SIZE_MAX};
    (void)unused;

    make_pool();
    for (unsigned n = 0; n < sizeof sizes / sizeof sizes[0]; n++)
        for (size_t align = 1; align <= SLOT / 2; align *= 2) {
            check_place(sizes[n], align, false);
            check_place(sizes[n], align, true);
        }
    REQUIRE(guard_pool_open(SLOT, 1, false, &allocator) == NULL, "larger than a slot");
}

static void test_chunks_are_at_guards(void **state)
{
    (void)state;
    run(be_at_guards);
}

static void know_what_is_none(void *unused)
{
    struct chunk chunk;
    char *taken, outside = 0;
    (void)unused;

    REQUIRE(verdict_on(&outside, &chunk) == CHUNK_FOREIGN, "without a pool");
    REQUIRE(guard_pool_open(1, 1, false, &allocator) == NULL && !give(&outside), "no pool");
    make_pool();
    taken = take(100, 16, false);
    REQUIRE(verdict_on(&outside, &chunk) == CHUNK_FOREIGN && !give(&outside) && !give(NULL),
            "outside");
    REQUIRE(!give(taken + 1) && !give(taken - 1) && !give(taken + SLOT), "freed what is none");
    REQUIRE(verdict_on(taken - 1, &chunk) == CHUNK_NONE, "in front");
    REQUIRE(verdict_on(taken + SLOT, &chunk) == CHUNK_NONE, "a slot that was never used");
    REQUIRE(lookup_any((uintptr_t)taken, &chunk) == CHUNK_LIVE, "not found by others");
    REQUIRE(lookup_live((uintptr_t)taken, &chunk) && chunk.guarded, "not found by others");
    REQUIRE(lookup_any((uintptr_t)taken + 99, &chunk) == CHUNK_INTERIOR, "not found by others");
    REQUIRE(give(taken), "not freed");
    REQUIRE(lookup_any((uintptr_t)taken, &chunk) == CHUNK_FREED &&
                !lookup_live(chunk.start, &chunk),
            "still live");
}

static void test_what_is_no_chunk(void **state)
{
    (void)state;
    run(know_what_is_none);
}

static void remember(void *unused)
{
    struct caller allocated, freed, deep = {.depth = CALLER_DEPTH_MAX};
    char *chunk;
    (void)unused;

    make_pool();
    chunk = take(10, 1, false);
    REQUIRE(guard_pool_callers((uintptr_t)chunk + 20, &allocated, &freed) == GUARD_LIVE, "live");
    check_caller(&allocated, &allocator);
    REQUIRE(give(chunk), "not freed");
    REQUIRE(guard_pool_callers((uintptr_t)chunk, &allocated, &freed) == GUARD_FREED, "freed");
    check_caller(&allocated, &allocator);
    check_caller(&freed, &freer);
    REQUIRE(guard_pool_callers(1, &allocated, &freed) == GUARD_UNUSED, "outside");
    chunk = guard_pool_open(10, 1, false, &deep);
    REQUIRE(guard_pool_callers((uintptr_t)chunk, &allocated, &freed) == GUARD_LIVE &&
                allocated.depth == GUARD_DEPTH && allocated.truncated,
            "a deep stack is not cut");
}

static void test_who_allocated_and_freed(void **state)
{
    (void)state;
    run(remember);
}

/* Half of the slots wait, however long chunks come and go. */
static void reuse_in_order(void *unused)
{
    static char *freed[2 * GUARD_SLOTS];
    char *live[GUARD_SLOTS / 2];
    struct chunk chunk;
    (void)unused;

    make_pool();
    for (unsigned n = 0; n < GUARD_SLOTS / 2; n++)
        live[n] = take(8, 1, n % 2 == 0);
    REQUIRE(guard_pool_open(8, 1, false, &allocator) == NULL, "more than half are live");
    for (unsigned n = 0; n < 2 * GUARD_SLOTS; n++) {
        freed[n] = live[n % (GUARD_SLOTS / 2)];
        REQUIRE(give(freed[n]), "not freed");
        live[n % (GUARD_SLOTS / 2)] = take(8, 1, n % 2 == 0);
        for (unsigned back = 0; back < GUARD_SLOTS / 2 && back <= n; back += 97)
            REQUIRE(verdict_on(freed[n - back], &chunk) == CHUNK_FREED, "reused after %u", back);
    }
}

static void test_freed_slots_are_reused_in_order(void **state)
{
    (void)state;
    run(reuse_in_order);
}

static void bound_memory(void *unused)
{
    unsigned count = 0;
    (void)unused;

    make_pool();
    while (guard_pool_open(GUARD_SIZE_MAX, 1, false, &allocator) != NULL)
        count++;
    REQUIRE(count >= 64 && count < 80, "%u chunks of nearly 1 MiB", count);
    REQUIRE(atomic_load(&guard_pool_now()->opened) == count, "not counted");
    REQUIRE(atomic_load(&guard_pool_now()->dropped) == 1, "not counted");
}

static void test_memory_is_bounded(void **state)
{
    (void)state;
    run(bound_memory);
}

static void count_mappings(void *unused)
{
    unsigned before;
    char *chunk;
    (void)unused;

    make_pool();
    before = mappings_used();
    chunk = take(1, 1, false);
    REQUIRE(mappings_used() == before + 2, "not counted");
    REQUIRE(give(chunk) && mappings_used() == before, "not given back");
    mappings_bound(before + 1);
    REQUIRE(guard_pool_open(1, 1, false, &allocator) == NULL && mappings_used() == before,
            "beyond the bound");
    mappings_bound(0);
    REQUIRE(give(take(1, 1, false)), "not freed");
}

static void test_mappings_are_counted(void **state)
{
    (void)state;
    run(count_mappings);
}

/* The kernel refuses to open a slot, or to close one: the slot is lost, and nothing else. */
static void refuse(void *unused)
{
    struct caller allocated, freed;
    struct chunk found;
    char *chunk;
    (void)unused;

    REQUIRE(unit_address_space() > 0, "no address space");
    os_fail_after(1, false);
    REQUIRE(!guard_pool_begin(&found) && guard_pool_now() == NULL, "a pool without space");
    make_pool();
    os_fail_after(1, false);
    REQUIRE(guard_pool_open(100, 1, false, &allocator) == NULL, "no call that can fail");
    chunk = take(100, 1, false);
    os_fail_after(1, false);
    REQUIRE(give(chunk) && !give(chunk), "not freed");
    REQUIRE(verdict_on(chunk, &found) == CHUNK_GONE && found.requested == 100, "not known");
    REQUIRE(lookup_any((uintptr_t)chunk, &found) == CHUNK_GONE, "not known to others");
    REQUIRE(verdict_on(chunk + 1, &found) == CHUNK_FOREIGN, "known too well");
    REQUIRE(guard_pool_callers((uintptr_t)chunk, &allocated, &freed) == GUARD_LOST, "not lost");
    for (unsigned n = 0; n < 2 * GUARD_SLOTS; n++) {
        char *other = take(100, 1, false);

        REQUIRE(other != chunk && give(other), "a lost slot was used again");
    }
    REQUIRE(count_live() == 0, "%u live ones", count_live());
}

static void test_the_kernel_refuses(void **state)
{
    (void)state;
    run(refuse);
}

struct write {
    bool front;
    int offset;
    const char *expected;
};

static void write_beside(void *argument)
{
    const struct write *write = argument;
    char *chunk;

    options.report_only = true;
    make_pool();
    chunk = take(50, 1, write->front);
    chunk[write->offset] = 0;
    REQUIRE(give(chunk), "not freed");
}

static void test_writes_that_miss_the_guard(void **state)
{
    static const struct write writes[] = {
        {false, 50, "ft_malloc: free(): written past the end of 0x"},
        {false, 63, "ft_malloc: free(): written past the end of 0x"},
        {false, -1, "ft_malloc: free(): written in front of 0x"},
        {true, 50, "ft_malloc: free(): written past the end of 0x"},
        {true, 1000, "ft_malloc: free(): written past the end of 0x"},
    };
    (void)state;

    for (unsigned n = 0; n < sizeof writes / sizeof writes[0]; n++) {
        struct unit_end end;

        unit_in_child(write_beside, (void *)&writes[n], &end);
        assert_int_equal(end.exit_code, 0);
        assert_int_equal(end.err_lines, 1);
        assert_memory_equal(end.err, writes[n].expected, strlen(writes[n].expected));
        assert_non_null(strstr(end.err, "(TINY, 50 bytes)"));
    }
}

static void shrink(void *unused)
{
    char *chunk;
    (void)unused;

    make_pool();
    for (unsigned front = 0; front < 2; front++) {
        chunk = take(3 * os_page_size(), 1, front);
        guard_pool_shrink((uintptr_t)chunk, 100);
        check_live(chunk, 100);
        REQUIRE(chunk[99] == 0x5a, "changed");
        REQUIRE(give(chunk), "not freed");
        REQUIRE(unit_protected_so((uintptr_t)chunk, (uintptr_t)chunk + 3 * os_page_size(), "---p"),
                "not all is closed");
    }
}

static void test_a_chunk_shrinks(void **state)
{
    (void)state;
    run(shrink);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_chunks_are_at_guards),
        cmocka_unit_test(test_what_is_no_chunk),
        cmocka_unit_test(test_who_allocated_and_freed),
        cmocka_unit_test(test_freed_slots_are_reused_in_order),
        cmocka_unit_test(test_memory_is_bounded),
        cmocka_unit_test(test_mappings_are_counted),
        cmocka_unit_test(test_the_kernel_refuses),
        cmocka_unit_test(test_writes_that_miss_the_guard),
        cmocka_unit_test(test_a_chunk_shrinks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
