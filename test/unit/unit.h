/*
 * Helpers of the unit tests: arenas that no thread is bound to, so that one thread can play
 * several; functions that run in a forked child; and sums over one arena.
 */
#ifndef FT_TEST_UNIT_UNIT_H
#define FT_TEST_UNIT_UNIT_H

#include "arena/cache.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/*
 * How a child ended, and what it wrote to stderr (the first part of it, and the number of lines).
 */
struct unit_end {
    int exit_code; /* -1 if a signal ended it */
    int signal;
    char err[4096];
    size_t err_lines;
};

/* Forks. The child calls `body` and exits with 0. The body checks with REQUIRE. */
void unit_in_child(void (*body)(void *argument), void *argument, struct unit_end *end);

/* Like unit_in_child(), for a body that must return; prints what went wrong otherwise. */
bool unit_child_succeeds(void (*body)(void *argument), void *argument);

/*
 * Returns a new arena that no thread uses; its first cache is the test's. A tick happens in it only
 * where a test asks for one, so that nothing depends on time.
 */
struct arena *unit_arena(void);

/* Empties the first cache of the arena, and trims the arena. Returns the bytes given back. */
size_t unit_trim(struct arena *arena);

/*
 * Allocates a chunk of the size's own class, even where malloc would take a larger one; and
 * describes a chunk.
 */
void *unit_alloc(struct arena *arena, size_t size);
struct chunk unit_chunk(const void *pointer);

/* Frees a chunk of the arena, as its owner. */
void unit_free(struct arena *arena, void *pointer);

/* Checks the numbers of units that a set keeps and uses; all of its heaps must be known. */
void unit_check_kept(const struct heap_set *set);

/* Returns the bytes in free units of the arena that were written to. */
size_t unit_unused(const struct arena *arena);

/* Count the chunks of the arena in a state (STATE_LIVE ...), and the heaps of a set. */
size_t unit_count_state(struct arena *arena, unsigned kind);
size_t unit_count_heaps(const struct heap_set *set);

/* The size of a stack's chunks, and the number of partial slabs behind it. */
size_t unit_bin_size(const struct stack *stack);
unsigned unit_ring_length(struct stack *stack);

/*
 * Checks that every chunk that is neither live nor in the stack is vacant in its slab, and that
 * lists and places agree.
 */
void unit_check_bin(struct arena *arena, struct stack *stack, unsigned live);

/*
 * Allocates a run of units from any heap of the set, which must succeed; and the number of units
 * that a heap has for slabs.
 */
struct heap *unit_take_units(struct heap_set *set, unsigned units, unsigned *first);
unsigned unit_units_per_heap(const struct heap_set *set);

/*
 * The number of units on one page, at least one; and the first unit from `unit` on that begins a
 * page.
 */
unsigned unit_page_units(void);
unsigned unit_page_from(unsigned unit);

/* Takes all units of a heap that has none in use, or of a new one; and gives them back. */
struct heap *unit_take_heap(struct heap_set *set);
void unit_give_heap(struct heap *heap);

/* Takes as many units as so many heaps have, one by one, in whichever of them. */
void unit_take_all(struct heap_set *set, unsigned heaps);

/* Prepares a set as the repair after a fork does: all units of all heaps are free and dirty. */
void unit_forget_heaps(struct heap_set *set);

/* Takes some units of the heap, except its guards. */
void unit_give_units(struct heap *heap, unsigned first, unsigned units);

/* Returns whether all of [start, end) has the protection, written as in /proc/self/maps. */
bool unit_protected_so(uintptr_t start, uintptr_t end, const char *protection);

/*
 * Limits the process's address space (SIZE_MAX removes the limit); and returns how much of it is in
 * use.
 */
void unit_limit(size_t bytes);
size_t unit_address_space(void);

/*
 * SMALL stacks of all arenas share what they may grow by. This teardown of a test returns what the
 * arenas have taken of it.
 */
int unit_flush_all(void **state);

#endif
