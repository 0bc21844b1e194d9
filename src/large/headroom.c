/*
 * The figures are sums that order nothing, so every access is relaxed. A chunk takes its share
 * before it is mapped, and gives it back when its mapping or its headroom is gone.
 */
#include "large/headroom.h"

#include "base/mappings.h"
#include "os/os.h"

#include <stdatomic.h>
#include <stdint.h>

/* One for the chunk, and one for its headroom or its guards. */
enum { MAPPINGS = 2 };

static _Atomic size_t promised_now;

/*
 * A vector that grows step by step is copied only when it outgrows its address space, so that is
 * ample: all the copies together are a small part of the final size, in time and in memory. Small
 * chunks get less, because users look at address space although it is free. A chunk that doubles
 * must not fill its space exactly, or it would not look like one that grows when it is freed.
 */
size_t headroom_ample(size_t mapped)
{
    static const size_t ample_from = (size_t)4 << 20, most = (size_t)1 << 38;

    if (mapped < ample_from)
        return headroom_first(mapped);
    return mapped < most / 1023 ? mapped * 1023 : most;
}

size_t headroom_first(size_t mapped)
{
    enum { BEYOND = 64 << 10 };

    return mapped < SIZE_MAX / 8 ? mapped * 3 + BEYOND : 0;
}

/*
 * Returns the size of the lower half of what the processor can address, or of a part of it; the
 * stack, which lies near the top, tells.
 */
static size_t address_space(void)
{
    uintptr_t here = (uintptr_t)__builtin_frame_address(0);

    return (size_t)2 << (63 - __builtin_clzl(here));
}

size_t headroom_take(size_t mapped, size_t wanted)
{
    enum { SHARE = 16 };
    size_t all = address_space() / SHARE;
    size_t now = atomic_load_explicit(&promised_now, memory_order_relaxed); /* relaxed: a sum */
    size_t most = now < all ? (all - now) / SHARE & ~(os_page_size() - 1) : 0;
    size_t headroom = wanted < most ? round_up(wanted, os_page_size()) : most;

    /* Less than this would not hold a chunk that doubles even once. */
    if (headroom < mapped || !mappings_take(MAPPINGS))
        return 0;
    atomic_fetch_add_explicit(&promised_now, mapped + headroom,
                              memory_order_relaxed); /* relaxed: a sum */
    return headroom;
}

void headroom_give(size_t promised)
{
    if (promised == 0)
        return;
    mappings_give(MAPPINGS);
    atomic_fetch_sub_explicit(&promised_now, promised, memory_order_relaxed); /* relaxed: a sum */
}
