/*
 * How long the stacks of a thread, and those of all threads together, may become.
 */
#include "bins/stack_room.h"

#include "os/os.h"

enum {
    /* How much each thread has for itself, and how much all threads share. */
    ROOM_OWN = 64 << 10,
    ROOM_COMMON = 24 << 20,
    /*
     * The bounds of a stack, in chunks and in bytes. Sixteen chunks of the class above 128 KiB fit,
     * like sixteen of that size: many programs ask for a little more than a power of two.
     */
    LIMIT_TINY = 1024,
    LIMIT_TINY_BYTES = 64 << 10,
    LIMIT_SMALL = 256,
    LIMIT_SMALL_BYTES = 16 * (144 << 10),
    /* How many bytes of slots become memory at a time: a multiple of every page size. */
    SLOTS_STEP = 64 << 10,
};

static_assert(LIMIT_TINY < 1 << STACK_CAPACITY_BITS && LIMIT_SMALL < 1 << STACK_CAPACITY_BITS,
              "a stack can tell its length");

/*
 * By how many bytes the stacks of all threads may still be lengthened, beyond what each thread has
 * for itself. Any thread changes it; relaxed, because it is a sum that orders nothing.
 */
static _Atomic size_t room_common = ROOM_COMMON;

unsigned stack_limit_max(const struct stack *stack)
{
    bool tiny = stack->size_class < TINY_CLASSES;
    unsigned size = size_classes[stack->size_class].size;
    unsigned count = (tiny ? LIMIT_TINY_BYTES : LIMIT_SMALL_BYTES) / size;
    unsigned most = tiny ? LIMIT_TINY : LIMIT_SMALL;

    return count < most ? count : most;
}

void stack_room_init(struct stacks *stacks)
{
    stacks->room = ROOM_OWN;
}

bool stack_room_take(struct stacks *stacks, size_t bytes)
{
    size_t common = atomic_load_explicit(&room_common, memory_order_relaxed);

    if (bytes <= stacks->room) {
        stacks->room -= bytes;
        return true;
    }
    do {
        if (bytes > common)
            return false;
        os_count_rmw();
    } while (!atomic_compare_exchange_weak_explicit(&room_common, &common, common - bytes,
                                                    memory_order_relaxed, memory_order_relaxed));
    return true;
}

void stack_room_give(struct stacks *stacks, size_t bytes)
{
    size_t own = ROOM_OWN - stacks->room;

    own = bytes < own ? bytes : own;
    stacks->room += own;
    if (bytes > own) {
        os_count_rmw();
        atomic_fetch_add_explicit(&room_common, bytes - own, memory_order_relaxed);
    }
}

static size_t slots_between(void **from, void **to)
{
    return (size_t)((uintptr_t)to - (uintptr_t)from);
}

bool stack_room_commit(struct stacks *stacks, void **end)
{
    void **ready = stacks->ready_slots;
    size_t least, all;

    if (likely(end <= ready))
        return true;
    if (end > stacks->end_slots)
        return false;
    least = round_up(slots_between(ready, end), SLOTS_STEP);
    all = round_up(slots_between(ready, stacks->end_slots), os_page_size());
    least = least < all ? least : all;
    if (!os_renew(ready, least)) {
        stacks->end_slots = ready;
        return false;
    }
    /* Only now, because a fork may come between: the child then renews slots that nobody uses. */
    stacks->ready_slots = ready + least / sizeof *ready;
    return true;
}
