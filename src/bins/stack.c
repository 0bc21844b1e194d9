/*
 * The stacks of free chunks that the fast paths use: how long they are, and how they are filled and
 * emptied.
 */
#include "bins/stack.h"

#include "base/clock.h"
#include "bins/bin_slabs.h"
#include "bins/stack_room.h"

#include <string.h>

enum {
    /*
     * The lengths of the first stacks, in chunks and in bytes: all of them together hold less than
     * 64 KiB, because that is what a thread keeps which sleeps after a burst of every size. Chunks
     * larger than FIRST_UP_TO have no stack until they are used again and again.
     */
    FIRST_TINY = 16,
    FIRST_TINY_BYTES = 1 << 10,
    FIRST_UP_TO = 3 << 10,
    /*
     * The same for the caches of a process with very many threads. Larger chunks have no stack
     * there until one is freed and wanted again; then it begins with this length.
     */
    LEAN_TINY_BYTES = 256,
    LEAN_FROM_NONE = 2,
    /* How many stacks are asked to become shorter when one needs more than is left. */
    ASKED = 8,
    /* A stack that was empty this often, or empty after it had been full, is too short. */
    REFILLS = 8,
    RETURNS = 2,
    /* Up to this size a stack is lengthened readily; and one of very small chunks. */
    CHEAP_BYTES = 2 << 10,
    CHEAP_TINY_BYTES = 16 << 10,
    CHEAP_TINY_UP_TO = 128,
    /* calloc() clears less than a page even where it is zero: it will be touched anyway. */
    CLEAN_FROM = 4 << 10,
    /*
     * The chunks of a stack that was not used for so long are returned to their slabs: they are
     * spread over slabs, and their reuse would touch all of these.
     */
    FLUSH_PERIOD = CLOCK_TENTH / 2,
    /*
     * How many chunks of unused stacks are returned to their slabs in one call. The rest is left to
     * the next call after this time; other calls come in between.
     */
    FLUSH_CHUNKS = 2048,
    FLUSH_PIECE = FLUSH_PERIOD / 16,
};

#define AT(size_class) ((size_class) * sizeof(struct stack))
#define AT_2(size_class) AT(size_class), AT(size_class)
#define AT_4(size_class) AT_2(size_class), AT_2(size_class)
const uint16_t tiny_stack_offsets[TINY_MAX / CHUNK_ALIGN + 1] = {
    AT(0),    AT(0),    AT(1),    AT(2),    AT(3),    AT(4),    AT(5),    AT(6),
    AT(7),    AT(8),    AT(9),    AT(10),   AT(11),   AT(12),   AT(13),   AT(14),
    AT(15),   AT_2(16), AT_2(17), AT_2(18), AT_2(19), AT_2(20), AT_2(21), AT_2(22),
    AT_2(23), AT_4(24), AT_4(25), AT_4(26), AT_4(27), AT_4(28), AT_4(29), AT_4(30),
};

static unsigned at_most(unsigned value, unsigned limit)
{
    return value < limit ? value : limit;
}

/*
 * Of the first stack, lean or not. A refill puts the chunk that it is for into the stack, even if
 * the stack has no room for frees.
 */
static unsigned first_capacity(unsigned size_class)
{
    unsigned size = size_classes[size_class].size;

    return size_class >= TINY_CLASSES ? 1 : at_most(FIRST_TINY_BYTES / size, FIRST_TINY) | 1;
}

static unsigned first_limit(const struct stacks *stacks, unsigned size_class)
{
    unsigned size = size_classes[size_class].size;

    if (size_class >= TINY_CLASSES)
        return !stacks->lean && size <= FIRST_UP_TO;
    if (stacks->lean)
        return size > LEAN_TINY_BYTES ? 0 : at_most(LEAN_TINY_BYTES / size, FIRST_TINY) | 1;
    return first_capacity(size_class);
}

/* Makes all stacks short and empty, close together, and forgets all slabs. */
static void lay_out(struct stacks *stacks)
{
    void **slots = stacks->first_slots;

    for (unsigned size_class = 0; size_class < SIZE_CLASSES; size_class++) {
        unsigned capacity = first_capacity(size_class);

        stacks->of[size_class] = (struct stack){
            .top = slots,
            .end = slots + first_limit(stacks, size_class),
            .slots = slots,
            .live = state_live_base(size_class),
            .size_class = (uint8_t)size_class,
            .capacity = (uint16_t)capacity,
        };
        slots += capacity;
    }
    stacks->next_slots = slots;
}

void stacks_init(struct stacks *stacks, void **slots, size_t ready, struct bins *bins, bool lean)
{
    stacks->lean = lean;
    stacks->bins = bins;
    stacks->slots = slots;
    stacks->ready_slots = slots + ready;
    stacks->end_slots = slots + LONG_SLOTS;
    stack_room_init(stacks);
    stacks->flush_next = SIZE_CLASSES;
    stacks->next_flush = clock_now() + FLUSH_PERIOD;
    lay_out(stacks);
}

static size_t bytes_of(const struct stack *stack, unsigned chunks)
{
    return (size_t)chunks * size_classes[stack->size_class].size;
}

/* Shortens a stack, which has no more chunks than the first one holds, to the length of that. */
static void shorten(struct stack *stack)
{
    unsigned first = first_limit(stacks_of(stack), stack->size_class), limit = stack_limit(stack);

    stack->end = stack->slots + first;
    stack->refills = stack->returns = 0;
    stack_room_give(stacks_of(stack), bytes_of(stack, limit - first));
}

void stacks_reset(struct stacks *stacks)
{
    /*
     * The stored length of a stack may be half written. Then a little of what all arenas share is
     * lost, and nothing else.
     */
    for (unsigned size_class = 0; size_class < SIZE_CLASSES; size_class++) {
        struct stack *stack = &stacks->of[size_class];

        if (stack_limit(stack) > first_limit(stacks, size_class) &&
            stack_limit(stack) <= stack->capacity)
            stack_room_give(stacks,
                            bytes_of(stack, stack_limit(stack) - first_limit(stacks, size_class)));
    }
    lay_out(stacks);
}

/* Returns where there is room for a stack of this length. */
static void **slots_for(const struct stacks *stacks, unsigned limit)
{
    void *const *end = stacks->first_slots + FIRST_SLOTS + SPARE_SLOTS;
    void **slots = stacks->next_slots;

    return slots <= end && slots + limit > end ? stacks->slots : slots;
}

/* Returns false if there is no memory; nothing has changed then. */
static bool lengthen(struct stack *stack, unsigned limit)
{
    struct stacks *stacks = stacks_of(stack);
    unsigned count = stack_count(stack);

    if (limit > stack->capacity) {
        void **slots = slots_for(stacks, limit);

        if (!stack_room_commit(stacks, slots + limit))
            return false;
        stacks->next_slots = slots + limit;
        memcpy(slots, stack->slots, count * sizeof slots[0]);
        stack->slots = slots;
        stack->top = slots + count;
        stack->capacity = (uint16_t)limit;
    }
    stack->refills = stack->returns = 0;
    stack->end = stack->slots + limit;
    return true;
}

void stack_flush(struct stack *stack)
{
    bin_to_slabs(bin_of(stack), stack->slots, stack_count(stack));
    stack->top = stack->slots;
    shorten(stack);
    bin_release_empty(bin_of(stack));
}

/* Returns the chunks that have been in the stack longest to their slabs. */
static void spill_oldest(struct stack *stack, unsigned count)
{
    unsigned rest = stack_count(stack) - count;

    bin_to_slabs(bin_of(stack), stack->slots, count);
    memmove(stack->slots, stack->slots + count, rest * sizeof stack->slots[0]);
    stack->top = stack->slots + rest;
}

void stacks_thin(struct stacks *stacks)
{
    for (unsigned size_class = 0; size_class < SIZE_CLASSES; size_class++) {
        struct stack *stack = &stacks->of[size_class];
        unsigned first = first_limit(stacks, size_class), count = stack_count(stack);

        /* A stack that began without room had use for a few chunks. */
        if (first == 0 && size_class < TINY_CLASSES)
            first = LEAN_FROM_NONE;
        if (count > first)
            spill_oldest(stack, count - first);
    }
}

void stacks_flush(struct stacks *stacks)
{
    for (unsigned size_class = 0; size_class < SIZE_CLASSES; size_class++)
        stack_flush(&stacks->of[size_class]);
}

/* Returns false if there is more to do, for another call. */
static bool flush_unused(struct stacks *stacks)
{
    for (unsigned chunks = 0; stacks->flush_next < SIZE_CLASSES; stacks->flush_next++) {
        struct stack *stack = &stacks->of[stacks->flush_next];

        if (chunks >= FLUSH_CHUNKS)
            return false;
        if (!stack->used) {
            chunks += stack_count(stack);
            stack_flush(stack);
        }
        stack->used = false;
    }
    return true;
}

static __attribute__((noinline)) void flush_due(struct stacks *stacks, uint64_t now)
{
    if (stacks->flush_next == SIZE_CLASSES)
        stacks->flush_next = 0;
    stacks->next_flush = now + (flush_unused(stacks) ? FLUSH_PERIOD : FLUSH_PIECE);
}

/*
 * Called at the end of a slow call, when the stack and all others are in order; does its work once
 * a tick. This is not only for the sake of memory at rest: what was freed in one size is then
 * available to all others before fresh memory is touched.
 */
static void tick(struct stack *stack)
{
    struct stacks *stacks = stacks_of(stack);
    uint64_t now = clock_now();

    stack->used = true;
    /* It is due when the time has come, and when the clock has jumped back. */
    if (unlikely(stacks->next_flush - now - 1 >= FLUSH_PERIOD) &&
        likely(stacks->next_flush != BINS_NO_TICKS))
        flush_due(stacks, now);
    bins_tick(stacks->bins, now);
}

/* Counts that the stack was empty. */
static void note_empty(struct stack *stack)
{
    stack->refills += stack->refills < REFILLS;
    stack->returns += stack->freed && stack->returns < RETURNS;
    stack->freed = false;
}

/*
 * Asks some stacks for room: those that were not too short since they were last asked return to the
 * length of their first stack.
 */
static bool ask_for_room(struct stacks *stacks, size_t wanted)
{
    for (unsigned asked = 0; asked < ASKED; asked++) {
        struct stack *stack = &stacks->of[stacks->hand];
        unsigned first = first_limit(stacks_of(stack), stack->size_class);

        stacks->hand = (stacks->hand + 1) % SIZE_CLASSES;
        if (stack->refills == 0 && stack_limit(stack) > first) {
            if (stack_count(stack) > first)
                spill_oldest(stack, stack_count(stack) - first);
            shorten(stack);
            if (stack_room_take(stacks, wanted))
                return true;
        }
        stack->refills = stack->returns = 0;
    }
    return false;
}

static bool is_cheap(const struct stack *stack, unsigned limit)
{
    return bytes_of(stack, limit) <=
           (bytes_of(stack, 1) <= CHEAP_TINY_UP_TO ? CHEAP_TINY_BYTES : CHEAP_BYTES);
}

/* Returns whether a stack has been full and empty in turn as often as it takes to lengthen it. */
static bool is_short(const struct stack *stack, unsigned limit)
{
    return stack->returns >= (limit == 0 && stack->size_class < TINY_CLASSES ? 1 : RETURNS);
}

static unsigned next_limit(const struct stack *stack, unsigned limit)
{
    if (limit == 0)
        return stack->size_class < TINY_CLASSES ? LEAN_FROM_NONE : 1;
    return at_most(limit * 2, stack_limit_max(stack));
}

/*
 * Lengthens the stack if it is too short: it has been full and empty in turn, or it is so short
 * that it costs little, and was empty often enough. Chunks that are all allocated at once, and then
 * all freed, would need any length.
 */
static bool lengthen_if_short(struct stack *stack, unsigned refills)
{
    struct stacks *stacks = stacks_of(stack);
    unsigned old = stack_limit(stack);
    unsigned limit = next_limit(stack, old);
    size_t more = bytes_of(stack, limit - old);

    if (limit == old || (!is_short(stack, old) &&
                         (stack->refills < refills || stacks->lean || !is_cheap(stack, limit))))
        return false;
    if (!stack_room_take(stacks, more) && !ask_for_room(stacks, more))
        return false;
    if (lengthen(stack, limit))
        return true;
    stack_room_give(stacks, more);
    return false;
}

bool stack_refill(struct stack *stack, uint64_t *random)
{
    struct slab *slab = bin_next_current(bin_of(stack));
    unsigned limit;

    if (slab == NULL)
        return false;
    note_empty(stack);
    lengthen_if_short(stack, REFILLS);
    limit = stack_limit(stack);
    limit = limit > 1 ? limit / 2 : 1;
    stack->top =
        stack->slots + (random == NULL ? slab_take(slab, stack->slots, limit)
                                       : slab_take_random(slab, stack->slots, limit, random));
    if (random == NULL)
        stack->top += bin_take_used(bin_of(stack), stack->top, limit - stack_count(stack));
    tick(stack);
    return true;
}

void *stack_take_clean(struct stack *stack)
{
    struct slab *slab = bytes_of(stack, 1) < CLEAN_FROM ? NULL : bin_next_current(bin_of(stack));
    void *chunk = slab == NULL ? NULL : slab_take_clean(slab);

    if (chunk != NULL) {
        /* The stack was too short this time, too. */
        note_empty(stack);
        tick(stack);
    }
    return chunk;
}

/*
 * Returns how many chunks stay in a full stack. Most SMALL ones do, because a slab of theirs has
 * few chunks, and would often be given up and made again.
 */
static unsigned rest_of_full(const struct stack *stack)
{
    unsigned limit = stack_limit(stack);

    return stack->size_class < TINY_CLASSES ? limit / 2 : limit * 3 / 4;
}

void stack_free_full(struct stack *stack, void *chunk)
{
    unsigned limit = stack_limit(stack);

    /* Its bin may have used chunks from now on. */
    stack->dry = 0;
    if (!lengthen_if_short(stack, 1)) {
        if (limit > 0)
            spill_oldest(stack, limit - rest_of_full(stack));
        else
            bin_to_slabs(bin_of(stack), &chunk, 1);
        stack->freed = true;
        tick(stack);
        if (limit == 0)
            return;
    }
    *stack->top++ = chunk;
}
