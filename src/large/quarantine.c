/*
 * Each place holds a range in one word, which consists of the number of its first page and the
 * count of its pages. So every change is one atomic operation, and a fork at any moment leaves all
 * places in order. A range that another thread was handling during a fork stays reserved in the
 * child.
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
 * An empty place is 0. Any thread may write and read them; relaxed, because a range belongs to one
 * thread alone as soon as that thread has taken it out by an exchange, and nothing is ever stored
 * in the range itself.
 */
static _Atomic uint64_t places[QUARANTINE_RANGES];

static uint64_t make_range(uintptr_t start, size_t size)
{
    return (uint64_t)(start >> OS_PAGE_SHIFT) << COUNT_BITS | size >> OS_PAGE_SHIFT;
}

static uintptr_t range_start(uint64_t range)
{
    return (uintptr_t)(range >> COUNT_BITS) << OS_PAGE_SHIFT;
}

static size_t range_size(uint64_t range)
{
    return (size_t)(range & ((1U << COUNT_BITS) - 1)) << OS_PAGE_SHIFT;
}

/*
 * Puts a range into any empty place. If there is none, the range stays reserved; it is address
 * space, not memory.
 */
static void put_anywhere(uint64_t range)
{
    for (unsigned place = 0; place < QUARANTINE_RANGES; place++) {
        uint64_t empty = 0;

        /* Relaxed: see `places`. */
        if (atomic_compare_exchange_strong_explicit(&places[place], &empty, range,
                                                    memory_order_relaxed, memory_order_relaxed))
            return;
    }
}

/*
 * Unmaps the range at a place and sets `*bytes` to its size. Returns false if the kernel refused;
 * the range then waits in some other place.
 */
static bool release_place(_Atomic uint64_t *place, size_t *bytes)
{
    /* Relaxed: see `places`. */
    uint64_t range = atomic_exchange_explicit(place, 0, memory_order_relaxed);

    *bytes = 0;
    if (range == 0)
        return true;
    *bytes = range_size(range);
    if (os_unmap(pointer_to(range_start(range)), *bytes))
        return true;
    put_anywhere(range);
    *bytes = 0;
    return false;
}

static unsigned any_place(void)
{
    static _Atomic uint64_t count;
    /* Relaxed: the number only has to differ from call to call. */
    uint64_t number = atomic_fetch_add_explicit(&count, 1, memory_order_relaxed);

    return (unsigned)(secret_scramble(secret_word ^ secret_scramble(number + 1)) %
                      QUARANTINE_RANGES);
}

void quarantine_keep(uintptr_t start, size_t size)
{
    size_t kept = size < QUARANTINE_RANGE_BYTES ? size : QUARANTINE_RANGE_BYTES, bytes;
    void *space;

    /* If there is a limit, the program may soon need the address space. */
    if (os_memory_limit() != SIZE_MAX || !release_place(&places[any_place()], &bytes))
        return;
    space = os_reserve_near(pointer_to(start), kept);
    /*
     * Another thread may have mapped the range first, and an older kernel then reserves another
     * place.
     */
    if (space != NULL && ((uintptr_t)space == start || !os_unmap(space, kept)))
        put_anywhere(make_range((uintptr_t)space, kept));
}

size_t quarantine_empty(void)
{
    size_t bytes = 0, more;

    for (unsigned place = 0; place < QUARANTINE_RANGES; place++) {
        release_place(&places[place], &more);
        bytes += more;
    }
    return bytes;
}
