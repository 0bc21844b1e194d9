/*
 * The model test in several threads. Each drives a model of its own and passes chunks to the others
 * through queues; the receiver verifies them and keeps, resizes or frees them. Between waves of
 * threads and in the end, show_alloc_mem must list exactly what is held.
 */
#include "model/model.h"
#include "support/capture.h"
#include "support/prefixed.h"
#include "support/require.h"

#include <pthread.h>
#include <stdarg.h>
#include <unistd.h>

#include <setjmp.h>

#include <cmocka.h>

enum { MAXIMUM_THREADS = 8, QUEUE_LENGTH = 256 };

struct queue {
    pthread_mutex_t mutex;
    size_t first;
    size_t count;
    struct chunk chunks[QUEUE_LENGTH];
};

struct crew {
    size_t threads;
    size_t steps;
    struct model *models[MAXIMUM_THREADS];
    struct queue queues[MAXIMUM_THREADS];
};

struct worker {
    struct crew *crew;
    size_t index;
};

static uint64_t seed;

static bool queue_push(struct queue *queue, const struct chunk *chunk)
{
    pthread_mutex_lock(&queue->mutex);
    bool room = queue->count < QUEUE_LENGTH;
    if (room)
        queue->chunks[(queue->first + queue->count++) % QUEUE_LENGTH] = *chunk;
    pthread_mutex_unlock(&queue->mutex);
    return room;
}

static bool queue_pop(struct queue *queue, struct chunk *chunk)
{
    pthread_mutex_lock(&queue->mutex);
    bool any = queue->count > 0;
    if (any) {
        *chunk = queue->chunks[queue->first];
        queue->first = (queue->first + 1) % QUEUE_LENGTH;
        queue->count--;
    }
    pthread_mutex_unlock(&queue->mutex);
    return any;
}

static void pass_on(struct worker *worker, struct model *model)
{
    struct chunk *slot = &model->slots[rng_below(&model->rng, model->slot_count)];
    size_t receiver = rng_below(&model->rng, worker->crew->threads);
    if (slot->start != NULL && queue_push(&worker->crew->queues[receiver], slot))
        slot->start = NULL;
}

static void receive(struct worker *worker, struct model *model)
{
    struct chunk chunk;
    if (!queue_pop(&worker->crew->queues[worker->index], &chunk))
        return;
    model_check_contents(&chunk, chunk.filled);
    struct chunk *slot = &model->slots[rng_below(&model->rng, model->slot_count)];
    if (slot->start == NULL && rng_below(&model->rng, 3) == 0)
        *slot = chunk;
    else
        ft_free(chunk.start);
}

static void *work(void *argument)
{
    struct worker *worker = argument;
    struct model *model = worker->crew->models[worker->index];
    for (size_t step = 0; step < worker->crew->steps; step++) {
        switch (rng_below(&model->rng, 4)) {
        case 0:
            pass_on(worker, model);
            break;
        case 1:
            receive(worker, model);
            break;
        default:
            model_step(model);
        }
    }
    return NULL;
}

static void run_wave(struct crew *crew)
{
    pthread_t threads[MAXIMUM_THREADS];
    struct worker workers[MAXIMUM_THREADS];
    for (size_t t = 0; t < crew->threads; t++) {
        workers[t] = (struct worker){crew, t};
        REQUIRE(pthread_create(&threads[t], NULL, work, &workers[t]) == 0, "pthread_create failed");
    }
    for (size_t t = 0; t < crew->threads; t++)
        pthread_join(threads[t], NULL);
}

/* A thread that allocated none of it frees what is still in the queues. */
static void drain(struct crew *crew)
{
    struct chunk chunk;
    for (size_t t = 0; t < crew->threads; t++) {
        while (queue_pop(&crew->queues[t], &chunk)) {
            model_check_contents(&chunk, chunk.filled);
            ft_free(chunk.start);
        }
    }
}

static void require_shown(const struct crew *crew)
{
    struct capture capture;
    struct shown shown;
    capture_open(&capture, STDOUT_FILENO);
    capture_call(&capture, show_alloc_mem);
    REQUIRE(shown_parse(&shown, capture.text, capture.length), "%s", shown.error);
    model_require_shown(crew->models, crew->threads, &shown);
    shown_free(&shown);
    capture_close(&capture);
}

static void run(uint64_t stream, size_t threads, size_t waves, size_t steps, size_t largest)
{
    static struct crew crew;
    crew = (struct crew){.threads = threads, .steps = steps};
    for (size_t t = 0; t < threads; t++) {
        pthread_mutex_init(&crew.queues[t].mutex, NULL);
        crew.models[t] = model_create(seed, stream * 100 + t, 200, largest);
    }
    for (size_t wave = 0; wave < waves; wave++) {
        run_wave(&crew);
        drain(&crew);
        require_shown(&crew);
    }
    for (size_t t = 0; t < threads; t++)
        model_free_all(crew.models[t]);
    require_shown(&crew);
    for (size_t t = 0; t < threads; t++)
        model_destroy(crew.models[t]);
}

static void test_four_threads(void **state)
{
    (void)state;
    run(1, 4, 4, 30000, 600000);
}

static void test_eight_threads(void **state)
{
    (void)state;
    run(2, 8, 3, 20000, 600000);
}

static void test_many_short_waves(void **state)
{
    (void)state;
    run(3, 5, 150, 200, 2000000);
}

int main(int argc, char **argv)
{
    seed = rng_seed_of_run(argc, argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_four_threads),
        cmocka_unit_test(test_eight_threads),
        cmocka_unit_test(test_many_short_waves),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
