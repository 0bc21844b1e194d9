/*
 * The range of addresses in which there ever was a chunk outside of the heaps: a LARGE or a guarded
 * one. It only grows. libft_malloc_debug.so reads it through ft_malloc_layout, because most
 * addresses that it asks about are those of variables, which are far away from it.
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
struct outside {
    _Atomic uintptr_t low_complement, high;
};

extern struct outside outside;

/* Called before the address is handed out. */
void outside_add(uintptr_t start, size_t size);

#endif
