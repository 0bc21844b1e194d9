/*
 * Loss records in the making: chunks of one kind and stack are one record. For leaks.c alone.
 */
#ifndef FTM_LOSSES_H
#define FTM_LOSSES_H

#include "leaks.h"

struct losses;

/* For chunks with numbers below `chunks`. */
struct losses *losses_new(size_t chunks);

void losses_add(struct losses *losses, size_t number, enum mark_kind kind, size_t site,
                const struct mark_chunk *chunk);

/* Counts a chunk that only the chunk `leader` leads to, if that one was added. */
void losses_add_indirect(struct losses *losses, size_t leader, uint64_t size);

/* Returns the records, the smallest first, and ends the losses. The caller frees the array. */
struct loss *losses_sorted(struct losses *losses, size_t *count);

#endif
