/*
 * Look-ups take no lock. A thread that finds no site takes the lock, looks again, and adds one. The
 * stores of an addition are in such an order that the table is complete after each of them, because
 * another thread may fork in between.
 */
#include "debug/stack_table.h"

#include "base/child.h"
#include "base/clock.h"
#include "base/own.h"
#include "base/secret.h"
#include "debug/mode_memory.h"
#include "debug/stack_hash.h"

#include <pthread.h>

_Atomic(struct stack_table *) stack_table;

/*
 * Numbers by hash, with open addressing: a number is in the first free place from its hash on. At
 * most half of the places are used. An index that is full is replaced by a larger one; it stays
 * mapped, because threads may be looking into it. The bits above a number are some of its hash, so
 * that a look-up rarely reads what another number stands for.
 */
struct index {
    uint32_t mask;
    unsigned number_bits;
    _Atomic uint32_t of[];
};

enum { SITE_BLOCK = 1 << SITE_BLOCK_SHIFT, NODE_BLOCK = 1 << NODE_BLOCK_SHIFT };
enum { INDEX_LEAST = 1 << 10, SITE_BITS = 20, NODE_BITS = 24 };

static_assert(SITE_BLOCKS << SITE_BLOCK_SHIFT == 1 << SITE_BITS, "a site's number has SITE_BITS");
static_assert(NODE_BLOCKS << NODE_BLOCK_SHIFT == 1 << NODE_BITS, "a node's number has NODE_BITS");

/*
 * The lock guards the index by which nodes are looked up. `payer` is the mode whose cap counts the
 * table's memory. Whoever begins a mode writes it; relaxed, because either of two modes will do.
 */
static pthread_mutex_t table_lock = PTHREAD_MUTEX_INITIALIZER;
static struct index *node_index;
static _Atomic unsigned payer;

/* Written with the lock and release; who reads it with acquire finds it filled. */
static _Atomic(struct index *) site_index;

static void *get_memory(size_t size)
{
    return mode_memory_map(atomic_load_explicit(&payer, memory_order_relaxed), size);
}

static struct stack_table *table(void)
{
    return atomic_load_explicit(&stack_table, memory_order_acquire);
}

/* Relaxed, here and below: a number is known only after its block was stored, by release. */
static struct stack_node *node_at(struct stack_table *stacks, uint32_t node)
{
    struct stack_node *block =
        atomic_load_explicit(&stacks->node_blocks[node >> NODE_BLOCK_SHIFT], memory_order_relaxed);

    return &block[node & (NODE_BLOCK - 1)];
}

static struct stack_site *site_at(struct stack_table *stacks, uint32_t site)
{
    struct stack_site *block =
        atomic_load_explicit(&stacks->site_blocks[site >> SITE_BLOCK_SHIFT], memory_order_relaxed);

    return &block[site & (SITE_BLOCK - 1)];
}

struct stack_site *stack_table_at(uint32_t site)
{
    return site_at(table(), site);
}

/* A stack, innermost frame first; and the nodes of what it shares with others, or NULL. */
struct frames {
    const uintptr_t *pcs;
    unsigned depth;
    bool truncated;
    uint32_t *nodes;
};

static uint32_t number_in(const struct index *index, uint32_t entry)
{
    return entry & ((1U << index->number_bits) - 1);
}

static uint32_t entry_of(const struct index *index, uint64_t hash, uint32_t number)
{
    return (uint32_t)(hash >> 32) << index->number_bits | number;
}

/*
 * Two stacks whose hashes have the same 64 bits are taken for one. Among a million stacks there are
 * two such with a probability of one in 30 million.
 */
static uint32_t find_site(struct stack_table *stacks, uint64_t hash)
{
    struct index *index = atomic_load_explicit(&site_index, memory_order_acquire);

    for (uint64_t place = hash;; place++) {
        /* Acquire: the site is complete. */
        uint32_t found =
            atomic_load_explicit(&index->of[place & index->mask], memory_order_acquire);
        uint32_t site = number_in(index, found);

        if (site == STACK_NONE ||
            (found == entry_of(index, hash, site) && site_at(stacks, site)->hash == hash))
            return site;
    }
}

static uint32_t find_node(struct stack_table *stacks, uint64_t pc, uint32_t parent)
{
    uint64_t hash = hash_of_node(pc, parent);

    for (uint64_t place = hash;; place++) {
        /* Relaxed, here and below: the lock orders it. */
        uint32_t found =
            atomic_load_explicit(&node_index->of[place & node_index->mask], memory_order_relaxed);
        uint32_t number = number_in(node_index, found);

        if (number == 0 ||
            (found == entry_of(node_index, hash, number) && node_at(stacks, number)->pc == pc &&
             node_at(stacks, number)->parent == parent))
            return number;
    }
}

static void enter(struct index *index, uint64_t hash, uint32_t number)
{
    uint64_t place = hash;

    while (atomic_load_explicit(&index->of[place & index->mask], memory_order_relaxed) != 0)
        place++;
    /* Release: who finds the number finds what it stands for complete. */
    atomic_store_explicit(&index->of[place & index->mask], entry_of(index, hash, number),
                          memory_order_release);
}

static struct index *index_create(uint32_t places, unsigned number_bits)
{
    struct index *index = get_memory(sizeof *index + (size_t)places * sizeof index->of[0]);

    if (index == NULL)
        return NULL;
    own_is_inner(index);
    index->mask = places - 1;
    index->number_bits = number_bits;
    return index;
}

static bool full(const struct index *index, uint32_t numbers)
{
    return numbers > index->mask / 2;
}

/* Returns false if there is no memory for one more site. */
static bool room_for_site(struct stack_table *stacks)
{
    struct index *index = atomic_load_explicit(&site_index, memory_order_relaxed), *larger;
    uint32_t sites = atomic_load_explicit(&stacks->sites, memory_order_relaxed);

    if (!full(index, sites))
        return true;
    larger = index_create((index->mask + 1) * 2, SITE_BITS);
    if (larger == NULL)
        return false;
    for (uint32_t site = STACK_OVERFLOW + 1; site < sites; site++)
        enter(larger, site_at(stacks, site)->hash, site);
    atomic_store_explicit(&site_index, larger, memory_order_release);
    return true;
}

static bool room_for_node(struct stack_table *stacks)
{
    uint32_t nodes = atomic_load_explicit(&stacks->nodes, memory_order_relaxed);
    struct index *larger;

    if (!full(node_index, nodes))
        return true;
    larger = index_create((node_index->mask + 1) * 2, NODE_BITS);
    if (larger == NULL)
        return false;
    for (uint32_t number = 1; number < nodes; number++) {
        const struct stack_node *node = node_at(stacks, number);

        enter(larger, hash_of_node(node->pc, node->parent), number);
    }
    node_index = larger;
    return true;
}

/* Makes the block that the next number is in, if need be. Returns 0 if there is no memory. */
static uint32_t next_number(_Atomic uint32_t *count, _Atomic(void *) *blocks, unsigned shift,
                            uint32_t blocks_most, size_t each)
{
    uint32_t number = atomic_load_explicit(count, memory_order_relaxed), block = number >> shift;
    void *memory;

    if (block >= blocks_most)
        return 0;
    if (atomic_load_explicit(&blocks[block], memory_order_relaxed) != NULL)
        return number;
    memory = get_memory(each << shift);
    if (memory == NULL)
        return 0;
    /* Release: who finds the block finds its zeros. */
    atomic_store_explicit(&blocks[block], memory, memory_order_release);
    return number;
}

/* Returns 0 if there is no memory. */
static uint32_t add_node(struct stack_table *stacks, uint64_t pc, uint32_t parent)
{
    uint32_t number = next_number(&stacks->nodes, stacks->node_blocks, NODE_BLOCK_SHIFT,
                                  NODE_BLOCKS, sizeof(struct stack_node));

    if (number == 0 || !room_for_node(stacks))
        return 0;
    *node_at(stacks, number) = (struct stack_node){
        .pc = pc, .parent = parent, .depth = parent == 0 ? 1 : node_at(stacks, parent)->depth + 1};
    /* Release: the node is complete, here and at the site. */
    atomic_store_explicit(&stacks->nodes, number + 1, memory_order_release);
    enter(node_index, hash_of_node(pc, parent), number);
    return number;
}

static uint32_t add_site(struct stack_table *stacks, uint64_t hash, uint32_t node, unsigned depth,
                         bool truncated)
{
    uint32_t number = next_number(&stacks->sites, stacks->site_blocks, SITE_BLOCK_SHIFT,
                                  SITE_BLOCKS, sizeof(struct stack_site));
    struct stack_site *site;

    if (number == 0 || !room_for_site(stacks))
        return STACK_OVERFLOW;
    site = site_at(stacks, number);
    site->hash = hash;
    site->node = node;
    site->depth = (uint16_t)depth;
    site->truncated = truncated;
    atomic_store_explicit(&stacks->sites, number + 1, memory_order_release);
    enter(atomic_load_explicit(&site_index, memory_order_relaxed), hash, number);
    return number;
}

/*
 * With the lock held. Returns the node of the innermost frame, 0 if there is no memory. nodes[n] is
 * that of the outermost n + 1 frames, 0 if it has not been asked for, or NULL.
 */
static uint32_t add_nodes(struct stack_table *stacks, const uintptr_t *pcs, unsigned depth,
                          uint32_t *nodes)
{
    uint32_t node = 0;
    unsigned n = depth;

    while (nodes != NULL && n > 0 && nodes[n - 1] == 0)
        n--;
    if (nodes != NULL && n > 0)
        node = nodes[n - 1];
    for (n = nodes == NULL ? 0 : n; n < depth; n++) {
        uint32_t caller = node;

        node = find_node(stacks, pcs[depth - 1 - n], caller);
        if (node == 0)
            node = add_node(stacks, pcs[depth - 1 - n], caller);
        if (node == 0)
            return 0;
        if (nodes != NULL)
            nodes[n] = node;
    }
    return node;
}

/* With the lock held. */
static uint32_t add(struct stack_table *stacks, uint64_t hash, const struct frames *frames)
{
    uint32_t site = find_site(stacks, hash), node;

    if (site != STACK_NONE)
        return site;
    node = add_nodes(stacks, frames->pcs, frames->depth, frames->nodes);
    return node == 0 && frames->depth > 0
               ? STACK_OVERFLOW
               : add_site(stacks, hash, node, frames->depth, frames->truncated);
}

/* Relaxed: a figure. */
static void count_overflow(struct stack_table *stacks)
{
    atomic_fetch_add_explicit(&stacks->totals.overflowed, 1, memory_order_relaxed);
    mode_memory_drop(atomic_load_explicit(&payer, memory_order_relaxed));
}

static uint32_t get_site(uint64_t hash, const struct frames *frames)
{
    struct stack_table *stacks = table();
    uint32_t site = find_site(stacks, hash);

    if (site != STACK_NONE)
        return site;
    child_check();
    pthread_mutex_lock(&table_lock);
    site = add(stacks, hash, frames);
    pthread_mutex_unlock(&table_lock);
    if (site == STACK_OVERFLOW)
        count_overflow(stacks);
    return site;
}

uint32_t stack_table_site(const uintptr_t *pcs, unsigned depth, bool truncated)
{
    return get_site(hash_of_stack(pcs, depth, truncated),
                    &(struct frames){pcs, depth, truncated, NULL});
}

uint32_t stack_table_site_from(struct stack_last *last, const uintptr_t *pcs, unsigned depth,
                               bool truncated)
{
    return get_site(hash_from_last(last, pcs, depth, truncated),
                    &(struct frames){pcs, depth, truncated, last->nodes});
}

/* Numbers count from 1, and the first site is STACK_OVERFLOW. */
static bool make_first(struct stack_table *stacks)
{
    atomic_store_explicit(&stacks->nodes, 1, memory_order_relaxed);
    atomic_store_explicit(&stacks->sites, STACK_OVERFLOW, memory_order_relaxed);
    if (next_number(&stacks->sites, stacks->site_blocks, SITE_BLOCK_SHIFT, SITE_BLOCKS,
                    sizeof(struct stack_site)) == 0)
        return false;
    atomic_store_explicit(&stacks->sites, STACK_OVERFLOW + 1, memory_order_relaxed);
    return true;
}

bool stack_table_begin(enum mode mode)
{
    struct stack_table *stacks = table();
    struct index *index;

    atomic_store_explicit(&payer, mode, memory_order_relaxed);
    if (stacks != NULL)
        return true;
    stacks = get_memory(sizeof *stacks);
    index = index_create(INDEX_LEAST, SITE_BITS);
    node_index = index_create(INDEX_LEAST, NODE_BITS);
    if (stacks == NULL || index == NULL || node_index == NULL || !make_first(stacks))
        return false;
    atomic_store_explicit(&stacks->totals.began, clock_now(), memory_order_relaxed);
    atomic_store_explicit(&site_index, index, memory_order_release);
    /* Release: who sees the table sees all of the above. */
    atomic_store_explicit(&stack_table, stacks, memory_order_release);
    return true;
}

unsigned stack_table_frames(uint32_t site, uintptr_t *pcs, unsigned most)
{
    struct stack_table *stacks = table();
    unsigned depth = 0;

    for (uint32_t node = site_at(stacks, site)->node; node != 0 && depth < most;
         node = node_at(stacks, node)->parent)
        pcs[depth++] = node_at(stacks, node)->pc;
    return depth;
}

void stack_table_after_fork(void)
{
    pthread_mutex_init(&table_lock, NULL);
}
