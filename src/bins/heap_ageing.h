/*
 * How long a set of heaps keeps free units that are memory. At first a heap that is wholly free is
 * unmapped at once, and long free runs go back at the next round but one. If memory that was given
 * back so is soon missing, because the program frees much and allocates as much again, the set
 * keeps wholly free heaps until they are old, too, and makes its rounds less often: up to about a
 * second goes by until unused memory is given back.
 */
#ifndef FT_BINS_HEAP_AGEING_H
#define FT_BINS_HEAP_AGEING_H

#include <stdbool.h>
#include <stdint.h>

enum {
    AGEING_LEVEL_MOST = 2,
    /* Less than a MiB teaches nothing. */
    AGEING_LEAST = 64,
    /* After so many rounds the set forgets half of what it has given back. */
    AGEING_ROUNDS = 8,
};

/* Guarded by the arena's lock. */
struct ageing {
    /* Units given back lately, and units of fresh memory that were handed out since. */
    unsigned given, wanted;
    uint8_t level;
    uint8_t rounds;
};

/* Returns whether wholly free heaps are kept until they are old. */
static inline bool ageing_keeps_heaps(const struct ageing *ageing)
{
    return ageing->level > 0;
}

/*
 * Returns whether the set looks at its heaps in this round. At the lowest level it does so in every
 * round.
 */
static inline bool ageing_due(const struct ageing *ageing, unsigned round)
{
    static const uint8_t periods[AGEING_LEVEL_MOST + 1] = {1, 3, 9};

    return round % periods[ageing->level] == 0;
}

static inline void ageing_give(struct ageing *ageing, unsigned units)
{
    ageing->given += units;
}

/* Notes that so many units of fresh memory were handed out. */
static inline void ageing_take(struct ageing *ageing, unsigned units)
{
    if (ageing->given < AGEING_LEAST)
        return;
    ageing->wanted += units;
    if (ageing->wanted > ageing->given / 4) {
        ageing->level += ageing->level < AGEING_LEVEL_MOST;
        ageing->given = ageing->wanted = ageing->rounds = 0;
    }
}

/* Notes that a round begins. */
static inline void ageing_round(struct ageing *ageing)
{
    if (++ageing->rounds < AGEING_ROUNDS)
        return;
    ageing->level -= ageing->level > 0 && ageing->wanted == 0;
    ageing->given /= 2;
    ageing->wanted = ageing->rounds = 0;
}

#endif
