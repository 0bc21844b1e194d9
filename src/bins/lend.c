/*
 * Lending: where a SMALL bin has nothing left but memory that was never touched, a free chunk of
 * one of the next larger classes serves as well, if that one was in use before. What several
 * classes hold at most is then less than the sum of what each holds at most. The chunk keeps its
 * class: its state tells the request, and free() brings it home.
 *
 * TINY bins do not: there is less to gain, their states tell little slack, and what was freed is
 * handed out again sooner, so that fewer double frees would be found.
 */
#include "bins/bin_slabs.h"

enum {
    /*
     * How many classes are asked: half as much again as the request at most. What lives long in a
     * chunk that is too large for it keeps that from others, so it must not be much too large.
     */
    LENDERS = 4,
};

/*
 * Whether the chunk that the stack would hand out next was out before. Those that were lie above
 * those that were not.
 */
static bool stack_has_used(const struct bin *bin)
{
    /* Relaxed: the owner's own. */
    return atomic_load_explicit(small_state((uintptr_t)bin->top[-1]), memory_order_relaxed) !=
           STATE_NONE;
}

static bool can_lend(struct bin *bin, bool anything)
{
    if (bin_count(bin) > 0)
        return anything || stack_has_used(bin);
    return bin_has_used(bin) || (anything && bin_has_vacant(bin));
}

struct bin *bin_lender(struct bin *bin, bool anything)
{
    if (bin->size_class < TINY_CLASSES || bin_has_used(bin))
        return bin;
    for (unsigned more = 1; more <= LENDERS && bin->size_class + more < SIZE_CLASSES; more++)
        if (can_lend(bin + more, anything))
            return bin + more;
    return bin;
}
