/*
 * What the unit tests share: arenas that no thread is bound to, so that one thread can play
 * several; functions run in a child process that is forked for it; and sums over one arena.
 */
#ifndef FT_TEST_UNIT_UNIT_H
#define FT_TEST_UNIT_UNIT_H

#include "arena/arena.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/*
 * How a child ended, and what it wrote on stderr (the first part of it, and how many lines in all).
 */
struct unit_end {
    int exit_code; /* -1 if a signal ended it */
    int signal;
    char err[4096];
    size_t err_lines;
};

/* Forks; the child calls body and exits with 0. A body checks with REQUIRE. */
void unit_in_child(void (*body)(void *argument), void *argument, struct unit_end *end);

/* The same, for a body that has to come to its end; prints what went wrong otherwise. */
bool unit_child_succeeds(void (*body)(void *argument), void *argument);

/*
 * A new arena in use by nobody. No tick comes in it but where a test asks for one: none depends on
 * time.
 */
struct arena *unit_arena(void);

/*
 * A chunk of it, of the size's own class, even where malloc would take a larger one; and its
 * description.
 */
void *unit_alloc(struct arena *arena, size_t size);
struct chunk unit_chunk(const void *pointer);

/* Frees a chunk of the arena, as its owner. */
void unit_free(struct arena *arena, void *pointer);

/* How many chunks of the arena are in a state (STATE_LIVE ...), and how many heaps a set has. */
size_t unit_count_state(struct arena *arena, unsigned kind);
size_t unit_count_heaps(const struct heap_set *set);

/* The size of a bin's chunks, and how many partial slabs it has. */
size_t unit_bin_size(const struct bin *bin);
unsigned unit_ring_length(const struct bin *bin);

/*
 * All chunks that are neither live nor in the stack are vacant in their slabs; lists and places
 * agree.
 */
void unit_check_bin(struct arena *arena, const struct bin *bin, unsigned live);

/*
 * A run of units of some heap of the set, which is to be had; and how many units a heap of it has
 * for slabs.
 */
struct heap *unit_take_units(struct heap_set *set, unsigned units, unsigned *first);
unsigned unit_units_per_heap(const struct heap_set *set);

/*
 * How many units lie on one page, at least one; and the first unit from `unit` on that begins a
 * page.
 */
unsigned unit_page_units(void);
unsigned unit_page_from(unsigned unit);

/* All units of a heap that has none in use yet, or of a new one; and back again. */
struct heap *unit_take_heap(struct heap_set *set);
void unit_give_heap(struct heap *heap);

/* As the repair after a fork begins: all units of all heaps are free, and dirty. */
void unit_forget_heaps(struct heap_set *set);

/* Some of its units, but for its guards. */
void unit_give_units(struct heap *heap, unsigned first, unsigned units);

/* Whether all of [start, end) has the protection that /proc/self/maps writes so. */
bool unit_protected_so(uintptr_t start, uintptr_t end, const char *protection);

/* Limits the process's address space; SIZE_MAX: no longer. And how much of it there is. */
void unit_limit(size_t bytes);
size_t unit_address_space(void);

/*
 * SMALL stacks share what they are lengthened by: a test's teardown, gives back what all arenas
 * have taken of it.
 */
int unit_flush_all(void **state);

#endif
