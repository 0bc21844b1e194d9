/*
 * ft_malloc_check(): no fault in a sound process, whatever other threads do; and each kind of fault
 * is found and reported. Each fault is made in a child process, by writing to the library's
 * records.
 */
#include "unit/unit.h"

#include "arena/thread.h"
#include "bins/chunk.h"
#include "ft_malloc.h"
#include "support/prefixed.h"
#include "support/require.h"
#include "support/rng.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

enum { MANY = 400, THREADS = 3, SIZE_MOST = 400000, CHECKS = 40 };

static atomic_bool over;

static void *allocate_and_free(void *argument)
{
    struct rng rng = rng_stream(1, (uintptr_t)argument);
    void *chunks[MANY] = {NULL};

    while (!atomic_load(&over)) {
        size_t n = rng_below(&rng, MANY);

        ft_free(chunks[n]);
        chunks[n] = ft_malloc(rng_below(&rng, rng_below(&rng, 8) == 0 ? SIZE_MOST : 3000));
    }
    for (size_t n = 0; n < MANY; n++)
        ft_free(chunks[n]);
    return NULL;
}

static void test_a_sound_process_has_no_fault(void **state)
{
    (void)state;
    pthread_t threads[THREADS];
    void *chunks[MANY];

    for (size_t n = 0; n < MANY; n++)
        chunks[n] = ft_malloc(n * n);
    for (uintptr_t n = 0; n < THREADS; n++)
        assert_int_equal(pthread_create(&threads[n], NULL, allocate_and_free, (void *)n), 0);
    for (unsigned n = 0; n < CHECKS; n++) {
        assert_int_equal(ft_malloc_check(), 0);
        ft_free(chunks[n]);
        chunks[n] = ft_realloc(NULL, 1000 * n);
    }
    atomic_store(&over, true);
    for (size_t n = 0; n < THREADS; n++)
        assert_int_equal(pthread_join(threads[n], NULL), 0);
    for (size_t n = 0; n < MANY; n++)
        ft_free(chunks[n]);
    assert_int_equal(ft_malloc_check(), 0);
}

static unsigned told;

static void count_reports(const struct ft_malloc_error *error)
{
    REQUIRE(error->kind == FT_MALLOC_CORRUPTION && error->may_allocate, "another kind");
    ft_free(ft_malloc(100));
    told++;
}

/* Requires one fault, which the handler is told; the process then ends with its line on stderr. */
static void require_fault(void)
{
    ft_malloc_on_error(count_reports);
    REQUIRE(ft_malloc_check() == 1 && told == 1, "%u reports", told);
}

static void mark_inside(void *unused)
{
    uintptr_t chunk = (uintptr_t)ft_malloc(500);

    (void)unused;
    atomic_store(tiny_state(chunk + CHUNK_ALIGN), tiny_state_of(STATE_LIVE, 1));
    require_fault();
}

static void change_class(void *unused)
{
    uintptr_t chunk = (uintptr_t)ft_malloc(5000);
    struct chunk found = unit_chunk((void *)chunk);

    (void)unused;
    atomic_store(small_state(chunk), small_state_of(STATE_LIVE, found.size_class + 1, chunk, 1));
    require_fault();
}

static void change_count(void *unused)
{
    struct chunk found = unit_chunk(ft_malloc(64));

    (void)unused;
    found.slab->free++;
    require_fault();
}

static void free_in_slab_only(void *unused)
{
    struct chunk found = unit_chunk(ft_malloc(64));

    (void)unused;
    found.slab->vacant[found.index / 64] |= UINT64_C(1) << found.index % 64;
    require_fault();
}

static void test_each_fault_is_reported(void **state)
{
    (void)state;
    static const struct {
        void (*make)(void *unused);
        const char *line;
    } faults[] = {
        {mark_inside, "ft_malloc: ft_malloc_check(): wrong state of a chunk at 0x"},
        {change_class, "ft_malloc: ft_malloc_check(): wrong state of a chunk at 0x"},
        {change_count, "ft_malloc: ft_malloc_check(): wrong count of vacant chunks in the slab"},
        {free_in_slab_only, "ft_malloc: ft_malloc_check(): a chunk is vacant and in use: 0x"},
    };

    for (size_t n = 0; n < sizeof faults / sizeof faults[0]; n++) {
        struct unit_end end;

        unit_in_child(faults[n].make, NULL, &end);
        if (end.exit_code != 0 || end.err_lines != 1 ||
            strncmp(end.err, faults[n].line, strlen(faults[n].line)) != 0)
            fail_msg("fault %zu: exit %d, signal %d: %s", n, end.exit_code, end.signal, end.err);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        /* First, while there is one arena: its child has nothing to repair after the fork. */
        cmocka_unit_test(test_each_fault_is_reported),
        cmocka_unit_test(test_a_sound_process_has_no_fault),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
