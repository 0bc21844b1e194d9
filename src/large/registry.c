/*
 * Descriptors and their hash. Descriptors come in blocks that are never unmapped. The hash has
 * chains, and its table grows when it has as many entries as chains. If there is no memory for
 * that, the chains become longer.
 */
#include "large/registry.h"

#include "base/child.h"
#include "base/outside.h"
#include "base/own.h"
#include "os/os.h"

#include <pthread.h>

enum { FIRST_BUCKETS = 256 };

static struct large *first_heads[FIRST_BUCKETS];
static struct large_table tables[2] = {{.size = FIRST_BUCKETS, .heads = first_heads}};
struct large large_registry_first[REGISTRY_FIRST];
struct large_gone large_registry_gone[REGISTRY_GONE];
struct large_registry large_registry = {.table = &tables[0]};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* Written with the lock; see registry_entered(). */
static _Atomic uint64_t entered;

/*
 * The thread that is changing the registry, as the address of its own `thread_mark`. The holder of
 * the lock sets and clears it; relaxed, because only the child of a fork reads it, while it has one
 * thread.
 */
static _Atomic(const void *) holder;
static _Thread_local const char thread_mark;

/*
 * In the child of a fork: the descriptor that the surviving thread is taking or freeing without the
 * lock.
 */
static const struct large *left_in_hand;

static void note_holder(void)
{
    atomic_store_explicit(&holder, &thread_mark, memory_order_relaxed);
    /*
     * The fence: a signal handler that forks must not find changes without the name of the thread
     * that makes them.
     */
    atomic_signal_fence(memory_order_seq_cst);
}

void registry_lock(void)
{
    child_check();
    os_count_rmw();
    pthread_mutex_lock(&lock);
    note_holder();
}

bool registry_try_lock(void)
{
    child_check();
    os_count_rmw();
    if (pthread_mutex_trylock(&lock) != 0)
        return false;
    note_holder();
    return true;
}

void registry_unlock(void)
{
    atomic_signal_fence(memory_order_seq_cst);
    atomic_store_explicit(&holder, NULL, memory_order_relaxed);
    os_count_rmw();
    pthread_mutex_unlock(&lock);
}

bool registry_lock_renew(void)
{
    const void *was = atomic_load_explicit(&holder, memory_order_relaxed);

    pthread_mutex_init(&lock, NULL);
    /*
     * If it was the surviving thread itself, interrupted by a signal, it will finish what it began.
     */
    if (was == NULL || was == &thread_mark)
        return false;
    atomic_store_explicit(&holder, NULL, memory_order_relaxed);
    return true;
}

void registry_take_out(struct large *large)
{
    large->taker = &thread_mark;
}

bool registry_taken(const struct large *large)
{
    return large->taker == &thread_mark || large == left_in_hand;
}

void registry_leave_in_hand(const struct large *hand)
{
    left_in_hand = hand;
}

size_t registry_mark_free(struct large *large)
{
    size_t requested = atomic_load_explicit(&large->requested, memory_order_relaxed);

    /*
     * Relaxed: the thread that succeeds holds the chunk. How it got the chunk's address orders
     * everything else.
     */
    os_count_rmw();
    while (requested != 0 &&
           !atomic_compare_exchange_weak_explicit(&large->requested, &requested, 0,
                                                  memory_order_relaxed, memory_order_relaxed))
        ;
    return requested;
}

static bool add_block(void)
{
    struct large_block *block = own_map(REGISTRY_BLOCK_SIZE);

    if (block == NULL)
        return false;
    block->count = (REGISTRY_BLOCK_SIZE - sizeof *block) / sizeof block->items[0];
    for (unsigned item = block->count; item-- > 0;)
        registry_drop(&block->items[item]);
    block->next = large_registry.blocks;
    large_registry.blocks = block;
    return true;
}

struct large *registry_new(void)
{
    struct large *large;

    if (large_registry.unused == NULL && large_registry.first_used < REGISTRY_FIRST)
        return &large_registry_first[large_registry.first_used++];
    if (large_registry.unused == NULL && !add_block())
        return NULL;
    large = large_registry.unused;
    large_registry.unused = large->chain;
    return large;
}

void registry_drop(struct large *large)
{
    large->taker = NULL;
    large->chain = large_registry.unused;
    large_registry.unused = large;
}

static struct large **chain_of(uintptr_t address)
{
    /* Fibonacci hashing of the page number. */
    uint64_t hash = (uint64_t)(address >> OS_PAGE_SHIFT) * UINT64_C(0x9e3779b97f4a7c15);

    return &large_registry.table->heads[hash >> 32 & (large_registry.table->size - 1)];
}

static void add_to_chain(struct large *large)
{
    struct large **bucket = chain_of(atomic_load_explicit(&large->address, memory_order_relaxed));

    large->chain = *bucket;
    *bucket = large;
    large_registry.used++;
}

static void visit_add_to_chain(void *context, struct large *large)
{
    (void)context;
    add_to_chain(large);
}

/* Descriptors in use are those with an address, so they are found without the hash. */
static void rehash(struct large_table *table)
{
    large_registry.table = table;
    large_registry.used = 0;
    registry_each(visit_add_to_chain, NULL);
}

static void enlarge_table(void)
{
    struct large_table *old = large_registry.table;
    struct large_table *table = old == &tables[0] ? &tables[1] : &tables[0];
    size_t size = old->size * 4;
    struct large **heads = own_map(size * sizeof *heads);

    if (heads == NULL)
        return;
    *table = (struct large_table){.size = size, .heads = heads};
    rehash(table);
    if (old->heads != first_heads)
        own_unmap(old->heads, old->size * sizeof *heads);
}

void registry_insert(struct large *large, uintptr_t address)
{
    if (large_registry.used >= large_registry.table->size)
        enlarge_table();
    /*
     * Relaxed: the lock orders it. The child of a fork takes a descriptor without an address for
     * unused.
     */
    atomic_store_explicit(&large->address, address, memory_order_relaxed);
    atomic_store_explicit(&entered, atomic_load_explicit(&entered, memory_order_relaxed) + 1,
                          memory_order_relaxed);
    outside_add(address, large->reserved > large->mapped ? large->reserved : large->mapped);
    add_to_chain(large);
}

uint64_t registry_entered(void)
{
    /* Relaxed: whoever holds the chunk's address received it after the chunk was entered. */
    return atomic_load_explicit(&entered, memory_order_relaxed);
}

void registry_remove(struct large *large)
{
    struct large **link = chain_of(atomic_load_explicit(&large->address, memory_order_relaxed));

    while (*link != large)
        link = &(*link)->chain;
    *link = large->chain;
    large_registry.used--;
    atomic_store_explicit(&large->address, 0, memory_order_relaxed);
}

struct large *registry_find(uintptr_t address)
{
    struct large *large = *chain_of(address);

    while (large != NULL && atomic_load_explicit(&large->address, memory_order_relaxed) != address)
        large = large->chain;
    return large;
}

size_t registry_count(void)
{
    return large_registry.used;
}

/*
 * Moves to the next block. Blocks that are added during the walk are put in front, and are not
 * visited.
 */
static void go_to_next_block(struct registry_place *place)
{
    place->block = place->block == NULL ? large_registry.blocks : place->block->next;
    place->item = 0;
    place->last = place->block == NULL;
}

bool registry_next(struct registry_place *place, void (*visit)(void *context, struct large *large),
                   void *context)
{
    struct large *items = place->block == NULL ? large_registry_first : place->block->items;
    unsigned count = place->block == NULL ? large_registry.first_used : place->block->count;
    unsigned end = count - place->item > REGISTRY_PIECE ? place->item + REGISTRY_PIECE : count;

    for (; place->item < end; place->item++)
        if (atomic_load_explicit(&items[place->item].address, memory_order_relaxed) != 0)
            visit(context, &items[place->item]);
    if (end == count)
        go_to_next_block(place);
    return !place->last;
}

void registry_each(void (*visit)(void *context, struct large *large), void *context)
{
    struct registry_place place = {.block = NULL};

    while (registry_next(&place, visit, context))
        ;
}

static void drop_unused(struct large *items, unsigned count)
{
    for (unsigned item = count; item-- > 0;)
        if (atomic_load_explicit(&items[item].address, memory_order_relaxed) == 0 &&
            !registry_taken(&items[item]))
            registry_drop(&items[item]);
}

void registry_rebuild(void)
{
    for (size_t bucket = 0; bucket < large_registry.table->size; bucket++)
        large_registry.table->heads[bucket] = NULL;
    rehash(large_registry.table);
    large_registry.unused = NULL;
    for (struct large_block *block = large_registry.blocks; block != NULL; block = block->next)
        drop_unused(block->items, block->count);
    drop_unused(large_registry_first, large_registry.first_used);
}

void registry_note_gone(uintptr_t address, size_t requested)
{
    large_registry_gone[large_registry.gone_next++ % REGISTRY_GONE] =
        (struct large_gone){address, requested};
}

static bool find_gone(uintptr_t address, bool inside, struct large_info *info)
{
    bool found = false;

    registry_lock();
    /* The latest first: the address may have been used several times. */
    for (unsigned back = 1; back <= REGISTRY_GONE && !found; back++) {
        const struct large_gone *gone =
            &large_registry_gone[(large_registry.gone_next - back) % REGISTRY_GONE];
        size_t offset = address - gone->address;

        found = gone->address != 0 && (offset == 0 || (inside && offset < gone->requested));
        *info = (struct large_info){.start = gone->address, .requested = gone->requested};
    }
    registry_unlock();
    return found;
}

bool large_find_gone(uintptr_t address, struct large_info *info)
{
    return find_gone(address, false, info);
}

bool large_find_gone_around(uintptr_t address, struct large_info *info)
{
    return find_gone(address, true, info);
}
