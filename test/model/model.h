/*
 * The reference model: what one thread holds of the allocator under test. Each slot remembers a
 * chunk's address, its requested size, and the tag of the pattern that fills it. A model belongs to
 * one thread at a time.
 */
#ifndef FT_TEST_MODEL_MODEL_H
#define FT_TEST_MODEL_MODEL_H

#include "support/rng.h"
#include "support/shown.h"

#include <stddef.h>
#include <stdint.h>

struct chunk {
    unsigned char *start; /* NULL if the slot is empty */
    size_t size;          /* the requested size */
    size_t filled;        /* bytes that hold the pattern: size, or more after malloc_usable_size */
    size_t alignment;
    uint64_t tag;
};

struct model {
    struct rng rng;
    uint64_t next_tag;
    size_t slot_count;
    size_t largest; /* the largest size of a LARGE chunk */
    struct chunk *slots;
};

struct model *model_create(uint64_t seed, uint64_t stream, size_t slot_count, size_t largest);
void model_destroy(struct model *model);

/* Returns a size from a mixture that favours the borders of size classes and zones. */
size_t model_random_size(struct model *model);

/*
 * Enters a new chunk into an empty slot. Checks its alignment and that it overlaps no other, and
 * fills it.
 */
void model_enter(struct model *model, struct chunk *slot, void *start, size_t size,
                 size_t alignment);

/* Requires that the chunk holds its pattern up to `limit`, which is at most what was filled. */
void model_check_contents(const struct chunk *chunk, size_t limit);

/* Does one random operation with any function of the family. */
void model_step(struct model *model);

void model_free_all(struct model *model);

/* Requires that the listing is exactly what the models hold together. */
void model_require_shown(struct model *const *models, size_t count, const struct shown *shown);

#endif
