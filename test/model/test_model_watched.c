/*
 * Two threads call show_alloc_mem while others allocate and free at full speed. Each listing must
 * parse and be sorted. A chunk that was held during the whole call must be listed with its exact
 * size. One more thread holds and releases sets of chunks, of sizes that nobody else uses: a set
 * must be listed completely while it is held, and not at all while it is released.
 */
#include "bins/size_class.h"
#include "support/capture.h"
#include "support/prefixed.h"
#include "support/require.h"
#include "support/rng.h"
#include "support/shown.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include <setjmp.h>

#include <cmocka.h>

enum { WORKERS = 4, WATCHERS = 2, SLOTS = 400, SET = 60, SHOWS = 250, SHOWS_MAX = 100 * SHOWS };

/* A slot's turn is odd while its chunk is held, and even while its owner changes it. */
struct slot {
    atomic_ulong turn;
    _Atomic(void *) start;
    atomic_size_t size;
};

struct seen {
    unsigned long turn;
    void *start;
    size_t size;
};

static struct slot slots[WORKERS][SLOTS];
static atomic_ulong set_turn;
static atomic_ulong shows_done;
static const size_t set_sizes[] = {333, 5003, 300007};
static atomic_bool stop;
static uint64_t seed;

static void slot_publish(struct slot *slot, void *start, size_t size)
{
    REQUIRE(start != NULL, "no memory for %zu bytes", size);
    atomic_store(&slot->start, start);
    atomic_store(&slot->size, size);
    atomic_fetch_add(&slot->turn, 1);
}

static void *slot_withdraw(struct slot *slot)
{
    atomic_fetch_add(&slot->turn, 1);
    return atomic_load(&slot->start);
}

/* Even sizes, so never one of the set's. */
static size_t random_even_size(struct rng *rng)
{
    size_t kind = rng_below(rng, 200);
    size_t limit = kind < 140 ? TINY_MAX + 100 : kind < 195 ? 9000 : kind < 199 ? 200000 : 1000000;
    return rng_below(rng, limit) & ~(size_t)1;
}

/*
 * Most slots change rarely, so that their chunks are held during whole calls. The others change all
 * the time.
 */
static size_t random_slot(struct rng *rng)
{
    return rng_below(rng, 3000) == 0 ? rng_below(rng, SLOTS) : rng_below(rng, SLOTS / 4);
}

static void *work(void *argument)
{
    size_t worker = (size_t)(uintptr_t)argument;
    struct rng rng = rng_stream(seed, worker + 10);
    while (!atomic_load_explicit(&stop, memory_order_relaxed)) {
        struct slot *slot = &slots[worker][random_slot(&rng)];
        size_t size = random_even_size(&rng);
        if (atomic_load(&slot->turn) % 2 == 0) {
            slot_publish(slot, ft_malloc(size), size);
        } else if (rng_below(&rng, 4) == 0 && size > 0) {
            slot_publish(slot, ft_realloc(slot_withdraw(slot), size), size);
        } else {
            ft_free(slot_withdraw(slot));
        }
    }
    return NULL;
}

/* By then at least one watcher has made a whole call in between. */
static void wait_for_shows(void)
{
    unsigned long enough = atomic_load(&shows_done) + 2 * WATCHERS + 1;
    while (atomic_load(&shows_done) < enough && !atomic_load(&stop))
        usleep(500);
}

/*
 * set_turn modulo 4: 0 means that nothing is held, 2 that everything is; odd values mean that the
 * set is changing.
 */
static void *hold_and_release(void *unused)
{
    (void)unused;
    void *held[3][SET];
    while (!atomic_load_explicit(&stop, memory_order_relaxed)) {
        atomic_fetch_add(&set_turn, 1);
        for (size_t n = 0; n < 3 * SET; n++) {
            held[n % 3][n / 3] = ft_malloc(set_sizes[n % 3]);
            REQUIRE(held[n % 3][n / 3] != NULL, "no memory for the set");
        }
        atomic_fetch_add(&set_turn, 1);
        wait_for_shows();
        atomic_fetch_add(&set_turn, 1);
        for (size_t n = 0; n < 3 * SET; n++)
            ft_free(held[n % 3][n / 3]);
        atomic_fetch_add(&set_turn, 1);
        wait_for_shows();
    }
    return NULL;
}

static void look_at_slots(struct seen *seen)
{
    for (size_t n = 0; n < (size_t)WORKERS * SLOTS; n++) {
        struct slot *slot = &slots[n / SLOTS][n % SLOTS];
        seen[n].turn = atomic_load(&slot->turn);
        seen[n].start = atomic_load(&slot->start);
        seen[n].size = atomic_load(&slot->size);
    }
}

/* Returns how many chunks were held during the whole call. */
static size_t require_held_chunks(const struct seen *seen, const struct shown *shown)
{
    size_t held = 0;
    for (size_t n = 0; n < (size_t)WORKERS * SLOTS; n++) {
        if (seen[n].turn % 2 == 0 || atomic_load(&slots[n / SLOTS][n % SLOTS].turn) != seen[n].turn)
            continue;
        const struct shown_chunk *chunk = shown_find(shown, seen[n].start);
        REQUIRE(chunk != NULL, "%p of %zu bytes was held and is not shown", seen[n].start,
                seen[n].size);
        REQUIRE(chunk->size == seen[n].size, "%p of %zu bytes is shown with %zu", seen[n].start,
                seen[n].size, chunk->size);
        held++;
    }
    return held;
}

static void require_set(const struct shown *shown, bool is_held)
{
    size_t counts[3] = {0};
    for (size_t n = 0; n < shown->chunk_count; n++)
        for (size_t i = 0; i < 3; i++)
            counts[i] += shown->chunks[n].size == set_sizes[i];
    for (size_t i = 0; i < 3; i++)
        REQUIRE(counts[i] == (is_held ? SET : 0),
                "%zu chunks of %zu bytes are shown, the set is %s", counts[i], set_sizes[i],
                is_held ? "held" : "released");
}

static size_t watch_once(struct capture *capture, struct seen *seen, size_t *quiet)
{
    struct shown shown;
    look_at_slots(seen);
    unsigned long turn = atomic_load(&set_turn);
    capture_call(capture, show_alloc_mem);
    REQUIRE(shown_parse(&shown, capture->text, capture->length), "%s", shown.error);
    size_t held = require_held_chunks(seen, &shown);
    if (turn % 2 == 0 && atomic_load(&set_turn) == turn) {
        require_set(&shown, turn % 4 == 2);
        (*quiet)++;
    }
    shown_free(&shown);
    atomic_fetch_add(&shows_done, 1);
    return held;
}

static void *watch(void *unused)
{
    (void)unused;
    struct capture capture;
    capture_private_descriptors();
    capture_open(&capture, STDOUT_FILENO);
    struct seen *seen = malloc(sizeof *seen * WORKERS * SLOTS);
    REQUIRE(seen != NULL, "no memory for a watcher");
    size_t held = 0;
    size_t quiet = 0;
    /*
     * On a busy machine all listings may be over before a worker has run at all. Then more are
     * made.
     */
    for (size_t n = 0; n < SHOWS || ((held == 0 || quiet == 0) && n < SHOWS_MAX); n++)
        held += watch_once(&capture, seen, &quiet);
    free(seen);
    capture_close(&capture);
    REQUIRE(held > 0 && quiet > 0, "nothing was held during a whole call (%zu chunks, %zu sets)",
            held, quiet);
    return NULL;
}

static void empty_slots(void)
{
    for (size_t n = 0; n < (size_t)WORKERS * SLOTS; n++)
        if (atomic_load(&slots[n / SLOTS][n % SLOTS].turn) % 2 == 1)
            ft_free(slot_withdraw(&slots[n / SLOTS][n % SLOTS]));
}

static void test_watched_at_full_speed(void **state)
{
    (void)state;
    pthread_t workers[WORKERS + 1];
    pthread_t watchers[WATCHERS];
    for (size_t t = 0; t < WORKERS; t++)
        assert_int_equal(pthread_create(&workers[t], NULL, work, (void *)(uintptr_t)t), 0);
    assert_int_equal(pthread_create(&workers[WORKERS], NULL, hold_and_release, NULL), 0);
    for (size_t t = 0; t < WATCHERS; t++)
        assert_int_equal(pthread_create(&watchers[t], NULL, watch, NULL), 0);
    for (size_t t = 0; t < WATCHERS; t++)
        pthread_join(watchers[t], NULL);
    atomic_store(&stop, true);
    for (size_t t = 0; t <= WORKERS; t++)
        pthread_join(workers[t], NULL);
    empty_slots();
    struct capture capture;
    capture_open(&capture, STDOUT_FILENO);
    capture_call(&capture, show_alloc_mem);
    assert_string_equal(capture.text, "Total : 0 bytes\n");
    capture_close(&capture);
}

int main(int argc, char **argv)
{
    seed = rng_seed_of_run(argc, argv);
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_watched_at_full_speed)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
