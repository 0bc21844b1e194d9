/*
 * Two threads call show_alloc_mem continuously while eight others run the model test. Afterwards
 * every list is compared with the recorded lives of all chunks: a chunk that was live during the
 * whole call must be listed with its exact size, and whatever is listed must have been live, with
 * that size, at some moment of the call. The test prints what the calls of the workers took and
 * waited for, beside the same without watchers; test_fault_stalls checks what must not happen.
 * FT_FAULT_SCALE=N does N times as many rounds; FT_FAULT_STEPS=N sets the steps of each worker in a
 * round.
 */
#include "faults/recorded.h"
#include "model/model.h"
#include "support/capture.h"
#include "support/prefixed.h"
#include "support/require.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

enum { WORKERS = 8, WATCHERS = 2, STEPS_MOST = 8000, SLOTS = 120, LISTS_MOST = 4000, ROUNDS = 3 };

/* One call of show_alloc_mem. */
struct list {
    uint64_t from, by;
    struct shown shown;
};

struct watcher {
    struct list lists[LISTS_MOST];
    size_t count;
};

struct totals {
    size_t lists;
    size_t required; /* chunks that were live during a whole call */
    size_t listed;   /* chunks in all lists */
};

static struct record *records[WORKERS];
static struct watcher watchers[WATCHERS];
static atomic_size_t working;
static size_t steps;
static uint64_t seed, stream;

static void *work(void *argument)
{
    size_t worker = (size_t)argument;
    struct model *model = model_create(seed, stream + worker, SLOTS, 1000000);
    recorded_begin(records[worker]);
    for (size_t step = 0; step < steps; step++)
        model_step(model);
    model_free_all(model);
    model_destroy(model);
    atomic_fetch_sub(&working, 1);
    return NULL;
}

static void *watch(void *argument)
{
    struct watcher *watcher = argument;
    struct capture capture;
    capture_private_descriptors();
    capture_open(&capture, STDOUT_FILENO);
    for (watcher->count = 0; watcher->count < LISTS_MOST && atomic_load(&working) > 0;
         watcher->count++) {
        struct list *list = &watcher->lists[watcher->count];
        list->from = recorded_now();
        capture_call(&capture, show_alloc_mem);
        list->by = recorded_now();
        REQUIRE(shown_parse(&list->shown, capture.text, capture.length), "%s", list->shown.error);
    }
    capture_close(&capture);
    return NULL;
}

static bool may_be_in(const struct life *life, const struct list *list)
{
    return life->made_from <= list->by && life->freed_by >= list->from;
}

static bool must_be_in(const struct life *life, const struct list *list)
{
    return life->made_by < list->from && life->freed_from > list->by;
}

/* Marks the entries of the list that a life explains. */
static void compare(const struct life *life, const struct list *list, bool *explained,
                    struct totals *totals)
{
    const struct shown_chunk *chunk =
        shown_find(&list->shown, (const void *)life->start); // NOLINT: an address
    if (must_be_in(life, list)) {
        REQUIRE(chunk != NULL, "%#zx of %zu bytes was live during a call and is not shown",
                life->start, life->size);
        REQUIRE(chunk->size == life->size,
                "%#zx of %zu bytes was live during a call and is shown with %zu", life->start,
                life->size, chunk->size);
        totals->required++;
    }
    if (chunk != NULL && chunk->size == life->size)
        explained[chunk - list->shown.chunks] = true;
}

static void check_list(const struct list *list, struct totals *totals)
{
    const struct shown *shown = &list->shown;
    bool *explained = calloc(shown->chunk_count + 1, sizeof *explained);
    REQUIRE(explained != NULL, "no memory to check a list");
    for (size_t worker = 0; worker < WORKERS; worker++)
        for (size_t n = 0; n < records[worker]->count; n++)
            if (may_be_in(&records[worker]->lives[n], list))
                compare(&records[worker]->lives[n], list, explained, totals);
    for (size_t n = 0; n < shown->chunk_count; n++)
        REQUIRE(explained[n],
                "%#zx is shown with %zu bytes, but was not so at any moment of the call",
                shown->chunks[n].start, shown->chunks[n].size);
    free(explained);
    totals->listed += shown->chunk_count;
    totals->lists++;
}

static void check_lists(struct totals *totals)
{
    for (size_t w = 0; w < WATCHERS; w++) {
        for (size_t n = 0; n < watchers[w].count; n++) {
            check_list(&watchers[w].lists[n], totals);
            shown_free(&watchers[w].lists[n].shown);
        }
    }
}

static void run_round(size_t watcher_count, struct totals *totals, struct locks_tally *tally)
{
    pthread_t threads[WORKERS + WATCHERS];
    atomic_store(&working, WORKERS);
    for (size_t t = 0; t < WORKERS; t++)
        records[t] = recorded_create((size_t)2 * STEPS_MOST);
    for (size_t t = 0; t < WORKERS; t++)
        REQUIRE(pthread_create(&threads[t], NULL, work, (void *)t) == 0, "no thread");
    for (size_t w = 0; w < watcher_count; w++)
        REQUIRE(pthread_create(&threads[WORKERS + w], NULL, watch, &watchers[w]) == 0, "no thread");
    for (size_t t = 0; t < WORKERS + watcher_count; t++)
        pthread_join(threads[t], NULL);
    if (watcher_count > 0)
        check_lists(totals);
    for (size_t t = 0; t < WORKERS; t++) {
        locks_add(tally, &records[t]->tally);
        recorded_destroy(records[t]);
    }
    stream += WORKERS;
}

static size_t setting(const char *name, size_t usual)
{
    const char *given = getenv(name);
    return given == NULL ? usual : strtoul(given, NULL, 10);
}

static void test_every_list_is_right(void **state)
{
    (void)state;
    struct locks_tally alone = {0}, watched = {0};
    struct totals totals = {0};
    struct capture capture;
    size_t rounds = ROUNDS * setting("FT_FAULT_SCALE", 1);
    steps = setting("FT_FAULT_STEPS", STEPS_MOST);
    assert_in_range(steps, 1, STEPS_MOST);
    run_round(0, &totals, &alone);
    for (size_t round = 0; round < rounds; round++)
        run_round(WATCHERS, &totals, &watched);
    printf(
        "%zu lists with %zu chunks, all of them live; %zu chunks were live during a whole call\n",
        totals.lists, totals.listed, totals.required);
    locks_print("not watched", &alone);
    locks_print("watched", &watched);
    assert_true(totals.lists > 0 && totals.required > 0 && totals.listed >= totals.required);
    capture_open(&capture, STDOUT_FILENO);
    capture_call(&capture, show_alloc_mem);
    assert_string_equal(capture.text, "Total : 0 bytes\n");
    capture_close(&capture);
}

int main(int argc, char **argv)
{
    seed = rng_seed_of_run(argc, argv);
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_every_list_is_right)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
