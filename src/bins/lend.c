/*
 * Lending. If a SMALL bin has nothing left but memory that was never touched, a free chunk of one
 * of the next larger classes serves as well, if that chunk was in use before. The most that several
 * classes hold together is then less than the sum of the most that each of them holds. The chunk
 * keeps its class: its state tells the request, and free() returns it to its own bin.
 *
 * TINY bins do not borrow: there is less to gain, their states can only tell little slack, and
 * freed chunks would be handed out again sooner, so that fewer double frees would be detected.
 *
 * Sharing is for classes of which little is used. A slab of their own would make at least one page
 * memory, and a part of a page of states. So their first requests take chunks of a larger class of
 * the same zone, which several classes share.
 */
#include "bins/bin_slabs.h"
#include "bins/stack.h"

enum {
    /*
     * How many classes are asked: up to half as much again as the request. A long-lived request in
     * a chunk that is too large keeps the chunk from others, so the chunk must not be much too
     * large.
     */
    LENDERS = 4,
    /*
     * If a stack borrows because its bin has no used chunk, it then borrows so often without a look
     * at the bin. A look needs the arena's lock, and takes five times as long.
     */
    DRY = 7,
    /*
     * The first requests of a class are served by a larger one, until they would waste so many
     * bytes, or are so many.
     */
    SHARED_WASTE = 4 << 10,
    SHARED_MOST = 100,
    /* Classes up to this size share those of 32, 64 and 128 bytes. */
    SHARED_UP_TO = 128,
    /*
     * Larger TINY classes share those that are so far apart; a state can tell less slack than it.
     * Up to the two bounds, these are not its multiples, but a little more: so a FILE, which takes
     * 472 bytes, and the locale data that most programs load, are in two classes.
     */
    SHARED_STEP = TINY_SLACK_MAX + 1,
    SHARED_SHIFT_16 = 208,
    SHARED_SHIFT_32 = 480,
    /* SMALL classes up to this size share this one. */
    SMALL_SHARED = 2 << 10,
};

/*
 * Returns true if the chunk on top of the stack was handed out before. Such chunks lie above those
 * that were not.
 */
static bool stack_has_used(const struct stack *stack)
{
    /* Relaxed: only the owner changes the state of a chunk in its stack. */
    return atomic_load_explicit(small_state((uintptr_t)stack->top[-1]), memory_order_relaxed) !=
           STATE_NONE;
}

/* What a lender may give: used chunks of its stack; those of its slabs, too; or any chunk. */
enum offer { FROM_STACK, USED, ANYTHING };

static bool can_lend(struct stack *stack, enum offer offer)
{
    if (stack_count(stack) > 0)
        return offer == ANYTHING || stack_has_used(stack);
    if (offer == FROM_STACK)
        return false;
    return bin_has_used(bin_of(stack)) || (offer == ANYTHING && bin_has_vacant(bin_of(stack)));
}

/* Returns the stack of the nearest class that can lend, or NULL. */
static struct stack *find_lender(struct stack *stack, enum offer offer)
{
    for (unsigned more = 1; more <= LENDERS && stack->size_class + more < SIZE_CLASSES; more++)
        if (can_lend(stack + more, offer))
            return stack + more;
    return NULL;
}

struct stack *stack_lender(struct stack *stack, bool anything)
{
    struct stack *lender = NULL;

    if (stack->size_class >= TINY_CLASSES && !bin_has_used(bin_of(stack)))
        lender = find_lender(stack, anything ? ANYTHING : USED);
    if (lender == NULL)
        return stack;
    stack->dry = DRY;
    return lender;
}

struct stack *stack_lender_again(struct stack *stack)
{
    if (stack->dry == 0)
        return NULL;
    stack->dry--;
    return find_lender(stack, FROM_STACK);
}

static bool has_slab(struct stack *stack)
{
    return bin_of(stack)->current != NULL;
}

/*
 * Returns the class that serves a TINY request above SHARED_UP_TO: the next one that has a slab
 * already, of those whose states can tell the slack; or else one that serves many others.
 */
static unsigned next_with_slab(struct stack *stack, size_t requested)
{
    size_t shift;

    for (; stack->size_class < TINY_CLASSES &&
           size_classes[stack->size_class].size <= requested + TINY_SLACK_MAX;
         stack++)
        if (has_slab(stack))
            return stack->size_class;
    shift = requested <= SHARED_SHIFT_16 ? 16 : requested <= SHARED_SHIFT_32 ? 32 : 0;
    return size_class_of(round_up(requested - shift, SHARED_STEP) + shift);
}

/* Returns the class that serves a request while few of its own class are wanted. */
static unsigned shared_class(struct stack *stack, size_t requested)
{
    unsigned size = size_classes[stack->size_class].size;

    if (has_slab(stack) || size > SMALL_SHARED)
        return stack->size_class;
    if (size > TINY_MAX)
        return size_class_of(SMALL_SHARED);
    if (size > SHARED_UP_TO)
        return next_with_slab(stack, requested);
    return size_class_of(size <= 32 ? 32 : size <= 64 ? 64 : SHARED_UP_TO);
}

struct stack *stack_shared(struct stack *stack, size_t requested)
{
    struct stacks *stacks = stacks_of(stack);
    uint8_t *count = &stacks->shared[stack->size_class];
    unsigned size_class, waste;

    if (!stacks->shares || *count >= SHARED_MOST)
        return stack;
    size_class = shared_class(stack, requested);
    waste = size_classes[size_class].size - size_classes[stack->size_class].size;
    if (waste == 0 || (*count + 1) * waste > SHARED_WASTE) {
        *count = SHARED_MOST;
        return stack;
    }
    ++*count;
    return &stacks->of[size_class];
}
