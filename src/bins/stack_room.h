/*
 * The room for lengthening stacks. That is memory for their slots, and the bytes of the chunks that
 * fit in a stack beyond those of its first length. A thread uses up its own room first, and then
 * what all threads share.
 */
#ifndef FT_BINS_STACK_ROOM_H
#define FT_BINS_STACK_ROOM_H

#include "bins/stack.h"

void stack_room_init(struct stacks *stacks);

/* Returns false, and takes nothing, if there is not enough room. */
bool stack_room_take(struct stacks *stacks, size_t bytes);

void stack_room_give(struct stacks *stacks, size_t bytes);

/*
 * Makes sure that the slots up to `end` are memory. Returns false if the kernel refuses. Then there
 * may be a hole, and no more slots become memory.
 */
bool stack_room_commit(struct stacks *stacks, void **end);

#endif
