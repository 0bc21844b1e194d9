/*
 * How long the stacks of a thread, and those of all threads together, may become.
 */
#include "bins/stack_room.h"

#include "os/os.h"

/* How much each thread has for itself, and how much all threads share. */
enum { ROOM_OWN = 64 << 10, ROOM_COMMON = 24 << 20 };

/*
 * By how many bytes the stacks of all threads may still be lengthened, beyond what each thread has
 * for itself. Any thread changes it; relaxed, because it is a sum that orders nothing.
 */
static _Atomic size_t room_common = ROOM_COMMON;

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
