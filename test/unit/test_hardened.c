/*
 * Hardened arenas, played by one thread: free memory that is zero, the quarantine, random choice of
 * chunks, and chunks that other threads have freed. Each test runs in a child, because the option
 * cannot be taken back.
 */
#include "unit/hardened.h"

#include "api/hardened.h"
#include "arena/remote.h"
#include "arena/thread.h"
#include "base/canary.h"
#include "base/options.h"
#include "support/pattern.h"
#include "support/require.h"
#include "support/resident.h"
#include "support/sanitized.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

enum { QUARANTINE_CHUNKS = 512, QUARANTINE_BYTES = 512 << 10 };

static void hand_out(void *unused)
{
    (void)unused;
    struct arena *arena = unit_arena();

    for (size_t size = 0; size < SMALL_MAX; size += size < 1024 ? 1 : size / 7) {
        for (unsigned n = 0; n < 5; n++) {
            char *chunk = take(arena, size);
            size_t usable = unit_chunk(chunk).usable;

            REQUIRE(unit_chunk(chunk).kind == STATE_LIVE && unit_chunk(chunk).requested == size,
                    "state");
            REQUIRE(pattern_first_nonzero(chunk, size) == size, "%zu bytes are not zero", size);
            REQUIRE(canary_intact((uintptr_t)chunk, size, usable), "%zu bytes have no canary",
                    size);
            memset(chunk, 0xee, size);
            give(arena, chunk);
            REQUIRE(unit_chunk(chunk).kind == STATE_FREE, "%zu bytes are not free", size);
            REQUIRE(pattern_first_nonzero(chunk, usable) == usable, "%zu freed bytes are not zero",
                    size);
        }
    }
}

static void test_chunks_are_zero_and_have_a_canary(void **state)
{
    (void)state;
    run(hand_out);
}

/*
 * Sized frees of every TINY size: no other size is accepted, also where the slack is the largest
 * that a state can express.
 */
static void free_sized_quickly(void *unused)
{
    (void)unused;
    struct arena *arena = unit_arena();

    for (size_t size = 0; size < 3000; size++) {
        uintptr_t chunk = (uintptr_t)take(arena, size);

        REQUIRE(!hardened_free_quick(cache_first(arena), chunk, true, size + 1) &&
                    !hardened_free_quick(cache_first(arena), chunk, true, size - 1) &&
                    !hardened_free_quick(cache_first(arena), chunk, true, size + 64) &&
                    !hardened_free_quick(cache_first(arena), chunk, true, size - 64),
                "%zu bytes are freed as others", size);
        REQUIRE(hardened_free_quick(cache_first(arena), chunk, true, size),
                "%zu bytes are not freed", size);
    }
}

static void free_quickly(void *unused)
{
    (void)unused;
    struct arena *arena = unit_arena(), *other = unit_arena();
    volatile uintptr_t nobodys = 4096;
    char *tiny = take(arena, 100), *small = take(arena, 3000), *theirs = take(other, 100);

    REQUIRE(!hardened_free_quick(cache_first(arena), (uintptr_t)tiny + 1, false, 0), "misaligned");
    REQUIRE(!hardened_free_quick(cache_first(arena), (uintptr_t)tiny + 16, false, 0), "inside");
    REQUIRE(!hardened_free_quick(cache_first(arena), (uintptr_t)small + 512, false, 0), "inside");
    REQUIRE(!hardened_free_quick(cache_first(arena), (uintptr_t)theirs, false, 0),
            "another arena's");
    REQUIRE(!hardened_free_quick(cache_first(arena), nobodys, false, 0), "nobody's");
    REQUIRE(hardened_free_quick(cache_first(arena), (uintptr_t)tiny, false, 0), "live");
    REQUIRE(hardened_free_quick(cache_first(arena), (uintptr_t)small, false, 0), "live");
    REQUIRE(!hardened_free_quick(cache_first(arena), (uintptr_t)tiny, false, 0), "freed");
    REQUIRE(!hardened_free_quick(cache_first(arena), (uintptr_t)small, false, 0), "freed");
}

static void test_only_live_chunks_are_freed_quickly(void **state)
{
    (void)state;
    run(free_quickly);
    run(free_sized_quickly);
}

/* The oldest chunks leave the quarantine when one more is freed than it holds, and no sooner. */
static void wait_in_quarantine(void *unused)
{
    (void)unused;
    enum { MORE = 10, FREED = QUARANTINE_CHUNKS + MORE };
    struct arena *arena = unit_arena();
    struct stack *stack = &cache_first(arena)->stacks.of[size_class_of(41)];
    static char *chunks[FREED];

    for (size_t n = 0; n < FREED; n++)
        chunks[n] = take(arena, 40);
    while (stack_count(stack) > 0)
        take(arena, 40);
    for (size_t n = 0; n < FREED; n++) {
        give(arena, chunks[n]);
        REQUIRE(stack_count(stack) == (n < QUARANTINE_CHUNKS ? 0 : n + 1 - QUARANTINE_CHUNKS),
                "%u after %zu", stack_count(stack), n);
    }
    for (size_t n = 0; n < FREED; n++)
        REQUIRE(in_stack(stack, chunks[n]) == (n < MORE), "chunk %zu", n);
    chunk_quarantine_flush(cache_first(arena));
}

static void test_the_quarantine_is_bounded_in_chunks(void **state)
{
    (void)state;
    run(wait_in_quarantine);
}

static void wait_by_bytes(void *unused)
{
    (void)unused;
    enum { SIZE = 65535, FREED = 20, WAIT = QUARANTINE_BYTES / 65536 };
    struct arena *arena = unit_arena();
    size_t reused = 0;
    char *chunks[FREED];

    for (size_t n = 0; n < FREED; n++)
        chunks[n] = take(arena, SIZE);
    for (size_t n = 0; n < FREED; n++)
        give(arena, chunks[n]);
    /*
     * Chunks that do not wait are in the stack or in slabs, and their state says the same. They are
     * handed out first, so that only waiting chunks are left.
     */
    for (size_t n = 0; n < FREED - WAIT; n++) {
        char *again = take(arena, SIZE);

        for (size_t m = 0; m < FREED - WAIT; m++)
            reused += again == chunks[m];

        for (size_t m = FREED - WAIT; m < FREED; m++)
            REQUIRE(again != chunks[m], "chunk %zu does not wait", m);
    }
    REQUIRE(reused > 0, "all of them wait");
}

static void test_the_quarantine_is_bounded_in_bytes(void **state)
{
    (void)state;
    run(wait_by_bytes);
}

static void choose(void *unused)
{
    (void)unused;
    enum { COUNT = 300 };
    struct arena *arena = unit_arena();
    struct stack *stack = &cache_first(arena)->stacks.of[size_class_of(41)];
    unsigned rising = 0;
    char *chunks[COUNT];

    /* The chunks that came into the stack with the first one are not the lowest of the slab. */
    chunks[0] = take(arena, 40);
    for (void **slot = stack->slots; slot < stack->top; slot++)
        rising += ((uintptr_t)*slot & (UNIT_SIZE - 1)) / 48 > 2 * stack_count(stack);
    REQUIRE(stack_count(stack) > 3 && rising > 0, "the slab is taken in order");
    rising = 0;
    for (size_t n = 1; n < COUNT; n++) {
        chunks[n] = take(arena, 40);
        rising += chunks[n] > chunks[n - 1];
        for (size_t m = 0; m < n; m++)
            REQUIRE(chunks[m] != chunks[n], "handed out twice");
    }
    REQUIRE(rising > COUNT / 4 && rising < COUNT * 3 / 4, "%u of %d rise", rising, COUNT);
}

static void test_the_order_is_random(void **state)
{
    (void)state;
    run(choose);
}

/*
 * Chunks that leave the quarantine are pushed onto the stack in order. Which of them is handed out
 * next must be random, too.
 */
static void choose_again(void *unused)
{
    (void)unused;
    enum { COUNT = 60 };
    struct arena *arena = unit_arena();
    char *chunks[COUNT], *again[COUNT];
    unsigned in_turn = 0;

    for (size_t n = 0; n < COUNT; n++)
        chunks[n] = take(arena, 40);
    for (size_t n = 0; n < COUNT; n++)
        give(arena, chunks[n]);
    chunk_quarantine_flush(cache_first(arena));
    for (size_t n = 0; n < COUNT; n++) {
        again[n] = take(arena, 40);
        for (size_t m = 1; m < COUNT && n > 0; m++)
            in_turn += (again[n] == chunks[m] && again[n - 1] == chunks[m - 1]) ||
                       (again[n] == chunks[m - 1] && again[n - 1] == chunks[m]);
    }
    REQUIRE(in_turn < COUNT / 2, "%u of %d follow each other as they were freed", in_turn, COUNT);
}

static void test_reuse_is_random(void **state)
{
    (void)state;
    run(choose_again);
}

/* Memory that the program never wrote to is zero already, and wiping it takes no memory. */
static void free_untouched(void *unused)
{
    enum { COUNT = 64, SIZE = 250000 };
    struct arena *arena = unit_arena();
    char *chunks[COUNT];
    const long before = resident_kib();
    long more;
    (void)unused;

    for (size_t n = 0; n < COUNT; n++)
        chunks[n] = take(arena, SIZE);
    for (size_t n = 0; n < COUNT; n++) {
        chunks[n][0] = chunks[n][SIZE - 1] = 1;
        give(arena, chunks[n]);
        REQUIRE(pattern_first_nonzero(chunks[n], SIZE) == SIZE, "not wiped");
    }
    more = resident_kib() - before;
    REQUIRE(more < COUNT * (SIZE / 1024) / 2, "%ld KiB more are resident", more);
}

static void test_wiping_touches_no_new_memory(void **state)
{
    (void)state;
    /* What the sanitizers record about each access is resident memory, too. */
    if (sanitized || reading_takes_memory())
        skip();
    run(free_untouched);
}

/* How a program misuses chunks, and what the report says. */
static void destroy_canary(void *unused)
{
    struct arena *arena = unit_arena();
    char *chunk = take(arena, 100);
    (void)unused;

    chunk[100] = 0;
    give(arena, chunk);
}

static void destroy_canary_quickly(void *unused)
{
    struct arena *arena = unit_arena();
    char *chunk = take(arena, 100);
    (void)unused;

    chunk[100] = 0;
    hardened_free_quick(cache_first(arena), (uintptr_t)chunk, false, 0);
}

static void destroy_canary_remotely(void *unused)
{
    struct arena *arena = unit_arena(), *other = unit_arena();
    char *chunk = take(other, 100);
    (void)unused;

    chunk[100] = 0;
    give_abroad(arena, chunk);
}

static void write_to_freed(void *unused)
{
    struct arena *arena = unit_arena();
    char *chunk = take(arena, 100);
    (void)unused;

    give(arena, chunk);
    chunk[50] = 1;
    chunk_quarantine_flush(cache_first(arena));
    for (unsigned n = 0; n < 1000; n++)
        take(arena, 100);
}

/* Nobody takes the chunk again: it leaves the quarantine, and then its stack for its slab. */
static void write_to_flushed(void *unused)
{
    struct arena *arena = unit_arena();
    char *chunk = take(arena, 3000);
    (void)unused;

    give(arena, chunk);
    chunk[1000] = 1;
    cache_flush(cache_first(arena));
}

/* The same for a chunk that finds its stack full. */
static void write_to_spilled(void *unused)
{
    enum { COUNT = 200 };
    struct arena *arena = unit_arena();
    char *chunks[COUNT];
    (void)unused;

    for (unsigned n = 0; n < COUNT; n++)
        chunks[n] = take(arena, 4000);
    give(arena, chunks[0]);
    chunks[0][1000] = 1;
    for (unsigned n = 1; n < COUNT; n++)
        give(arena, chunks[n]);
}

static void test_misuse_is_reported(void **state)
{
    (void)state;
    static const struct {
        void (*body)(void *unused);
        const char *line;
    } cases[] = {
        {destroy_canary, "ft_malloc: free(): written past the end of 0x"},
        {destroy_canary_quickly, "ft_malloc: free(): written past the end of 0x"},
        {destroy_canary_remotely, "ft_malloc: free(): written past the end of 0x"},
        {write_to_freed, "ft_malloc: memory written to after free: chunk 0x"},
        {write_to_flushed, "ft_malloc: memory written to after free: chunk 0x"},
        {write_to_spilled, "ft_malloc: memory written to after free: chunk 0x"},
    };

    options.harden = true;
    for (unsigned n = 0; n < 2 * sizeof cases / sizeof cases[0]; n++) {
        struct unit_end end;

        options.report_only = n % 2 != 0;
        unit_in_child(cases[n / 2].body, NULL, &end);
        assert_int_equal(end.signal, options.report_only ? 0 : SIGABRT);
        assert_ptr_equal(strstr(end.err, cases[n / 2].line), end.err);
        assert_int_equal(end.err_lines, 1);
    }
    options.harden = false;
    options.report_only = false;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_chunks_are_zero_and_have_a_canary),
        cmocka_unit_test(test_only_live_chunks_are_freed_quickly),
        cmocka_unit_test(test_the_quarantine_is_bounded_in_chunks),
        cmocka_unit_test(test_the_quarantine_is_bounded_in_bytes),
        cmocka_unit_test(test_the_order_is_random),
        cmocka_unit_test(test_reuse_is_random),
        cmocka_unit_test(test_wiping_touches_no_new_memory),
        cmocka_unit_test(test_misuse_is_reported),
    };

    thread_runtime_init(NULL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
