/*
 * The first mapping holds a SMALL heap, wherever its alignment puts it; TINY heaps and arenas are cut off the rest,
 * upward, until it is used up. Every change is one atomic operation, so a fork at any moment leaves it sound.
 */
#include "bins/space.h"

#include "bins/heap.h"
#include "os/os.h"

#include <stdatomic.h>

enum { UNUSED, BEING_MADE, IN_USE };

/* Enough for a SMALL heap at any alignment, and in what is left, for a TINY heap at any alignment. */
static const size_t first_size = 2 * (size_t)SMALL_HEAP_SIZE;

/*
 * Written once, by the thread that makes `state` IN_USE with release ordering; those who find that with acquire
 * ordering read the rest. `next` and `small_waits` are then changed by anyone, relaxed: what is behind these
 * addresses is the kernel's zeros.
 */
static struct {
    _Atomic int state;
    uintptr_t end;
    uintptr_t small;
    _Atomic uintptr_t next;
    _Atomic bool small_waits;
} first;

static void make_first(void)
{
    int expected = UNUSED;
    char *start;

    /* Relaxed: only who is first matters. */
    if (!atomic_compare_exchange_strong_explicit(&first.state, &expected, BEING_MADE, memory_order_relaxed,
                                                 memory_order_relaxed))
        return;
    start = os_map(first_size);
    /* Without it, each heap gets a mapping of its own, for which there may still be room. */
    if (start == NULL)
        return;
    first.end = (uintptr_t)start + first_size;
    first.small = round_up((uintptr_t)start, SMALL_HEAP_SIZE);
    atomic_store_explicit(&first.small_waits, true, memory_order_relaxed);
    atomic_store_explicit(&first.next, (uintptr_t)start, memory_order_relaxed);
    atomic_store_explicit(&first.state, IN_USE, memory_order_release);
}

/* The lowest place at or above `from` that is not the SMALL heap's. */
static uintptr_t place(uintptr_t from, size_t size, size_t align)
{
    uintptr_t at = round_up(from, align);

    if (at + size > first.small && at < first.small + SMALL_HEAP_SIZE)
        at = round_up(first.small + SMALL_HEAP_SIZE, align);
    return at;
}

static uintptr_t take(size_t size, size_t align)
{
    uintptr_t next = atomic_load_explicit(&first.next, memory_order_relaxed);
    uintptr_t at;

    if (size == SMALL_HEAP_SIZE)
        return atomic_exchange_explicit(&first.small_waits, false, memory_order_relaxed) ? first.small : 0;
    do {
        at = place(next, size, align);
        if (at + size > first.end)
            return 0;
    } while (!atomic_compare_exchange_weak_explicit(&first.next, &next, at + size, memory_order_relaxed,
                                                    memory_order_relaxed));
    return at;
}

/* Below the last mapping of this size: the kernel maps downward, so it is often free there, and aligned. */
static void *map_aligned(size_t size)
{
    static _Atomic uintptr_t last[2];
    _Atomic uintptr_t *hint = &last[size == SMALL_HEAP_SIZE];
    uintptr_t wanted = atomic_load_explicit(hint, memory_order_relaxed); /* a hint: any value does */
    void *memory = NULL;

    if (wanted > size && os_map_at((void *)(wanted - size), size)) // NOLINT: an address becomes a pointer
        memory = (void *)(wanted - size);                          // NOLINT
    else
        memory = os_map_aligned(size, size);
    if (memory != NULL)
        atomic_store_explicit(hint, (uintptr_t)memory, memory_order_relaxed);
    return memory;
}

void *space_map(size_t size, size_t align)
{
    uintptr_t at = 0;

    if (unlikely(atomic_load_explicit(&first.state, memory_order_relaxed) == UNUSED))
        make_first();
    if (atomic_load_explicit(&first.state, memory_order_acquire) == IN_USE)
        at = take(size, align);
    if (at != 0)
        return (void *)at; // NOLINT: an address becomes a pointer
    return align == size ? map_aligned(size) : os_map(size);
}
