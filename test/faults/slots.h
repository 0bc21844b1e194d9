/*
 * A table of live chunks that all threads of a program change at once: whoever takes a chunk out
 * owns it, verifies it and frees it. So each free may be one of another thread's chunk, and no
 * chunk is lost when a thread ends anywhere.
 */
#ifndef FT_TEST_FAULTS_SLOTS_H
#define FT_TEST_FAULTS_SLOTS_H

#include "support/rng.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

/* A chunk of any zone, which holds its size and a pattern. */
size_t *slots_make(struct rng *rng);

/* Requires that it is whole, and frees it. */
void slots_discard(size_t *chunk);

/*
 * Puts a new chunk into a random slot, or takes the one that is there, which the caller owns then;
 * or NULL.
 */
size_t *slots_exchange(size_t *chunk, struct rng *rng);

/* One of these: makes a chunk and puts it into the table, or takes one out and discards it. */
void slots_change(struct rng *rng);

/* Goes on with that until `stop` is set. */
void slots_change_until(const atomic_bool *stop, struct rng *rng);

/* Discards all; returns how many there were. */
size_t slots_discard_all(void);

#endif
