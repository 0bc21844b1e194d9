/*
 * Profiles and records of a program that calls the library as programs do: what each call site has
 * live, by both, and that nothing is left when all is freed. Runs in a usual and in a hardened
 * process.
 */
#include "unit/unit.h"

#include "debug/live_table.h"
#include "debug/mode_memory.h"
#include "debug/stack_table.h"
#include "ft_malloc.h"
#include "support/prefixed.h"
#include "support/require.h"
#include "support/rng.h"

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { SITES = 6, CHUNKS = 6000, SEEDS = 10, THREADS = 3 };

/* Live bytes by site, as a child has counted them. Shared with the children. */
static struct result {
    uint64_t bytes[SITES];
} * result;

static char *chunks[THREADS][CHUNKS];

/* Each is a call site of its own: nothing is inlined, and no call is the last thing done. */
static __attribute__((noinline)) char *from_malloc(size_t size)
{
    char *chunk = ft_malloc(size);

    memset(chunk, 1, size);
    return chunk;
}

static __attribute__((noinline)) char *from_calloc(size_t size)
{
    char *chunk = ft_calloc(size, 1);

    REQUIRE(chunk[0] == 0 && chunk[size - 1] == 0, "wrong");
    chunk[0] = 1;
    return chunk;
}

static __attribute__((noinline)) char *from_realloc(char *chunk, size_t size)
{
    chunk = ft_realloc(chunk, size);
    memset(chunk, 3, size);
    return chunk;
}

static __attribute__((noinline)) char *from_aligned(size_t size)
{
    char *chunk = ft_memalign(256, size);

    REQUIRE((uintptr_t)chunk % 256 == 0, "wrong");
    memset(chunk, 4, size);
    return chunk;
}

static __attribute__((noinline)) char *from_large(size_t size)
{
    char *chunk = ft_malloc(size + (300 << 10));

    chunk[0] = 5;
    return chunk;
}

static __attribute__((noinline)) char *from_short(size_t size)
{
    char *chunk = ft_malloc(size);

    chunk[0] = 6;
    return chunk;
}

static char *allocate(unsigned site, size_t size)
{
    switch (site) {
    case 0:
        return from_malloc(size);
    case 1:
        return from_calloc(size);
    case 2:
        return from_realloc(from_short(size / 2 + 1), size);
    case 3:
        return from_aligned(size);
    case 4:
        return from_large(size);
    default:
        return from_realloc(from_malloc(size * 2), size);
    }
}

/* LARGE chunks are rare, as in most programs. */
static void *work(void *argument)
{
    char **own = argument;
    struct rng rng = {(uint64_t)(own - chunks[0]) + 1};

    for (unsigned n = 0; n < CHUNKS; n++) {
        unsigned site = (unsigned)rng_below(&rng, 100) == 0 ? 4 : n % 4;
        char *short_lived = from_short(1 + rng_below(&rng, 3000));

        own[n] = allocate(site, 1 + rng_below(&rng, 2000));
        ft_free(short_lived);
        if (n % 3 != 0 && n > 0 && own[n / 2] != NULL) {
            ft_free(own[n / 2]);
            own[n / 2] = NULL;
        }
    }
    return NULL;
}

static void work_in_threads(void)
{
    pthread_t threads[THREADS];

    for (unsigned n = 0; n < THREADS; n++)
        REQUIRE(pthread_create(&threads[n], NULL, work, chunks[n]) == 0, "wrong");
    for (unsigned n = 0; n < THREADS; n++)
        pthread_join(threads[n], NULL);
}

/* Returns the call site among the functions above that a return address is in, or SITES. */
static unsigned site_of(uintptr_t pc)
{
    static char *(*const functions[])(size_t) = {from_malloc, from_calloc, from_short, from_aligned,
                                                 from_large};
    uintptr_t nearest = (uintptr_t)from_realloc;
    unsigned site = SITES - 1;

    if (nearest > pc)
        nearest = 0;
    for (unsigned n = 0; n < SITES - 1; n++)
        if ((uintptr_t)functions[n] <= pc && (uintptr_t)functions[n] > nearest) {
            nearest = (uintptr_t)functions[n];
            site = n;
        }
    return pc - nearest < 400 ? site : SITES;
}

static void add_up(struct result *sums)
{
    memset(sums, 0, sizeof *sums);
    for (uint32_t number = STACK_OVERFLOW + 1; number < stack_table->sites; number++) {
        const struct stack_counters *counters = &stack_table_at(number)->counters;
        uintptr_t pc;

        if (stack_table_frames(number, &pc, 1) == 1 && site_of(pc) < SITES)
            sums->bytes[site_of(pc)] += counters->bytes - counters->freed_bytes;
    }
}

static void run_with(const char *option, const char *value)
{
    REQUIRE(ft_malloc_set(option, value) == 0, "wrong");
    work_in_threads();
    add_up(result);
}

static void record(void *unused)
{
    (void)unused;
    run_with("RECORD", "1");
    REQUIRE(stack_table->totals.dropped == 0 && stack_table->totals.overflowed == 0, "wrong");
}

static void profile(void *value)
{
    run_with("PROFILE", value);
    REQUIRE(stack_table->totals.dropped == 0 && stack_table->totals.overflowed == 0, "wrong");
    REQUIRE(mode_memory_of(MODE_PROFILE).used <= mode_memory_of(MODE_PROFILE).cap, "wrong");
    REQUIRE(mode_memory_of(MODE_PROFILE).cap <= 2 << 20 || os_page_size() > 16 << 10, "wrong");
}

static void test_a_profile_is_close_to_a_record(void **state)
{
    (void)state;
    struct result exact;
    double deviation[SITES] = {0};
    uint64_t sum = 0;
    unsigned compared = 0;

    assert_true(unit_child_succeeds(record, NULL));
    exact = *result;
    for (unsigned n = 0; n < SITES; n++)
        sum += exact.bytes[n];
    for (unsigned seed = 1; seed <= SEEDS; seed++) {
        char value[32];

        snprintf(value, sizeof value, "4K,%u", seed);
        assert_true(unit_child_succeeds(profile, value));
        for (unsigned n = 0; n < SITES; n++)
            deviation[n] += fabs((double)result->bytes[n] / (double)exact.bytes[n] - 1);
    }
    for (unsigned n = 0; n < SITES; n++)
        if (exact.bytes[n] > sum / 20) {
            assert_true(deviation[n] / SEEDS < 0.10);
            compared++;
        }
    assert_true(compared >= 1);
    /* what was all freed is known to be */
    assert_int_equal(exact.bytes[2], 0);
    assert_int_equal(result->bytes[2], 0);
}

static void free_all(void)
{
    for (unsigned thread = 0; thread < THREADS; thread++)
        for (unsigned n = 0; n < CHUNKS; n++)
            ft_free(chunks[thread][n]);
}

/* The threads have ended, so all of these are remote frees. */
static void free_everything(void *value)
{
    if (value == NULL)
        record(NULL);
    else
        profile(value);
    REQUIRE(live_table_count() > 0, "wrong");
    free_all();
    add_up(result);
}

static void check_nothing_left(void)
{
    for (unsigned n = 0; n < SITES; n++)
        assert_int_equal(result->bytes[n], 0);
}

static void test_nothing_is_left_when_all_is_freed(void **state)
{
    (void)state;
    char value[] = "4K,3";

    assert_true(unit_child_succeeds(free_everything, NULL));
    check_nothing_left();
    assert_true(unit_child_succeeds(free_everything, value));
    check_nothing_left();
}

static void free_in_child(void *unused)
{
    (void)unused;
    free_all();
    work_in_threads();
    free_all();
    add_up(result);
}

/* What the parent allocated, a child frees; and it goes on with threads of its own. */
static void fork_and_free(void *value)
{
    REQUIRE(ft_malloc_set(value == NULL ? "RECORD" : "PROFILE", value == NULL ? "1" : value) == 0,
            "wrong");
    work_in_threads();
    REQUIRE(unit_child_succeeds(free_in_child, NULL), "wrong");
}

static void test_a_child_of_fork_goes_on(void **state)
{
    (void)state;
    char value[] = "4K,3";

    memset(result, 1, sizeof *result);
    assert_true(unit_child_succeeds(fork_and_free, NULL));
    check_nothing_left();
    memset(result, 1, sizeof *result);
    assert_true(unit_child_succeeds(fork_and_free, value));
    check_nothing_left();
}

/* Chunks from before are freed, resized and mixed with new ones. */
static void begin_late(void *value)
{
    work_in_threads();
    REQUIRE(ft_malloc_set(value == NULL ? "RECORD" : "PROFILE", value == NULL ? "1" : value) == 0,
            "wrong");
    for (unsigned n = 0; n < CHUNKS; n++)
        if (n % 2 == 0 && chunks[0][n] != NULL)
            chunks[0][n] = from_realloc(chunks[0][n], 100 + n);
    free_all();
    add_up(result);
    REQUIRE(live_table_count() == 0, "wrong");
}

static void test_chunks_from_before_are_no_error(void **state)
{
    (void)state;
    char value[] = "1K,3";

    assert_true(unit_child_succeeds(begin_late, NULL));
    check_nothing_left();
    assert_true(unit_child_succeeds(begin_late, value));
    check_nothing_left();
}

/* Samples that live on when the profile ends are freed like others. */
static void end_early(void *value)
{
    profile(value);
    REQUIRE(ft_malloc_set("PROFILE", "0") == 0, "wrong");
    free_all();
    work_in_threads();
    free_all();
    REQUIRE(ft_malloc_check() == 0, "wrong");
}

static void test_a_profile_may_end_at_any_time(void **state)
{
    (void)state;
    char value[] = "1K,3";

    assert_true(unit_child_succeeds(end_early, value));
}

static int share_result(void **state)
{
    (void)state;
    result = mmap(NULL, sizeof *result, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    return result == MAP_FAILED ? -1 : 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_profile_is_close_to_a_record),
        cmocka_unit_test(test_nothing_is_left_when_all_is_freed),
        cmocka_unit_test(test_a_child_of_fork_goes_on),
        cmocka_unit_test(test_chunks_from_before_are_no_error),
        cmocka_unit_test(test_a_profile_may_end_at_any_time),
    };

    return cmocka_run_group_tests(tests, share_result, NULL);
}
