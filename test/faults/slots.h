/*
 * A table of live chunks that all threads of a program change at once. Whoever takes a chunk out
 * owns it, verifies it and frees it. So each free may be one of another thread's chunk, and no
 * chunk is lost when a thread ends anywhere.
 */
#ifndef FT_TEST_FAULTS_SLOTS_H
#define FT_TEST_FAULTS_SLOTS_H

#include "support/rng.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

/* Allocates a chunk of any zone that holds its size and a pattern. */
size_t *slots_make(struct rng *rng);

/* Requires that the chunk is intact, and frees it. */
void slots_discard(size_t *chunk);

/*
 * Puts a new chunk into a random slot, or takes out the one that is there, which the caller owns
 * then. Returns it, or NULL.
 */
size_t *slots_exchange(size_t *chunk, struct rng *rng);

/*
 * Does one of these: allocates a chunk and puts it into the table, or takes one out and discards
 * it.
 */
void slots_change(struct rng *rng);

/* Does that until `stop` is set. */
void slots_change_until(const atomic_bool *stop, struct rng *rng);

/* Discards all chunks, and returns how many there were. */
size_t slots_discard_all(void);

#endif
