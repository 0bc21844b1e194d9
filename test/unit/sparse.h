/*
 * For the tests of free pages inside slabs: an arena full of chunks of one size, most of which are
 * then freed.
 */
#ifndef FT_TEST_UNIT_SPARSE_H
#define FT_TEST_UNIT_SPARSE_H

#include "unit/unit.h"

#include "os/os.h"
#include "support/pattern.h"

enum { CHUNKS = 4096 };

static unsigned keep_one_of = 97;

static void *chunks[CHUNKS];

static inline void fill(struct arena *arena, size_t size)
{
    for (unsigned i = 0; i < CHUNKS; i++) {
        chunks[i] = unit_alloc(arena, size);
        assert_non_null(chunks[i]);
        pattern_write(chunks[i], 0, size, i + 1);
    }
}

static inline void free_most(struct arena *arena)
{
    for (unsigned i = 0; i < CHUNKS; i++)
        if (i % keep_one_of != 0)
            unit_free(arena, chunks[i]);
}

static inline void check_kept(size_t size)
{
    for (unsigned i = 0; i < CHUNKS; i += keep_one_of)
        assert_int_equal(pattern_mismatch(chunks[i], size, i + 1), size);
}

static inline void free_rest(struct arena *arena)
{
    for (unsigned i = 0; i < CHUNKS; i += keep_one_of)
        unit_free(arena, chunks[i]);
}

static inline uint64_t calls(void)
{
    return os_counted().mmap;
}

static inline void flush(struct arena *arena)
{
    for (unsigned size_class = 0; size_class < SIZE_CLASSES; size_class++)
        stack_flush(&cache_first(arena)->stacks.of[size_class]);
}

#endif
