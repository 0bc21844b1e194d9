/*
 * What the parts of the soak's load share. The load runs until its time is over: workers drive
 * models and exchange chunks, threads end and others continue with their models, processes fork,
 * and signals interrupt all of them.
 */
#ifndef FT_TEST_SOAK_SOAK_H
#define FT_TEST_SOAK_SOAK_H

#include "model/model.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum { PLACES = 4 };

struct counts {
    atomic_ulong steps;
    atomic_ulong threads;
    atomic_ulong forks;
    atomic_ulong signals;
    atomic_ulong looks;
};

extern struct counts counts;
extern uint64_t soak_seed;

/* Set once, when the time is over. Everything ends at its next look. */
extern atomic_bool soak_over;

/* Returns a new generator, or a new model, for the caller alone. */
struct rng soak_rng(void);
struct model *soak_model(void);

void soak_pause_us(size_t microseconds);

/* The exchange: cells that hold a chunk each, which any thread may take out. */
void exchange_step(struct model *model);
void exchange_empty(void);

/* One worker after the other runs in a place; the next one continues with the model. */
void places_start(void);
void places_join(void);

/* The thread that runs in that place at the moment, or 0. */
pid_t place_thread(size_t place);

void forks_start(void);
void forks_join(void);

void signals_start(void);
void signals_join(void);

#endif
