/*
 * A heap that is an array of words, for tests of marking. Chunk `i` of the arena starts at ARENA +
 * 16 * i.
 */
#ifndef TEST_FTM_MARK_HEAP_H
#define TEST_FTM_MARK_HEAP_H

#include "mark.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define ARENA UINT64_C(0x7f1200000000)
#define ROOTS UINT64_C(0x10000)
#define TABLE UINT64_C(0x40000)
enum { WORDS = 32768, ROOT_WORDS = 8, CHUNKS = 32 };

struct heap {
    uint64_t words[WORDS];
    uint64_t roots[ROOT_WORDS];
    struct mark_chunk chunks[CHUNKS];
    size_t count, next;
    uint64_t unreadable; /* an address in the arena whose page cannot be read */
    unsigned reads;
    struct mark *mark;
};

enum { PAGE = 4096 };

static inline size_t read_heap(void *context, uint64_t address, void *out, size_t size)
{
    struct heap *heap = context;
    size_t left;

    heap->reads++;
    if (address >= ROOTS && address < ROOTS + sizeof heap->roots) {
        left = ROOTS + sizeof heap->roots - address;
        memcpy(out, (char *)heap->roots + (address - ROOTS), size < left ? size : left);
        return size < left ? size : left;
    }
    assert_in_range(address, ARENA, ARENA + sizeof heap->words - 8);
    left = ARENA + sizeof heap->words - address;
    if (heap->unreadable / PAGE == address / PAGE)
        return 0;
    if (heap->unreadable > address)
        left = heap->unreadable - heap->unreadable % PAGE - address;
    memcpy(out, (char *)heap->words + (address - ARENA), size < left ? size : left);
    return size < left ? size : left;
}

static inline bool is_vtable(void *context, uint64_t address)
{
    (void)context;
    return address == TABLE || address == TABLE + 64;
}

/* Adds a chunk and returns its address. */
static inline uint64_t chunk(struct heap *heap, uint64_t size)
{
    uint64_t start = ARENA + heap->next;

    assert_true(heap->count < CHUNKS);
    heap->chunks[heap->count++] = (struct mark_chunk){start, size};
    heap->next += (size + 16) & ~UINT64_C(15);
    assert_true(heap->next <= sizeof heap->words);
    return start;
}

static inline void store(struct heap *heap, uint64_t address, uint64_t word)
{
    heap->words[(address - ARENA) / 8] = word;
}

static inline void begin(struct heap *heap)
{
    struct mark_memory memory = {read_heap, is_vtable, NULL, heap};

    heap->mark = mark_open(heap->chunks, heap->count, &memory, MARK_HEURISTICS);
    assert_non_null(heap->mark);
    assert_true(mark_root(heap->mark, ROOTS, ROOTS + sizeof heap->roots));
    assert_true(mark_scan(heap->mark));
}

static inline void finish(struct heap *heap)
{
    assert_true(mark_finish(heap->mark));
}

static inline void run(struct heap *heap)
{
    begin(heap);
    finish(heap);
}

static inline enum mark_kind kind(struct heap *heap, uint64_t address)
{
    size_t number = mark_find(heap->mark, address);

    assert_true(number < heap->count);
    return mark_kind(heap->mark, number);
}

static inline uint64_t leader(struct heap *heap, uint64_t address)
{
    return heap->chunks[mark_leader(heap->mark, mark_find(heap->mark, address))].start;
}

static inline int setup(void **state)
{
    *state = calloc(1, sizeof(struct heap));
    return *state == NULL;
}

static inline int teardown(void **state)
{
    struct heap *heap = *state;

    mark_close(heap->mark);
    free(heap);
    return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

#endif
