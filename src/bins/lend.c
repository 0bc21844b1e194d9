/*
 * Lending. If a SMALL bin has nothing left but memory that was never touched, a free chunk of one
 * of the next larger classes serves as well, if that chunk was in use before. The most that several
 * classes hold together is then less than the sum of the most that each of them holds. The chunk
 * keeps its class: its state tells the request, and free() returns it to its own bin.
 *
 * TINY bins do not borrow: there is less to gain, their states can only tell little slack, and
 * freed chunks would be handed out again sooner, so that fewer double frees would be detected.
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

static bool can_lend(struct stack *stack, bool anything)
{
    if (stack_count(stack) > 0)
        return anything || stack_has_used(stack);
    return bin_has_used(bin_of(stack)) || (anything && bin_has_vacant(bin_of(stack)));
}

struct stack *stack_lender(struct stack *stack, bool anything)
{
    if (stack->size_class < TINY_CLASSES || bin_has_used(bin_of(stack)))
        return stack;
    for (unsigned more = 1; more <= LENDERS && stack->size_class + more < SIZE_CLASSES; more++)
        if (can_lend(stack + more, anything))
            return stack + more;
    return stack;
}
