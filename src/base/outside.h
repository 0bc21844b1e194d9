/*
 * What libft_malloc_debug.so reads through ft_malloc_layout in order to ask less. The range of
 * addresses in which there ever was a chunk outside of the heaps, a LARGE or a guarded one, only
 * grows: most addresses are those of variables, which are far away from it. And a number tells
 * when an earlier answer may be wrong.
 */
#ifndef FT_BASE_OUTSIDE_H
#define FT_BASE_OUTSIDE_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The complement of the lowest address, and the end of the highest chunk, so that zeros mean that
 * there is none. Any thread may read or write them; relaxed, because whoever holds a chunk received
 * it after it was added.
 */
struct bounds_of_large;

struct outside {
    _Atomic uintptr_t low_complement, high;
    /*
     * Rises by OUTSIDE_CHANGE with each heap that is made or removed, and with each range that is
     * added. So a page that is in no heap and no range stays so, and a heap stays where it is, as
     * long as the number does. The lower bits are 0: there is room for the number of a page.
     */
    _Atomic uint64_t changes;
    /* What large_bounds() remembers, or NULL: large/bounds_tables.h. Release and acquire. */
    _Atomic(struct bounds_of_large *) remembered;
};

enum { OUTSIDE_PAGE_SHIFT = 12 };
#define OUTSIDE_CHANGE (UINT64_C(1) << (48 - OUTSIDE_PAGE_SHIFT))

extern struct outside outside;

/* Called before the address is handed out. */
void outside_add(uintptr_t start, size_t size);

/* Called before the heap is unmapped, or its chunks are handed out. */
static inline void outside_change(void)
{
    /* Relaxed: whoever holds a chunk, or what is mapped where one was, received it afterwards. */
    atomic_fetch_add_explicit(&outside.changes, OUTSIDE_CHANGE, memory_order_relaxed);
}

/* What is noted of a page in which there is no chunk; it is void after a change. */
static inline uint64_t outside_clear_at(uintptr_t address, uint64_t changes)
{
    return changes | address >> OUTSIDE_PAGE_SHIFT;
}

#endif
