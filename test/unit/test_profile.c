/*
 * Profiles and records, told of calls by events: the figures of each site against those that the
 * test keeps itself.
 */
#include "unit/unit.h"

#include "arena/apart.h"
#include "arena/thread.h"
#include "base/clock.h"
#include "debug/event.h"
#include "debug/hooks.h"
#include "debug/mode_memory.h"
#include "debug/poisson.h"
#include "debug/profile.h"
#include "debug/stack_table.h"
#include "support/prefixed.h"
#include "support/rng.h"

#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

enum { SITES = 8, CHUNKS = 200 };

/* Frames of imagined callers. The walk ends with the first, because this is no stack. */
static uintptr_t frames[SITES * 4][2] __attribute__((aligned(16)));

/* What a site should show. */
struct figures {
    uint64_t allocations, bytes, live, live_bytes, freed, temporary, temporary_bytes, lifetime;
    uint64_t peak, peak_bytes, most_bytes;
};

static struct {
    struct figures of[SITES];
    uint64_t live_bytes, peak_bytes;
    uint64_t time;
    uintptr_t next_address, last;
    struct {
        uintptr_t address;
        size_t size;
        unsigned site;
        uint64_t time;
    } chunks[CHUNKS];
    unsigned count;
} model;

static uint32_t site_number(unsigned site)
{
    return stack_table_site(&frames[site][1], 1, true);
}

static struct stack_counters *counters(unsigned site)
{
    return &stack_table_at(site_number(site))->counters;
}

static void switch_on(unsigned modes)
{
    atomic_store(&modes_on, modes);
}

/* The same frames with other addresses, so that a test begins with sites that have no figures. */
static int begin(void **state)
{
    (void)state;
    static uintptr_t pc = 0x500000;

    thread_runtime_init(NULL);
    for (unsigned n = 0; n < SITES * 4; n++)
        frames[n][1] = pc += 16;
    model.count = 0;
    model.last = 0;
    model.live_bytes = 0;
    model.peak_bytes = atomic_load(&stack_table) != NULL ? stack_table->totals.peak_bytes : 0;
    memset(model.of, 0, sizeof model.of);
    return profile_record_begin() ? 0 : -1;
}

/* As if the thread had just begun. */
static void new_draws(void)
{
    profile_thread_get()->random = 0;
    profile_self->distance = 0;
}

static int end(void **state)
{
    (void)state;
    switch_on(0);
    return 0;
}

static void emit(enum event_kind kind, uintptr_t pointer, uintptr_t old, size_t size, unsigned site)
{
    const struct event event = {.kind = kind,
                                .pointer = pointer_to(pointer),
                                .old = pointer_to(old),
                                .size = size,
                                .frame = frames[site],
                                .time = model.time};

    profile_note(&event);
}

static void note_peak(void)
{
    if (model.live_bytes <= model.peak_bytes)
        return;
    model.peak_bytes = model.live_bytes;
    for (unsigned n = 0; n < SITES; n++) {
        model.of[n].peak = model.of[n].live;
        model.of[n].peak_bytes = model.of[n].live_bytes;
    }
}

static void model_alloc(uintptr_t address, size_t size, unsigned site)
{
    struct figures *figures = &model.of[site];

    figures->allocations++;
    figures->bytes += size;
    figures->live++;
    figures->live_bytes += size;
    if (figures->live_bytes > figures->most_bytes)
        figures->most_bytes = figures->live_bytes;
    model.live_bytes += size;
    note_peak();
    model.last = address;
    model.chunks[model.count].address = address;
    model.chunks[model.count].size = size;
    model.chunks[model.count].site = site;
    model.chunks[model.count++].time = model.time;
}

static void model_free(unsigned n)
{
    struct figures *figures = &model.of[model.chunks[n].site];
    size_t size = model.chunks[n].size;

    figures->freed++;
    figures->live--;
    figures->live_bytes -= size;
    figures->lifetime += model.time - model.chunks[n].time;
    if (model.last == model.chunks[n].address) {
        figures->temporary++;
        figures->temporary_bytes += size;
        model.last = 0;
    }
    model.live_bytes -= size;
    model.chunks[n] = model.chunks[--model.count];
}

static uintptr_t new_address(void)
{
    return 0x7000000000 + 16 * ++model.next_address;
}

static void allocate(size_t size, unsigned site)
{
    uintptr_t address = new_address();

    emit(EVENT_MALLOC, address, 0, size, site);
    model_alloc(address, size, site);
}

static void release(unsigned n)
{
    emit(EVENT_FREE, 0, model.chunks[n].address, 0, 0);
    model_free(n);
}

static void resize(unsigned n, size_t size, unsigned site)
{
    uintptr_t old = model.chunks[n].address, new = new_address();

    emit(EVENT_REALLOC_BEGINS, 0, old, size, site);
    emit(EVENT_REALLOC, new, old, size, site);
    model_free(n);
    model_alloc(new, size, site);
}

static uint64_t peak_of(const struct stack_counters *site, bool bytes)
{
    if (site->peak_number == stack_table->totals.peak_number)
        return bytes ? site->peak_bytes : site->peak;
    return bytes ? site->bytes - site->freed_bytes : site->allocations - site->freed;
}

static void check_figures(void)
{
    for (unsigned n = 0; n < SITES; n++) {
        const struct figures *right = &model.of[n];
        const struct stack_counters *site = counters(n);

        assert_int_equal(site->samples, right->allocations);
        assert_int_equal(site->allocations, right->allocations);
        assert_int_equal(site->bytes, right->bytes);
        assert_int_equal(site->freed, right->freed);
        assert_int_equal(site->allocations - site->freed, right->live);
        assert_int_equal(site->bytes - site->freed_bytes, right->live_bytes);
        assert_int_equal(site->temporary, right->temporary);
        assert_int_equal(site->temporary_bytes, right->temporary_bytes);
        assert_int_equal(site->lifetime, right->lifetime);
        assert_int_equal(site->most_bytes, right->most_bytes);
        assert_int_equal(peak_of(site, false), right->peak);
        assert_int_equal(peak_of(site, true), right->peak_bytes);
    }
    assert_int_equal(stack_table->totals.live_bytes, model.live_bytes);
    assert_int_equal(stack_table->totals.peak_bytes, model.peak_bytes);
    assert_int_equal(live_table_count(), model.count);
}

/* Sites come and go in turn, so that each has its own figures at each peak. */
static void test_a_record_is_exact(void **state)
{
    (void)state;
    struct rng rng = {1};

    switch_on(MODE_RECORD);
    for (unsigned n = 0; n < 30000; n++) {
        unsigned action = (unsigned)rng_below(&rng, 100);
        bool grows = n / 1000 % 3 != 2;

        model.time += rng_below(&rng, 1000);
        if (model.count == 0 || (model.count < CHUNKS && action < (grows ? 60U : 30U)))
            allocate(rng_below(&rng, 5000), (unsigned)rng_below(&rng, SITES));
        else if (action < 90)
            release(action % 10 == 0 ? model.count - 1 : (unsigned)rng_below(&rng, model.count));
        else
            resize((unsigned)rng_below(&rng, model.count), rng_below(&rng, 5000),
                   (unsigned)rng_below(&rng, SITES));
        if (n % 1000 == 0)
            check_figures();
    }
    check_figures();
    for (unsigned n = 0; n < SITES; n++)
        assert_true(model.of[n].temporary > 0 && model.of[n].peak > 0);
}

static void test_temporary_ones_are_freed_before_the_next_allocation(void **state)
{
    (void)state;
    switch_on(MODE_RECORD);
    allocate(100, 0);
    release(0);
    allocate(100, 1);
    allocate(50, 2);
    release(0);
    check_figures();
    assert_int_equal(counters(0)->temporary, 1);
    assert_int_equal(counters(0)->temporary_bytes, 100);
    assert_int_equal(counters(1)->temporary, 0);
}

/* They were allocated before the mode began. */
static void test_unknown_chunks_are_no_error(void **state)
{
    (void)state;
    uintptr_t resized = new_address();

    switch_on(MODE_RECORD);
    emit(EVENT_FREE, 0, 0x1230, 0, 0);
    emit(EVENT_FREE, 0, 0, 0, 0);
    emit(EVENT_REALLOC_BEGINS, 0, 0x4560, 100, 1);
    emit(EVENT_REALLOC, resized, 0x4560, 100, 1);
    model_alloc(resized, 100, 1);
    check_figures();
}

static void test_realloc_in_all_forms(void **state)
{
    (void)state;
    uintptr_t address = new_address();

    switch_on(MODE_RECORD);
    /* of NULL */
    emit(EVENT_REALLOC, address, 0, 100, 0);
    model_alloc(address, 100, 0);
    check_figures();
    /* that fails: nothing has changed */
    emit(EVENT_REALLOC_BEGINS, 0, address, SIZE_MAX / 4, 1);
    emit(EVENT_REALLOC, 0, address, SIZE_MAX / 4, 1);
    check_figures();
    /* in place */
    emit(EVENT_REALLOC_BEGINS, 0, address, 200, 1);
    emit(EVENT_REALLOC, address, address, 200, 1);
    model_free(0);
    model_alloc(address, 200, 1);
    check_figures();
    /* to 0 bytes, which frees */
    emit(EVENT_REALLOC_BEGINS, 0, address, 0, 1);
    emit(EVENT_REALLOC, 0, address, 0, 1);
    model_free(0);
    check_figures();
}

/*
 * realloc() has moved the chunk, and another thread gets its address before the event. So the old
 * chunk is forgotten before the move.
 */
static void test_the_old_address_may_be_taken_at_once(void **state)
{
    (void)state;
    uintptr_t moved = new_address();

    switch_on(MODE_RECORD);
    allocate(100, 0);
    emit(EVENT_REALLOC_BEGINS, 0, model.chunks[0].address, 300, 1);
    profile_self->last = 0;
    emit(EVENT_MALLOC, model.chunks[0].address, 0, 40, 2);
    emit(EVENT_REALLOC, moved, model.chunks[0].address, 300, 1);
    assert_int_equal(live_table_count(), 2);
    assert_int_equal(counters(0)->freed, 1);
    assert_int_equal(counters(2)->freed, 0);
    emit(EVENT_FREE, 0, model.chunks[0].address, 0, 0);
    emit(EVENT_FREE, 0, moved, 0, 0);
    assert_int_equal(counters(2)->freed, 1);
    assert_int_equal(counters(1)->freed, 1);
    assert_int_equal(live_table_count(), 0);
}

/* A free was missed, and the address is another chunk's now. */
static void test_a_missed_free_is_made_good(void **state)
{
    (void)state;
    uintptr_t address = new_address();

    switch_on(MODE_RECORD);
    emit(EVENT_MALLOC, address, 0, 100, 0);
    emit(EVENT_MALLOC, address, 0, 60, 1);
    assert_int_equal(counters(0)->freed, 1);
    assert_int_equal(counters(0)->freed_bytes, 100);
    assert_int_equal(stack_table->totals.live_bytes, 60);
    /* What lived when a record was off is forgotten, because its free may not have been seen. */
    assert_true(profile_record_begin());
    assert_int_equal(counters(1)->freed, 1);
    assert_int_equal(stack_table->totals.live_bytes, 0);
    assert_int_equal(live_table_count(), 0);
}

/* A sample is in the arena apart or LARGE; its free is found, and no other one. */
static void test_samples_are_where_their_free_is_seen(void **state)
{
    (void)state;
    char *small, *tiny, *aligned;

    assert_true(profile_begin(1024, 7));
    switch_on(MODE_PROFILE);
    while (!profile_due(100))
        ;
    tiny = profile_take(100, 1, frames[0]);
    while (!profile_due(5000))
        ;
    small = profile_take(5000, 1, frames[1]);
    while (!profile_due(300))
        ;
    aligned = profile_take(300, 256, frames[2]);
    assert_true(tiny != NULL && small != NULL && aligned != NULL);
    assert_true(apart_has((uintptr_t)tiny) && apart_has((uintptr_t)small));
    assert_int_equal((uintptr_t)aligned % 256, 0);
    memset(tiny, 1, 100);
    memset(small, 2, 5000);
    memset(aligned, 3, 300);
    assert_int_equal(live_table_count(), 3);
    for (unsigned n = 0; n < 3; n++)
        assert_int_equal(counters(n)->samples, 1);
    assert_true(counters(0)->allocations >= 10 && counters(1)->allocations <= 2);
    profile_freed((uintptr_t)small);
    assert_int_equal(counters(1)->freed, counters(1)->allocations);
    assert_int_equal(counters(1)->freed_bytes, counters(1)->bytes);
    profile_freed((uintptr_t)small + 16);
    profile_freed((uintptr_t)tiny);
    profile_freed((uintptr_t)aligned);
    assert_int_equal(live_table_count(), 0);
    assert_int_equal(stack_table->totals.live_bytes, 0);
}

static char *take_sample(size_t size, size_t align, unsigned site)
{
    while (!profile_due(size))
        ;
    return profile_take(size, align, frames[site]);
}

static void *free_in_thread(void *chunk)
{
    ft_free(chunk);
    return NULL;
}

/* All functions that free end at the same place. */
static void test_every_way_to_free_is_seen(void **state)
{
    (void)state;
    pthread_t thread;
    char *chunks[SITES];
    uint64_t remote;

    assert_true(profile_begin(1024, 7));
    for (unsigned n = 0; n < SITES; n++)
        chunks[n] = take_sample(100 + n * 1000, 1, n);
    ft_free(chunks[0]);
    ft_free_sized(chunks[1], 1100);
    ft_free_aligned_sized(chunks[2], 16, 2100);
    assert_null(ft_realloc(chunks[3], 0));
    assert_int_equal(pthread_create(&thread, NULL, free_in_thread, chunks[4]), 0);
    pthread_join(thread, NULL);
    ft_cfree(chunks[5]);
    /* moved out of the arena apart */
    chunks[6] = ft_realloc(chunks[6], 50000);
    assert_false(apart_has((uintptr_t)chunks[6]));
    ft_free(chunks[6]);
    for (unsigned n = 0; n < 7; n++)
        assert_int_equal(counters(n)->freed, counters(n)->allocations);
    assert_int_equal(live_table_count(), 1);
    /* chunks of threads are not taken for samples */
    remote = counters(7)->freed;
    ft_free(ft_malloc(100));
    assert_int_equal(counters(7)->freed, remote);
    ft_free(chunks[7]);
    assert_int_equal(live_table_count(), 0);
}

static void do_free(void *chunk)
{
    ft_free(chunk);
    ft_free(chunk);
}

static void test_a_sample_freed_twice_is_reported(void **state)
{
    (void)state;
    struct unit_end end_of_child;

    assert_true(profile_begin(1024, 7));
    unit_in_child(do_free, take_sample(100, 1, 0), &end_of_child);
    assert_int_equal(end_of_child.signal, SIGABRT);
    assert_non_null(strstr(end_of_child.err, "double free"));
}

/* The chunks of one size are as dense as elsewhere, and freed ones are used again. */
static void test_the_arena_apart_is_an_arena(void **state)
{
    (void)state;
    enum { LIVE = 500 };
    static char *chunks[LIVE];

    assert_true(profile_begin(16, 7));
    for (unsigned round = 0; round < 20; round++) {
        for (unsigned n = 0; n < LIVE; n++) {
            chunks[n] = take_sample(64, 1, 0);
            memset(chunks[n], (int)n, 64);
        }
        for (unsigned n = 0; n < LIVE; n++) {
            assert_int_equal(chunks[n][63], (char)n);
            ft_free(chunks[n]);
        }
    }
    assert_int_equal(live_table_count(), 0);
}

static void test_a_large_sample_is_noted_by_its_event(void **state)
{
    (void)state;
    uintptr_t large = (uintptr_t)ft_malloc(SMALL_MAX + 1);

    assert_true(profile_begin(1024, 7));
    switch_on(MODE_PROFILE);
    assert_true(profile_due(SMALL_MAX + 1) || profile_due(SMALL_MAX + 1));
    assert_null(profile_take(SMALL_MAX + 1, 1, frames[0]));
    assert_true(profile_self->pending);
    emit(EVENT_MALLOC, large, 0, SMALL_MAX + 1, 0);
    assert_false(profile_self->pending);
    assert_int_equal(counters(0)->bytes, SMALL_MAX + 1);
    /* the next one is no sample */
    emit(EVENT_MALLOC, large, 0, SMALL_MAX + 1, 1);
    assert_int_equal(counters(1)->samples, 0);
    profile_freed(large);
    assert_int_equal(counters(0)->freed, 1);
    /* one that failed */
    assert_true(profile_due(SMALL_MAX + 1));
    assert_null(profile_take(SMALL_MAX + 1, 1, frames[0]));
    emit(EVENT_MALLOC, 0, 0, SMALL_MAX + 1, 0);
    assert_false(profile_self->pending);
    assert_int_equal(counters(0)->samples, 1);
    switch_on(0);
    ft_free(pointer_to(large));
}

/* Sizes that nobody can serve do not disturb the draws. */
static void test_impossible_sizes_are_no_samples(void **state)
{
    (void)state;
    uint64_t distance;

    assert_true(profile_begin(1 << 20, 7));
    switch_on(MODE_PROFILE);
    profile_due(1);
    distance = profile_self->distance;
    assert_false(profile_due(SIZE_MAX));
    assert_false(profile_due((size_t)PTRDIFF_MAX + 1));
    assert_int_equal(profile_self->distance, distance);
}

/*
 * A program with sites of different sizes, of which one in a few chunks lives on: sampled with ten
 * seeds, against the true figures.
 */
static void sample_program(uint64_t seed, double *deviation)
{
    enum { CALLS = 400000, MEAN = 1 << 10 };
    static const size_t sizes[SITES] = {16, 64, 100, 200, 500, 1000, 3000, 20000};
    uint64_t true_bytes[SITES] = {0}, sampled[SITES] = {0};
    struct rng rng = {seed};

    new_draws();
    assert_true(profile_begin(MEAN, seed));
    switch_on(MODE_PROFILE);
    for (unsigned n = 0; n < SITES; n++)
        sampled[n] = 0 - (counters(n)->bytes - counters(n)->freed_bytes);
    for (unsigned n = 0; n < CALLS; n++) {
        /* each site allocates about as many bytes as the others */
        unsigned site = (unsigned)rng_below(&rng, SITES);
        size_t size = sizes[site];
        bool lives = rng_below(&rng, 4) == 0;
        void *chunk;

        if (rng_below(&rng, 16 + size) >= 32)
            continue;
        true_bytes[site] += lives ? size : 0;
        if (!profile_due(size))
            continue;
        chunk = profile_take(size, 1, frames[site]);
        if (!lives)
            profile_freed((uintptr_t)chunk);
    }
    switch_on(0);
    for (unsigned n = 0; n < SITES; n++) {
        sampled[n] += counters(n)->bytes - counters(n)->freed_bytes;
        deviation[n] += fabs((double)sampled[n] / (double)true_bytes[n] - 1);
    }
}

static void test_a_profile_is_close_to_the_truth(void **state)
{
    (void)state;
    enum { SEEDS = 10 };
    double deviation[SITES] = {0};

    for (uint64_t seed = 1; seed <= SEEDS; seed++)
        sample_program(seed, deviation);
    for (unsigned n = 0; n < SITES; n++)
        assert_true(deviation[n] / SEEDS < 0.10);
}

static void test_a_seed_repeats_the_draws(void **state)
{
    (void)state;
    uint64_t first[100];

    for (unsigned round = 0; round < 2; round++) {
        assert_true(profile_begin(1000, 99));
        new_draws();
        switch_on(MODE_PROFILE);
        for (unsigned n = 0; n < 100; n++) {
            profile_due(500);
            if (round == 0)
                first[n] = profile_self->distance;
            else
                assert_int_equal(profile_self->distance, first[n]);
        }
    }
}

static void *record_in_thread(void *argument)
{
    uintptr_t own = (uintptr_t)argument;

    for (uintptr_t n = 1; n <= 20000; n++) {
        const struct event alloc = {.kind = EVENT_MALLOC,
                                    .pointer = pointer_to((own << 32) + n * 16),
                                    .size = 10,
                                    .frame = frames[n % SITES],
                                    .time = n},
                           free = {.kind = EVENT_FREE,
                                   .old = pointer_to((own << 32) + n * 16),
                                   .frame = frames[0],
                                   .time = n + 1};

        profile_note(&alloc);
        if (n % 4 != 0)
            profile_note(&free);
    }
    return NULL;
}

static void test_threads_add_up(void **state)
{
    (void)state;
    enum { THREADS = 4 };
    pthread_t threads[THREADS];
    uint64_t allocations = 0, live = 0;

    switch_on(MODE_RECORD);
    for (uintptr_t n = 0; n < THREADS; n++)
        assert_int_equal(pthread_create(&threads[n], NULL, record_in_thread, pointer_to(n + 1)), 0);
    for (unsigned n = 0; n < THREADS; n++)
        pthread_join(threads[n], NULL);
    for (unsigned n = 0; n < SITES; n++) {
        allocations += counters(n)->allocations;
        live += counters(n)->bytes - counters(n)->freed_bytes;
    }
    assert_int_equal(allocations, THREADS * 20000);
    assert_int_equal(live, THREADS * 5000 * 10);
    assert_int_equal(live_table_count(), THREADS * 5000);
    assert_int_equal(stack_table->totals.live_bytes, live);
    assert_true(stack_table->totals.peak_bytes >= live);
}

static void *record_and_allocate(void *argument)
{
    ft_free(ft_malloc(16)); /* so that the library notices when the thread ends */
    return record_in_thread(argument);
}

/* What an ended thread leaves serves the next one. */
static void test_threads_that_end_leave_nothing(void **state)
{
    (void)state;
    size_t used = 0;

    switch_on(MODE_RECORD);
    for (uintptr_t n = 1; n <= 200; n++) {
        pthread_t thread;

        assert_int_equal(
            pthread_create(&thread, NULL, record_and_allocate, pointer_to(100 + n % 4)), 0);
        pthread_join(thread, NULL);
        if (n == 10)
            used = mode_memory_of(MODE_PROFILE).used;
    }
    assert_int_equal(mode_memory_of(MODE_PROFILE).used, used);
}

static pthread_key_t late;

/* A destructor of a key that runs when the library has taken the thread's record back. */
static void note_late(void *argument)
{
    if (!thread_self.ended) {
        pthread_setspecific(late, argument);
        return;
    }
    emit(EVENT_MALLOC, 0x111110, 0, 100, 5);
    emit(EVENT_REALLOC_BEGINS, 0, 0x111110, 200, 5);
    emit(EVENT_REALLOC, 0x222220, 0x111110, 200, 5);
    emit(EVENT_FREE, 0, 0x222220, 0, 5);
    assert_ptr_equal(profile_self, PROFILE_NONE);
}

static void *end_late(void *unused)
{
    ft_free(ft_malloc(16));
    pthread_setspecific(late, &late);
    return unused;
}

static void test_what_an_ended_thread_calls_is_noted(void **state)
{
    (void)state;
    pthread_t thread;

    switch_on(MODE_RECORD);
    assert_int_equal(pthread_key_create(&late, note_late), 0);
    assert_int_equal(pthread_create(&thread, NULL, end_late, NULL), 0);
    pthread_join(thread, NULL);
    pthread_key_delete(late);
    assert_int_equal(counters(5)->allocations, 2);
    assert_int_equal(counters(5)->freed, 2);
    assert_int_equal(counters(5)->bytes, 300);
    assert_int_equal(live_table_count(), 0);
}

static void use_in_child(void *unused)
{
    (void)unused;
    uint64_t before;

    profile_after_fork();
    before = counters(3)->allocations;
    emit(EVENT_MALLOC, new_address(), 0, 100, 3);
    if (counters(3)->allocations != before + 1)
        _exit(1);
    switch_on(MODE_PROFILE);
    while (!profile_due(100))
        ;
    if (profile_take(100, 1, frames[0]) == NULL)
        _exit(2);
}

static _Atomic bool stop;

static void *record_until_stopped(void *argument)
{
    while (!atomic_load(&stop))
        record_in_thread(argument);
    return NULL;
}

static void test_a_child_of_fork_continues(void **state)
{
    (void)state;
    pthread_t thread;

    assert_true(profile_begin(1024, 7));
    switch_on(MODE_RECORD);
    assert_int_equal(pthread_create(&thread, NULL, record_until_stopped, pointer_to(9)), 0);
    for (unsigned n = 0; n < 50; n++)
        assert_true(unit_child_succeeds(use_in_child, NULL));
    atomic_store(&stop, true);
    pthread_join(thread, NULL);
}

static unsigned inner_calls;

/* An unwinder that allocates and frees. */
static unsigned hook(void *frame, uintptr_t *pcs, unsigned most, bool *complete)
{
    (void)most;
    inner_calls++;
    emit(EVENT_MALLOC, 0x6543210, 0, 100, 7);
    emit(EVENT_FREE, 0, 0x6543210, 0, 7);
    profile_freed(0x6543210);
    assert_false(profile_due_slow(1 << 30));
    pcs[0] = ((uintptr_t *)frame)[1];
    *complete = false;
    return 1;
}

/* Must come last, because hooks stay. */
static void test_nested_calls_are_not_noted(void **state)
{
    (void)state;
    static const struct ft_malloc_debug_hooks hooks = {
        .version = DEBUG_HOOKS_VERSION, .size = sizeof hooks, .unwind = hook};
    uint64_t nested;

    assert_int_equal(ft_malloc_debug_register(&hooks), 0);
    switch_on(MODE_RECORD);
    nested = stack_table->totals.nested;
    allocate(100, 0);
    check_figures();
    assert_int_equal(inner_calls, 1);
    assert_int_equal(stack_table->totals.nested, nested + 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_record_is_exact, begin, end),
        cmocka_unit_test_setup_teardown(test_temporary_ones_are_freed_before_the_next_allocation,
                                        begin, end),
        cmocka_unit_test_setup_teardown(test_unknown_chunks_are_no_error, begin, end),
        cmocka_unit_test_setup_teardown(test_realloc_in_all_forms, begin, end),
        cmocka_unit_test_setup_teardown(test_the_old_address_may_be_taken_at_once, begin, end),
        cmocka_unit_test_setup_teardown(test_a_missed_free_is_made_good, begin, end),
        cmocka_unit_test_setup_teardown(test_samples_are_where_their_free_is_seen, begin, end),
        cmocka_unit_test_setup_teardown(test_every_way_to_free_is_seen, begin, end),
        cmocka_unit_test_setup_teardown(test_a_sample_freed_twice_is_reported, begin, end),
        cmocka_unit_test_setup_teardown(test_the_arena_apart_is_an_arena, begin, end),
        cmocka_unit_test_setup_teardown(test_a_large_sample_is_noted_by_its_event, begin, end),
        cmocka_unit_test_setup_teardown(test_impossible_sizes_are_no_samples, begin, end),
        cmocka_unit_test_setup_teardown(test_a_profile_is_close_to_the_truth, begin, end),
        cmocka_unit_test_setup_teardown(test_a_seed_repeats_the_draws, begin, end),
        cmocka_unit_test_setup_teardown(test_threads_add_up, begin, end),
        cmocka_unit_test_setup_teardown(test_threads_that_end_leave_nothing, begin, end),
        cmocka_unit_test_setup_teardown(test_what_an_ended_thread_calls_is_noted, begin, end),
        cmocka_unit_test_setup_teardown(test_a_child_of_fork_continues, begin, end),
        cmocka_unit_test_setup_teardown(test_nested_calls_are_not_noted, begin, end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
