/*
 * What chunk_find() says of every address (live, freed, interior, none), and that free() agrees.
 * Addresses inside a heap's own header are covered, too.
 */
#include "unit/unit.h"

#include "base/options.h"
#include "bins/chunk.h"
#include "support/prefixed.h"
#include "support/require.h"

#include <pthread.h>
#include <string.h>

static const unsigned some_classes[] = {
    0, 1, 6, 12, 17, TINY_CLASSES - 1, TINY_CLASSES, 37, 51, 66, 75, SIZE_CLASSES - 1};

enum { SOME_CLASSES = sizeof some_classes / sizeof some_classes[0] };

static enum verdict find(uintptr_t address, struct chunk *chunk)
{
    uint16_t tag = heap_map_tag(address);

    assert_int_not_equal(tag, TAG_NONE);
    return chunk_find(address, tag, chunk);
}

static enum verdict expected_verdict(unsigned index, unsigned out, bool start)
{
    static const enum verdict at_start[] = {CHUNK_LIVE, CHUNK_FREED, CHUNK_FREED};
    static const enum verdict inside[] = {CHUNK_INTERIOR, CHUNK_NONE, CHUNK_NONE};

    if (index >= out)
        return CHUNK_NONE;
    return start ? at_start[index % 3] : inside[index % 3];
}

/* Counts the addresses of the slab for which chunk_find() is wrong. */
static unsigned wrong_answers(const struct slab *slab, unsigned size_class, unsigned out)
{
    uint32_t size = size_classes[size_class].size;
    uintptr_t start = slab_start(slab);
    unsigned wrong = 0;

    for (uint32_t offset = 0; offset < size_classes[size_class].units * (uint32_t)UNIT_SIZE;
         offset++) {
        unsigned index = offset / size;
        enum verdict expected = expected_verdict(index, out, offset % size == 0);
        struct chunk chunk;
        enum verdict verdict = find(start + offset, &chunk);

        wrong += verdict != expected;
        if (verdict != CHUNK_NONE)
            wrong += chunk.start != start + (uintptr_t)index * size ||
                     chunk.size_class != size_class || chunk.index != index ||
                     chunk.usable != size || chunk.requested != size - index % 9;
    }
    return wrong;
}

/*
 * Fills the first half of a slab with chunks that are live, freed, and freed by another thread, in
 * turn.
 */
static void check_class(unsigned size_class)
{
    struct arena *arena = unit_arena();
    struct slab *slab =
        slab_create(size_class < TINY_CLASSES ? &arena->tiny : &arena->small, size_class);
    static void *chunks[TINY_SLAB_CHUNKS_MAX];
    unsigned out = (size_classes[size_class].chunks + 1U) / 2;

    assert_non_null(slab);
    assert_int_equal(slab_take(slab, chunks, out), out);
    assert_int_equal(wrong_answers(slab, size_class, 0), 0);
    for (unsigned index = 0; index < out; index++) {
        uintptr_t at = slab_start(slab) + (uintptr_t)index * size_classes[size_class].size;
        struct chunk chunk;

        stack_mark_live(&cache_first(arena)->stacks.of[size_class], at,
                        size_classes[size_class].size - index % 9);
        assert_int_equal(find(at, &chunk), CHUNK_LIVE);
        assert_ptr_equal(chunk.arena, arena);
        assert_int_equal(chunk.zone, size_class < TINY_CLASSES ? ZONE_TINY : ZONE_SMALL);
        if (index % 3 != 0)
            chunk_mark(&chunk, index % 3 == 1 ? STATE_FREE : STATE_REMOTE);
    }
    assert_int_equal(wrong_answers(slab, size_class, out), 0);
}

static void test_every_address_of_a_slab(void **state)
{
    (void)state;
    for (unsigned i = 0; i < SOME_CLASSES; i++)
        check_class(some_classes[i]);
}

static void test_where_there_is_no_slab(void **state)
{
    (void)state;
    struct arena *arena = unit_arena();
    struct chunk chunk;
    struct heap *tiny, *small;

    unit_alloc(arena, 16);
    unit_alloc(arena, size_classes[TINY_CLASSES].size);
    tiny = arena->tiny.heaps;
    small = arena->small.heaps;
    for (uintptr_t at = tiny->base; at < tiny->base + TINY_FIRST_UNIT * UNIT_SIZE;
         at += CHUNK_ALIGN)
        assert_int_equal(find(at, &chunk), CHUNK_NONE);
    for (uintptr_t at = small->base; at < small->base + SMALL_FIRST_UNIT * UNIT_SIZE;
         at += CHUNK_ALIGN)
        assert_int_equal(find(at, &chunk), CHUNK_NONE);
    for (uintptr_t at = tiny->base + (TINY_FIRST_UNIT + 1) * UNIT_SIZE;
         at < tiny->base + heap_units(tiny) * UNIT_SIZE; at += 4096)
        assert_int_equal(find(at, &chunk), CHUNK_NONE);
    for (uintptr_t at =
             small->base + (SMALL_FIRST_UNIT + size_classes[TINY_CLASSES].units) * UNIT_SIZE;
         at < small->base + heap_units(small) * UNIT_SIZE; at += 4096)
        assert_int_equal(find(at, &chunk), CHUNK_NONE);
    /* An address behind the heap's units does not belong to the heap. */
    assert_int_equal(heap_map_tag(tiny->base + heap_units(tiny) * UNIT_SIZE), TAG_NONE);
    assert_int_equal(heap_map_tag(small->base + heap_units(small) * UNIT_SIZE), TAG_NONE);
}

static void test_a_freed_chunk_whose_slab_is_gone_is_none(void **state)
{
    (void)state;
    struct arena *arena = unit_arena();
    char *kept[2] = {unit_alloc(arena, 16), unit_alloc(arena, 2000)};
    char *gone[2] = {unit_alloc(arena, 500), unit_alloc(arena, 3000)};
    struct chunk chunk;

    for (unsigned i = 0; i < 2; i++) {
        unit_free(arena, gone[i]);
        assert_int_equal(find((uintptr_t)gone[i], &chunk), CHUNK_FREED);
    }
    unit_trim(arena);
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(find((uintptr_t)gone[i], &chunk), CHUNK_NONE);
        assert_int_equal(find((uintptr_t)kept[i], &chunk), CHUNK_LIVE);
    }
}

static void test_marking_keeps_the_requested_size(void **state)
{
    (void)state;
    static const size_t sizes[] = {
        0,   1,        15,           16,   17,    100,           128,      129,
        500, TINY_MAX, TINY_MAX + 1, 2000, 40000, SMALL_MAX - 1, SMALL_MAX};
    struct arena *arena = unit_arena();

    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct chunk chunk = unit_chunk(unit_alloc(arena, sizes[i]));

        assert_int_equal(chunk.requested, sizes[i]);
        for (unsigned kind = STATE_REMOTE; kind >= STATE_FREE; kind--) {
            chunk_mark(&chunk, kind);
            chunk = unit_chunk((void *)chunk.start);
            assert_int_equal(chunk.kind, kind);
            assert_int_equal(chunk.requested, sizes[i]);
        }
    }
}

static void test_resizing_within_the_range_of_the_state(void **state)
{
    (void)state;
    struct arena *arena = unit_arena();

    for (unsigned i = 0; i < SOME_CLASSES; i++) {
        size_t usable = size_classes[some_classes[i]].size;
        void *pointer = unit_alloc(arena, usable);

        for (size_t size = 0; size <= usable + 1;
             size += size < 1024 || size + 512 > usable ? 1 : 97) {
            struct chunk chunk = unit_chunk(pointer);
            size_t before = chunk.requested;
            size_t slack_max = some_classes[i] < TINY_CLASSES ? TINY_SLACK_MAX : SMALL_SLACK_MAX;
            bool fits = size <= usable && usable - size <= slack_max;

            assert_int_equal(chunk_resize(&chunk, size), fits);
            assert_int_equal(unit_chunk(pointer).requested, fits ? size : before);
            assert_int_equal(unit_chunk(pointer).kind, STATE_LIVE);
        }
    }
}

struct frees {
    uintptr_t first, end;
};

static void *free_all_of_them(void *argument)
{
    const struct frees *frees = argument;

    for (uintptr_t at = frees->first; at < frees->end; at += CHUNK_ALIGN)
        ft_free((void *)at); // NOLINT: no chunk starts there
    return NULL;
}

/* Runs in a child in report mode, and passes every 16th byte of the heap's header to free(). */
static void free_header_of(size_t size, uintptr_t heap_bytes, size_t header, bool elsewhere)
{
    char *chunk = ft_malloc(size);
    uintptr_t base = (uintptr_t)chunk & ~(heap_bytes - 1);
    struct frees frees = {base, base + header};
    pthread_t thread;

    REQUIRE(chunk != NULL, "no memory");
    memset(chunk, 0x5a, size);
    options.report_only = true;
    if (elsewhere) {
        REQUIRE(pthread_create(&thread, NULL, free_all_of_them, &frees) == 0, "no thread");
        REQUIRE(pthread_join(thread, NULL) == 0, "cannot join");
    } else {
        free_all_of_them(&frees);
    }
    for (size_t i = 0; i < 1000; i++)
        REQUIRE(((uintptr_t)ft_malloc(size) & (heap_bytes - 1)) >= header, "a chunk in a header");
    for (size_t i = 0; i < size; i++)
        REQUIRE(chunk[i] == 0x5a, "the contents of a live chunk changed");
    ft_free(chunk);
}

static void free_tiny_header(void *argument)
{
    free_header_of(48, TINY_HEAP_SIZE, TINY_FIRST_UNIT * UNIT_SIZE, *(bool *)argument);
}

static void free_small_header(void *argument)
{
    free_header_of(5000, SMALL_HEAP_SIZE, SMALL_FIRST_UNIT * UNIT_SIZE, *(bool *)argument);
}

static void check_headers(bool elsewhere)
{
    struct unit_end end;

    unit_in_child(free_tiny_header, &elsewhere, &end);
    assert_int_equal(end.exit_code, 0);
    assert_int_equal(end.err_lines, TINY_FIRST_UNIT * UNIT_SIZE / CHUNK_ALIGN);
    unit_in_child(free_small_header, &elsewhere, &end);
    assert_int_equal(end.exit_code, 0);
    assert_int_equal(end.err_lines, SMALL_FIRST_UNIT * UNIT_SIZE / CHUNK_ALIGN);
}

static void test_free_refuses_addresses_in_a_heaps_header(void **state)
{
    (void)state;
    check_headers(false);
}

static void test_free_by_another_thread_refuses_them_too(void **state)
{
    (void)state;
    check_headers(true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_address_of_a_slab),
        cmocka_unit_test(test_where_there_is_no_slab),
        cmocka_unit_test(test_a_freed_chunk_whose_slab_is_gone_is_none),
        cmocka_unit_test(test_marking_keeps_the_requested_size),
        cmocka_unit_test(test_resizing_within_the_range_of_the_state),
        cmocka_unit_test(test_free_refuses_addresses_in_a_heaps_header),
        cmocka_unit_test(test_free_by_another_thread_refuses_them_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
