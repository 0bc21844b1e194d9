/*
 * Each place holds a range in one word, the number of its first page and how many pages it has, so
 * that every change is one atomic operation: a fork at any moment leaves all places in order. A
 * range that a thread had in its hands when another one forked stays reserved in the child.
 */
#include "large/quarantine.h"

#include "base/secret.h"
#include "os/os.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdbool.h>

enum { COUNT_BITS = 16 };

static_assert(QUARANTINE_RANGE_BYTES >> OS_PAGE_SHIFT < 1 << COUNT_BITS,
              "the number of pages fits");

/*
 * 0: an empty place. Written and read by anyone, relaxed: a range is one thread's alone as soon as
 * that thread has taken it out by an exchange, and nothing is ever stored in it.
 */
static _Atomic uint64_t places[QUARANTINE_RANGES];

static uint64_t range_of(uintptr_t start, size_t size)
{
    return (uint64_t)(start >> OS_PAGE_SHIFT) << COUNT_BITS | size >> OS_PAGE_SHIFT;
}

static uintptr_t start_of(uint64_t range)
{
    return (uintptr_t)(range >> COUNT_BITS) << OS_PAGE_SHIFT;
}

static size_t size_of(uint64_t range)
{
    return (size_t)(range & ((1U << COUNT_BITS) - 1)) << OS_PAGE_SHIFT;
}

/*
 * Any empty place will do. Where there is none, the range stays reserved: it is address space, not
 * memory.
 */
static void put_anywhere(uint64_t range)
{
    for (unsigned place = 0; place < QUARANTINE_RANGES; place++) {
        uint64_t empty = 0;

        if (atomic_compare_exchange_strong_explicit(&places[place], &empty, range,
                                                    memory_order_relaxed,
                                                    memory_order_relaxed)) /* see `places` */
            return;
    }
}

/* False: the kernel refused, and the range waits on, in whatever place. */
static bool give_back(_Atomic uint64_t *place, size_t *bytes)
{
    uint64_t range = atomic_exchange_explicit(place, 0, memory_order_relaxed); /* see `places` */

    *bytes = 0;
    if (range == 0)
        return true;
    *bytes = size_of(range);
    if (os_unmap(pointer_to(start_of(range)), *bytes))
        return true;
    put_anywhere(range);
    *bytes = 0;
    return false;
}

static unsigned any_place(void)
{
    static _Atomic uint64_t count;
    /* Relaxed: it only has to differ from call to call. */
    uint64_t number = atomic_fetch_add_explicit(&count, 1, memory_order_relaxed);

    return (unsigned)(secret_scramble(secret_word ^ secret_scramble(number + 1)) %
                      QUARANTINE_RANGES);
}

void quarantine_keep(uintptr_t start, size_t size)
{
    size_t kept = size < QUARANTINE_RANGE_BYTES ? size : QUARANTINE_RANGE_BYTES, bytes;
    void *space;

    /* Under a limit, address space is what the program may soon need. */
    if (os_memory_limit() != SIZE_MAX || !give_back(&places[any_place()], &bytes))
        return;
    space = os_reserve_near(pointer_to(start), kept);
    /* Another thread may have been quicker, and an older kernel then finds room elsewhere. */
    if (space != NULL && ((uintptr_t)space == start || !os_unmap(space, kept)))
        put_anywhere(range_of((uintptr_t)space, kept));
}

size_t quarantine_empty(void)
{
    size_t bytes = 0, more;

    for (unsigned place = 0; place < QUARANTINE_RANGES; place++) {
        give_back(&places[place], &more);
        bytes += more;
    }
    return bytes;
}
