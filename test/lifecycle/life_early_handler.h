/*
 * What the library of early fork handlers shares with the programs that are linked to it.
 */
#ifndef FT_TEST_LIFECYCLE_LIFE_EARLY_HANDLER_H
#define FT_TEST_LIFECYCLE_LIFE_EARLY_HANDLER_H

#include <malloc.h>
#include <stdatomic.h>
#include <stddef.h>

enum { EARLY_SLOTS = 64 };

struct early {
    /* The allocator that the handlers use. */
    void *(*malloc)(size_t size);
    void (*free)(void *pointer);
    struct mallinfo2 (*mallinfo2)(void);
    /* Chunks of the program's threads. Whoever takes one out owns it. */
    _Atomic(void *) slots[EARLY_SLOTS];
    /* What the handler of the child does; described in life_early_handler.c. */
    int forks_again;
    /* The number of handlers that ran in this process and in the children before it. */
    unsigned children;
};

extern struct early early;

#endif
