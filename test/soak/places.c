/*
 * Thread churn: each place has a keeper thread, which starts a worker, waits for its end, and
 * starts the next, which continues with the model of the previous one. The keeper empties some
 * models itself, although it allocated none of the chunks.
 */
#include "soak/soak.h"

#include "support/require.h"

#include <pthread.h>
#include <unistd.h>

struct place {
    pthread_t keeper;
    struct model *model;
    size_t steps; /* how long the next worker runs */
    _Atomic pid_t thread;
};

static struct place places[PLACES];

static void *work(void *argument)
{
    struct place *place = argument;
    struct model *model = place->model;
    atomic_store(&place->thread, gettid());
    size_t steps = 0;
    for (; steps < place->steps && !atomic_load_explicit(&soak_over, memory_order_relaxed);
         steps++) {
        if (rng_below(&model->rng, 4) == 0)
            exchange_step(model);
        else
            model_step(model);
    }
    atomic_store(&place->thread, 0);
    atomic_fetch_add(&counts.steps, steps);
    return NULL;
}

/* Most workers run shortly, a few run long. */
static size_t random_life(struct rng *rng)
{
    return rng_below(rng, 10) == 0 ? rng_below(rng, 50000) : rng_below(rng, 1500);
}

static void run_worker(struct place *place)
{
    pthread_t worker;
    REQUIRE(pthread_create(&worker, NULL, work, place) == 0, "pthread_create failed");
    REQUIRE(pthread_join(worker, NULL) == 0, "pthread_join failed");
    atomic_fetch_add(&counts.threads, 1);
}

static void replace_model(struct place *place)
{
    model_free_all(place->model);
    model_destroy(place->model);
    place->model = soak_model();
}

static void *keep(void *argument)
{
    struct place *place = argument;
    struct rng rng = soak_rng();
    place->model = soak_model();
    while (!atomic_load(&soak_over)) {
        place->steps = random_life(&rng);
        run_worker(place);
        if (rng_below(&rng, 8) == 0)
            replace_model(place);
    }
    model_free_all(place->model);
    model_destroy(place->model);
    return NULL;
}

void places_start(void)
{
    for (size_t n = 0; n < PLACES; n++)
        REQUIRE(pthread_create(&places[n].keeper, NULL, keep, &places[n]) == 0,
                "pthread_create failed");
}

void places_join(void)
{
    for (size_t n = 0; n < PLACES; n++)
        pthread_join(places[n].keeper, NULL);
}

pid_t place_thread(size_t place)
{
    return atomic_load(&places[place].thread);
}
