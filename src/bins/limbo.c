/*
 * The list of heaps in limbo. Each has its record at the end of its own memory.
 */
#include "bins/limbo.h"

#include "base/clock.h"
#include "bins/heap.h"
#include "bins/space.h"
#include "os/os.h"

#include <stdatomic.h>

static const uint64_t limbo_age = (uint64_t)10 * CLOCK_TENTH;

struct limbo {
    struct limbo *next;
    uintptr_t base;
    size_t size;
    uint64_t since;
};

/*
 * Any thread pushes to it, with release: whoever takes the list finds the records complete. It is
 * taken as a whole, with acquire.
 */
OS_TOUCHED static _Atomic(struct limbo *) list;

#ifdef FT_MALLOC_PREFIXED
bool limbo_used = true;
#else
static const bool limbo_used = true;
#endif

bool limbo_any(void)
{
    /* Relaxed: limbo_empty() looks again. */
    return atomic_load_explicit(&list, memory_order_relaxed) != NULL;
}

static void limbo_push(struct limbo *one)
{
    /* Relaxed: the exchange checks it. */
    one->next = atomic_load_explicit(&list, memory_order_relaxed);
    os_count_rmw();
    while (!atomic_compare_exchange_weak_explicit(&list, &one->next, one, memory_order_release,
                                                  memory_order_relaxed))
        os_count_rmw();
}

bool limbo_put(uintptr_t base, size_t size, size_t committed)
{
    struct limbo *one;

    /* If address space is short, none is kept. */
    if (!limbo_used || os_memory_limit() != SIZE_MAX)
        return false;
    /* The range may be a hole now: it is never touched or unmapped again. */
    if (!os_renew(pointer_to(base), committed))
        return true;
    one = (struct limbo *)pointer_to(base + committed) - 1;
    one->base = base;
    one->size = size;
    one->since = clock_now();
    limbo_push(one);
    return true;
}

size_t limbo_empty(bool all)
{
    struct limbo *one = atomic_exchange_explicit(&list, NULL, memory_order_acquire);
    uint64_t now = clock_now();
    size_t bytes = 0;

    os_count_rmw();
    for (struct limbo *next; one != NULL; one = next) {
        size_t size = one->size;

        next = one->next;
        /*
         * A clock that jumped back makes the heap old. What the kernel refuses is tried again
         * another time.
         */
        if ((all || now - one->since > limbo_age) && space_unmap_heap(one->base, size))
            bytes += size;
        else
            limbo_push(one);
    }
    return bytes;
}
