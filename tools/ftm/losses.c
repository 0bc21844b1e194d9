/*
 * Loss records: a hash of them by kind, stack and size.
 */
#include "losses.h"

#include "memory.h"
#include "pool.h"

#include <stdlib.h>

struct losses {
    struct loss *list;
    size_t count, room;
    /* Numbers of records plus 1, by hash; a power of two of them, at most half of them used. */
    uint32_t *table;
    size_t slots;
    /* For each chunk: the number of its record plus 1. */
    uint32_t *records;
    size_t chunks;
};

struct losses *losses_new(size_t chunks)
{
    struct losses *losses = memory_new(1, sizeof *losses);

    losses->slots = 256;
    losses->table = memory_new(losses->slots, sizeof *losses->table);
    losses->chunks = chunks;
    losses->records = pool_map(chunks * sizeof *losses->records);
    return losses;
}

static size_t hash_of(const struct loss *loss)
{
    uint64_t word = (uint64_t)loss->kind ^ (uint64_t)loss->site << 3 ^ loss->size << 32;

    word *= UINT64_C(0x9e3779b97f4a7c15);
    return (size_t)(word >> 20);
}

/* Returns the slot of an equal record, or the free one for it. */
static uint32_t *slot_of(const struct losses *losses, const struct loss *wanted)
{
    for (size_t at = hash_of(wanted);; at++) {
        uint32_t *slot = &losses->table[at & (losses->slots - 1)];
        const struct loss *loss = *slot == 0 ? NULL : &losses->list[*slot - 1];

        if (loss == NULL || (loss->kind == wanted->kind && loss->site == wanted->site &&
                             loss->size == wanted->size))
            return slot;
    }
}

static void enlarge(struct losses *losses)
{
    free(losses->table);
    losses->slots *= 2;
    losses->table = memory_new(losses->slots, sizeof *losses->table);
    for (size_t i = 0; i < losses->count; i++)
        *slot_of(losses, &losses->list[i]) = (uint32_t)i + 1;
}

void losses_add(struct losses *losses, size_t number, enum mark_kind kind, size_t site,
                const struct mark_chunk *chunk)
{
    struct loss wanted = {.kind = kind, .site = site, .size = site == NO_SITE ? chunk->size : 0};
    uint32_t *slot = slot_of(losses, &wanted);
    struct loss *loss;

    if (*slot == 0) {
        losses->list =
            memory_grow(losses->list, &losses->room, losses->count, sizeof *losses->list);
        losses->list[losses->count++] = wanted;
        *slot = (uint32_t)losses->count;
        if (losses->count * 2 > losses->slots)
            enlarge(losses);
        slot = slot_of(losses, &wanted);
    }
    loss = &losses->list[*slot - 1];
    if (loss->blocks < EXAMPLES) {
        loss->examples[loss->blocks] = chunk->start;
        loss->example_sizes[loss->blocks] = chunk->size;
    }
    loss->blocks++;
    loss->bytes += chunk->size;
    /* Without memory for these, what is indirectly lost is not told by record. */
    if (losses->records != NULL)
        losses->records[number] = *slot;
}

void losses_add_indirect(struct losses *losses, size_t leader, uint64_t size)
{
    uint32_t record = losses->records == NULL ? 0 : losses->records[leader];

    if (record == 0 || losses->list[record - 1].kind != MARK_LOST)
        return;
    losses->list[record - 1].indirect_blocks++;
    losses->list[record - 1].indirect_bytes += size;
}

static int by_bytes(const void *one, const void *other)
{
    const struct loss *a = one, *b = other;
    uint64_t bytes = a->bytes + a->indirect_bytes, others = b->bytes + b->indirect_bytes;

    if (bytes != others)
        return bytes < others ? -1 : 1;
    if (a->kind != b->kind)
        return a->kind > b->kind ? -1 : 1;
    return (a->examples[0] > b->examples[0]) - (a->examples[0] < b->examples[0]);
}

struct loss *losses_sorted(struct losses *losses, size_t *count)
{
    struct loss *list = losses->list;

    *count = losses->count;
    if (list != NULL)
        qsort(list, losses->count, sizeof *list, by_bytes);
    pool_unmap(losses->records, losses->chunks * sizeof *losses->records);
    free(losses->table);
    free(losses);
    return list;
}
