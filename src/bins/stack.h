/*
 * The stacks of a thread's cache: for each size class, a bounded stack of free chunks, which only
 * that thread touches, without a lock. The chunk freed last is handed out first, because it is in
 * the processor's cache. Behind the stacks are the bins of the cache's arena (bin.h): the functions
 * below that fill or empty a stack move chunks between the two, and need the arena's lock.
 *
 *   malloc: stack -> current slab -> the fullest of a few partial slabs -> spare slab
 *           -> a chunk of a larger class -> memory never touched, of the current slab or a new one
 *   free:   stack; if it is full, the half that has been in it longest is returned to the slabs
 */
#ifndef FT_BINS_STACK_H
#define FT_BINS_STACK_H

#include "bins/bin.h"

enum { STACK_CAPACITY_BITS = 11 };

struct stack {
    /*
     * The stack of free chunks, slots[0] .. top[-1]. If all is zero, as in a cache that has no
     * chunk, the stack is both empty and full.
     */
    void **top;
    void **end; /* the value of `top` when the stack is full */
    void **slots;
    /* Constant: see state_live_base(). */
    uint32_t live;
    uint8_t size_class;
    /*
     * How often the stack was empty since it was lengthened last; and how often of these it had
     * been full before. Neither counts further than it has to.
     */
    uint8_t refills : 4;
    uint8_t returns : 3;
    /* True if the stack was filled or emptied since unused stacks were last emptied. */
    bool used : 1;
    /* How many chunks there is room for at `slots`. */
    uint16_t capacity : STACK_CAPACITY_BITS;
    /* How often the stack may borrow before it looks at its bin: see stack_lender_again(). */
    uint16_t dry : 4;
    /* True if a chunk was freed for which there was no room, since the stack was last empty. */
    bool freed : 1;
};

static_assert(sizeof(struct stack) == 32, "found by a shift, two in a cache line");

/*
 * How many slots the first, short stacks of all classes have together; how many there are on the
 * same page for the first stacks that are lengthened; and how many are needed besides if all become
 * as long as they may, step by step. These are numbers because a process's start would take 10,000
 * instructions to compute them.
 */
enum { FIRST_SLOTS = 250, SPARE_SLOTS = 80, LONG_SLOTS = 44926 };

/* The stacks of a thread. */
struct stacks {
    struct stack of[SIZE_CLASSES];
    /* Constant: the bins of the arena. */
    struct bins *bins;
    /* Constant: see stacks_init(). */
    bool lean;
    /* Constant: whether classes share slabs while little of them is used: see stack_shared(). */
    bool shares;
    /*
     * Memory for stacks that are lengthened and find no room in the spare slots, one behind the
     * other. What is not used yet begins at next_slots, at first in the spare slots.
     */
    void **slots;
    void **next_slots;
    /* The end of the slots that are memory, and of those that can become memory. */
    void **ready_slots;
    void **end_slots;
    /*
     * By how many bytes all stacks together may still be lengthened. When nothing is left, a sum
     * that all threads share is used: see stack_room.h.
     */
    size_t room;
    /* The next stack that will be asked to become shorter. */
    unsigned hand;
    /*
     * When unused stacks will be emptied next, or BINS_NO_TICKS for never, in tests; and the class
     * from which on stacks have to be checked until then.
     */
    unsigned flush_next;
    uint64_t next_flush;
    /* How many requests of each class were served by the class that it shares: stack_shared(). */
    uint8_t shared[SIZE_CLASSES];
    /* The first stacks, one behind the other, and the spare slots. */
    void *first_slots[FIRST_SLOTS + SPARE_SLOTS];
};

/*
 * The offset of the stack of a TINY size in an array of stacks, by the size in units of
 * CHUNK_ALIGN, rounded up.
 */
extern const uint16_t tiny_stack_offsets[TINY_MAX / CHUNK_ALIGN + 1];

/*
 * Sets up the stacks of a thread. There are LONG_SLOTS slots at `slots`, of which the first
 * `ready` ones are zero-filled memory, up to the end of a page. Lean stacks keep less until they
 * are used a lot.
 */
void stacks_init(struct stacks *stacks, void **slots, size_t ready, struct bins *bins, bool lean);

/* Forgets all chunks, which a repair after a fork finds by their states. */
void stacks_reset(struct stacks *stacks);

static inline struct stacks *stacks_of(struct stack *stack)
{
    return (struct stacks *)(void *)(stack - stack->size_class);
}

/* Returns the stack of the class that a SMALL state tells. */
static inline struct stack *stack_of_small(struct stacks *stacks, uint32_t seen)
{
    enum { SHIFT = 5 };
    static_assert(sizeof(struct stack) == 1 << SHIFT, "the class is shifted to an offset at once");

    return (struct stack *)(void *)((char *)stacks->of + small_class_shifted(seen, SHIFT));
}

/* Returns the bin behind the stack. */
static inline struct bin *bin_of(struct stack *stack)
{
    return &stacks_of(stack)->bins->of[stack->size_class];
}

static inline unsigned stack_count(const struct stack *stack)
{
    return (unsigned)(stack->top - stack->slots);
}

/* Returns how many chunks a full stack holds. */
static inline unsigned stack_limit(const struct stack *stack)
{
    return (unsigned)(stack->end - stack->slots);
}

/* Returns the most that this may become. */
unsigned stack_limit_max(const struct stack *stack);

/*
 * Fills the empty stack with at least one chunk; with `random`, with randomly chosen ones. Returns
 * false if there is no memory.
 */
bool stack_refill(struct stack *stack, uint64_t *random);

/*
 * For an empty stack: takes one chunk whose memory is zero from a slab. Returns NULL if a refill is
 * better, because the next chunk is not zero, or clearing it costs less than a slow call for each.
 */
void *stack_take_clean(struct stack *stack);

/*
 * For an empty stack: returns the stack that should serve the request. This is the stack itself, or
 * that of one of the next larger classes if that spares memory that was never touched; or, with
 * `anything`, because there is no such memory any more.
 */
struct stack *stack_lender(struct stack *stack, bool anything);

/*
 * For an empty stack whose bin had no used chunk a few requests ago: returns the stack of a larger
 * class that should serve the request. Returns NULL if the caller has to ask stack_lender(). This
 * function alone needs no lock, because it looks only at stacks.
 */
struct stack *stack_lender_again(struct stack *stack);

/*
 * For an empty stack: returns the stack of a larger class that should serve the request because few
 * of this class have been made yet, or the stack itself. Counts the request.
 */
struct stack *stack_shared(struct stack *stack, size_t requested);

/*
 * Takes back a chunk whose state is FREE, for which there is no room: makes room, or returns the
 * chunk to its slab.
 */
void stack_free_full(struct stack *stack, void *chunk);

/*
 * Returns the stack's chunks to their slabs and all empty slabs to their heaps, and shortens the
 * stack.
 */
void stack_flush(struct stack *stack);

/* Does the same for all stacks. */
void stacks_flush(struct stacks *stacks);

/*
 * Returns the chunks of all stacks to their slabs, except for those that the first stacks would
 * have room for, but leaves the stacks as long as they are, and empty slabs to their bins: the next
 * thread then finds memory for the same classes.
 */
void stacks_thin(struct stacks *stacks);

/* Returns NULL if the stack is empty. */
static inline void *stack_pop(struct stack *stack)
{
    void **top = stack->top;

    if (unlikely(top == stack->slots))
        return NULL;
    stack->top = top - 1;
    /* No NULL is ever pushed, so the caller's test of the result is the same as the one above. */
    if (top[-1] == NULL)
        __builtin_unreachable();
    return top[-1];
}

/* Returns false if the stack is full. */
static inline bool stack_push(struct stack *stack, void *chunk)
{
    void **top = stack->top;

    if (unlikely(top >= stack->end))
        return false;
    *top = chunk;
    stack->top = top + 1;
    return true;
}

/* Takes back a chunk whose state already is FREE. */
static inline void stack_free(struct stack *stack, void *chunk)
{
    if (unlikely(stack->top >= stack->end))
        stack_free_full(stack, chunk);
    else
        *stack->top++ = chunk;
}

/* Stores the state of a chunk that is being handed out. */
static inline void stack_mark_live(const struct stack *stack, uintptr_t address, size_t requested)
{
    if (stack->size_class < TINY_CLASSES)
        tiny_mark_live(address, stack->live, requested);
    else
        small_mark_live(address, stack->live, requested);
}

#endif
