/*
 * Guarded chunks: where they are in their slots, that nobody can touch what is beside them and what
 * was freed, in which order slots are reused, and that nothing is lost where the kernel refuses.
 * Each test runs in a child, because the pool is never unmapped.
 */
#include "unit/unit.h"

#include "arena/lookup.h"
#include "base/mappings.h"
#include "base/options.h"
#include "bins/guard_pool.h"
#include "os/os.h"
#include "support/require.h"
#include "support/rng.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SLOT = 1 << GUARD_SLOT_SHIFT, THREADS = 4 };

static const struct caller allocator = {.time = 5, .thread = 77, .depth = 2, .frames = {11, 22}};
static const struct caller freer = {
    .time = 6, .thread = 88, .depth = 3, .truncated = true, .frames = {33, 44, 55}};

static void make_pool(void)
{
    void *memory = os_map(round_up(sizeof(struct guard_pool), os_page_size()));

    REQUIRE(memory != NULL && guard_pool_begin(memory), "no pool");
}

static void run(void (*body)(void *argument))
{
    assert_true(unit_child_succeeds(body, NULL));
}

static char *take(size_t size, size_t align, bool front)
{
    char *chunk = guard_pool_open(size, align, front, &allocator);

    REQUIRE(chunk != NULL && (uintptr_t)chunk % align == 0 && (uintptr_t)chunk % CHUNK_ALIGN == 0,
            "%p for %zu bytes at %zu", (void *)chunk, size, align);
    for (size_t n = 0; n < size; n++)
        REQUIRE(chunk[n] == 0, "not zero");
    memset(chunk, 0x5a, size);
    return chunk;
}

static bool give(const void *chunk)
{
    return guard_pool_close((uintptr_t)chunk, "free()", &freer);
}

static enum verdict verdict_on(const char *address, struct chunk *chunk)
{
    *chunk = (struct chunk){.start = 0};
    return guard_pool_find((uintptr_t)address, chunk);
}

static void check_live(const char *start, size_t size)
{
    struct chunk chunk;

    REQUIRE(verdict_on(start, &chunk) == CHUNK_LIVE && chunk.start == (uintptr_t)start &&
                chunk.requested == size && chunk.usable == size && chunk.guarded &&
                chunk.zone == zone_of_size(size),
            "a wrong description of %zu bytes", size);
    REQUIRE(size < 2 || verdict_on(start + size - 1, &chunk) == CHUNK_INTERIOR, "the last byte");
    REQUIRE(verdict_on(start + size + (size == 0), &chunk) == CHUNK_NONE, "the byte behind it");
}

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
    char *taken, outside;
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

static void check_caller(const struct caller *found, const struct caller *expected)
{
    REQUIRE(found->time == expected->time && found->thread == expected->thread &&
                found->depth == expected->depth && found->truncated == expected->truncated,
            "a wrong caller");
    for (unsigned n = 0; n < expected->depth; n++)
        REQUIRE(found->frames[n] == expected->frames[n], "a wrong frame");
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

static unsigned walked;

static void see(void *context, const struct chunk *chunk)
{
    const struct guard_pool *pool = context;

    REQUIRE(chunk->start - pool->base < pool->slots << GUARD_SLOT_SHIFT && chunk->guarded,
            "a wrong chunk");
    walked++;
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
    guard_pool_walk(see, guard_pool_now());
    REQUIRE(walked == 0, "%u live ones", walked);
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

static void *take_and_give(void *argument)
{
    struct rng rng = rng_stream(42, (uintptr_t)argument);
    char *held[8] = {NULL};

    for (unsigned n = 0; n < 4000; n++) {
        size_t i = rng_below(&rng, 8), size = rng_below(&rng, 300);

        if (held[i] != NULL) {
            REQUIRE(held[i][0] == (char)(uintptr_t)argument, "another thread wrote to it");
            REQUIRE(give(held[i]), "not freed");
        }
        held[i] = guard_pool_open(size + 1, 1, n % 2, &allocator);
        if (held[i] != NULL)
            held[i][0] = (char)(uintptr_t)argument;
    }
    for (size_t i = 0; i < 8; i++)
        REQUIRE(held[i] == NULL || give(held[i]), "not freed");
    return NULL;
}

/* Threads change the pool while another one looks at it. */
static void be_many(void *unused)
{
    pthread_t threads[THREADS];
    struct caller allocated, freed;
    struct chunk chunk;
    (void)unused;

    make_pool();
    for (uintptr_t n = 0; n < THREADS; n++)
        REQUIRE(pthread_create(&threads[n], NULL, take_and_give, pointer_to(n)) == 0, "no thread");
    for (unsigned n = 0; n < 200; n++) {
        uintptr_t slot = guard_pool_now()->base + (uintptr_t)(n % 64) * SLOT;
        enum guard_state state = guard_pool_callers(slot, &allocated, &freed);

        if (state == GUARD_LIVE)
            check_caller(&allocated, &allocator);
        if (state == GUARD_FREED)
            check_caller(&freed, &freer);
        (void)guard_pool_find(slot, &chunk);
        guard_pool_walk(see, guard_pool_now());
    }
    for (unsigned n = 0; n < THREADS; n++)
        pthread_join(threads[n], NULL);
    walked = 0;
    guard_pool_walk(see, guard_pool_now());
    REQUIRE(walked == 0, "%u live ones are left over", walked);
}

static void test_threads(void **state)
{
    (void)state;
    run(be_many);
}

static atomic_bool stop;

static void *go_on(void *unused)
{
    while (!atomic_load(&stop))
        REQUIRE(give(take(10, 1, false)), "not freed");
    return unused;
}

static void in_fork(char *const *before)
{
    for (unsigned n = 0; n < 10; n++) {
        check_live(before[n], 20);
        REQUIRE(before[n][19] == 0x5a && give(before[n]), "not the parent's chunk");
    }
    for (unsigned n = 0; n < 2 * GUARD_SLOTS; n++)
        REQUIRE(give(take(30, 1, true)), "no slot");
}

/* Other threads change the pool all the time while this one forks. */
static void fork_often(void *unused)
{
    pthread_t threads[THREADS];
    char *before[10];
    (void)unused;

    make_pool();
    for (unsigned n = 0; n < 10; n++)
        before[n] = take(20, 1, false);
    for (unsigned n = 0; n < THREADS; n++)
        REQUIRE(pthread_create(&threads[n], NULL, go_on, NULL) == 0, "no thread");
    for (unsigned n = 0; n < 20; n++) {
        pid_t child = fork();
        int status = -1;

        if (child == 0) {
            guard_pool_after_fork();
            in_fork(before);
            _exit(0);
        }
        REQUIRE(waitpid(child, &status, 0) == child && status == 0, "status %x", (unsigned)status);
    }
    atomic_store(&stop, true);
    for (unsigned n = 0; n < THREADS; n++)
        pthread_join(threads[n], NULL);
}

static void test_children_of_forks(void **state)
{
    (void)state;
    run(fork_often);
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
        cmocka_unit_test(test_threads),
        cmocka_unit_test(test_children_of_forks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
