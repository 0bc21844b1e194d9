/*
 * Hashes of stacks and of nodes, for stack_table.c. A stack is hashed from its outermost frame on,
 * so that it shares what was computed for the frames that it shares with the one before.
 */
#ifndef FT_DEBUG_STACK_HASH_H
#define FT_DEBUG_STACK_HASH_H

#include "base/secret.h"
#include "debug/stack_table.h"

static inline uint64_t hash_with(uint64_t hash, uintptr_t pc)
{
    hash = (hash ^ pc) * UINT64_C(0x9fb21c651e98df25);
    return hash ^ hash >> 35;
}

static inline uint64_t hash_of_whole(uint64_t hash, unsigned depth, bool truncated)
{
    return secret_scramble(secret_scramble(hash) ^ (depth * 2 + truncated));
}

static inline uint64_t hash_of_stack(const uintptr_t *pcs, unsigned depth, bool truncated)
{
    uint64_t hash = 0;

    for (unsigned n = depth; n-- > 0;)
        hash = hash_with(hash, pcs[n]);
    return hash_of_whole(hash, depth, truncated);
}

/* The same number, by what the thread keeps of the stack before, which this one replaces. */
static inline uint64_t hash_from_last(struct stack_last *last, const uintptr_t *pcs, unsigned depth,
                                      bool truncated)
{
    unsigned most = depth < last->depth ? depth : last->depth, same = 0;
    uint64_t hash;

    while (same < most && last->pcs[same] == pcs[depth - 1 - same])
        same++;
    /* A signal handler may jump out of this. */
    last->depth = 0;
    atomic_signal_fence(memory_order_seq_cst);
    hash = same == 0 ? 0 : last->hashes[same - 1];
    for (unsigned n = same; n < depth; n++) {
        last->pcs[n] = pcs[depth - 1 - n];
        last->hashes[n] = hash = hash_with(hash, last->pcs[n]);
        last->nodes[n] = 0;
    }
    atomic_signal_fence(memory_order_seq_cst);
    last->depth = depth;
    return hash_of_whole(hash, depth, truncated);
}

static inline uint64_t hash_of_node(uint64_t pc, uint32_t parent)
{
    return secret_scramble(pc ^ (uint64_t)parent << 40 ^ parent);
}

#endif
