/*
 * Bins: the stack and how it fills, spills and grows; which slab is current, partial, spare; and that nothing
 * is lost between them, whatever the order of calls.
 */
#include "unit/unit.h"

#include "bins/bin.h"
#include "os/os.h"
#include "support/rng.h"

#include <string.h>

/* Slabs of one unit, of a few, of many; of many chunks, of a few, of one. */
static const unsigned some_classes[] = {0,  5,  12, TINY_CLASSES - 1, TINY_CLASSES, 36, 50,
                                        66, 75, 84, SIZE_CLASSES - 1};

enum { SOME_CLASSES = sizeof some_classes / sizeof some_classes[0], MANY = 3000 };

static unsigned ring_length(const struct bin *bin)
{
    unsigned length = 0;

    for (struct slab *slab = bin->partial; slab != NULL;
         slab = slab->next == bin->partial ? NULL : slab->next) {
        assert_int_equal(slab->place, SLAB_PARTIAL);
        assert_true(slab->free > 0 && slab->free < size_classes[bin->class].chunks);
        assert_ptr_equal(slab->next->prev, slab);
        length++;
    }
    return length;
}

/* All chunks that are neither live nor in the stack are vacant in their slabs; lists and places agree. */
static void check(struct arena *arena, const struct bin *bin, unsigned live)
{
    unsigned chunks = size_classes[bin->class].chunks, slabs = 0, vacant = 0, places[4] = {0};

    for (struct heap *heap = bin->heaps->heaps; heap != NULL; heap = heap->next) {
        for (unsigned unit = heap_first_unit(heap); unit < heap_units(heap); unit++) {
            uintptr_t at = heap->base + (uintptr_t)unit * UNIT_SIZE;
            struct slab *slab = heap->set->small ? (struct slab *)small_slab(at) : tiny_slab(at);
            uint64_t identity = slab == NULL ? 0 : atomic_load(&slab->identity);

            if ((identity & 1) == 0 || identity_unit(identity) != unit ||
                identity_class(identity) != bin->class)
                continue;
            slabs++;
            vacant += slab->free;
            places[slab->place]++;
            assert_true(slab->place != SLAB_FULL || slab->free == 0);
        }
    }
    assert_int_equal(slabs * chunks, vacant + bin->count + live);
    assert_int_equal(places[SLAB_CURRENT], bin->current != NULL);
    assert_int_equal(places[SLAB_SPARE], bin->spare != NULL);
    assert_int_equal(places[SLAB_PARTIAL], ring_length(bin));
    assert_true(bin->spare == NULL || bin->spare->free == chunks);
    assert_true(bin->count <= bin->limit && bin->limit <= bin->limit_max);
    assert_ptr_equal(bin->heaps->arena, arena);
}

static void test_tiny_sizes_find_their_bin(void **state)
{
    (void)state;
    struct arena *arena = unit_arena();

    for (size_t size = 0; size <= TINY_MAX; size++)
        assert_ptr_equal(arena_tiny_bin(arena, size), &arena->bins[size_class_of(size)]);
    for (unsigned class = 0; class < SIZE_CLASSES; class ++) {
        assert_int_equal(arena->bins[class].size, size_classes[class].size);
        assert_int_equal(arena->bins[class].class, class);
        assert_true(arena->bins[class].limit >= 1);
    }
}

static void test_the_stacks_of_all_bins_are_apart(void **state)
{
    (void)state;
    struct arena *arena = unit_arena();
    void **next = arena->bins[0].slots;

    for (unsigned class = 0; class < SIZE_CLASSES; class ++) {
        assert_ptr_equal(arena->bins[class].slots, next);
        next += arena->bins[class].limit;
    }
    for (unsigned class = 0; class < SIZE_CLASSES; class ++) {
        assert_ptr_equal(arena->bins[class].slots_max, next);
        next += arena->bins[class].limit_max;
    }
    assert_int_equal(next - arena->bins[0].slots, bins_slots());
}

static void test_a_refill_hands_out_ascending_addresses(void **state)
{
    (void)state;
    struct arena *arena = unit_arena();

    for (unsigned class = 0; class < SIZE_CLASSES; class ++) {
        struct bin *bin = &arena->bins[class];

        assert_true(bin_refill(bin));
        assert_true(bin->count >= 1 && bin->count <= bin->limit);
        assert_int_equal((uintptr_t)bin->slots[bin->count - 1], slab_start(bin->current));
        for (unsigned slot = 1; slot < bin->count; slot++)
            assert_true((uintptr_t)bin->slots[slot] + bin->size == (uintptr_t)bin->slots[slot - 1]);
        check(arena, bin, 0);
    }
}

static void test_a_freed_chunk_is_the_next_one(void **state)
{
    (void)state;
    struct arena *arena = unit_arena();

    for (unsigned class = 0; class < SIZE_CLASSES; class ++) {
        void *chunk = unit_alloc(arena, size_classes[class].size);

        unit_free(arena, chunk);
        assert_ptr_equal(unit_alloc(arena, size_classes[class].size), chunk);
    }
}

static void test_a_full_stack_grows_then_spills_its_older_half(void **state)
{
    (void)state;
    struct arena *arena = unit_arena();
    static void *chunks[MANY];

    for (unsigned i = 0; i < SOME_CLASSES; i++) {
        struct bin *bin = &arena->bins[some_classes[i]];
        unsigned count = bin->limit_max + 1U;

        for (unsigned n = 0; n < count; n++)
            chunks[n] = unit_alloc(arena, bin->size);
        while (bin->count > 0)
            unit_alloc(arena, bin->size);
        for (unsigned n = 0; n + 1 < count; n++)
            unit_free(arena, chunks[n]);
        assert_int_equal(bin->count, bin->limit_max);
        for (unsigned n = 0; n < bin->count; n++)
            assert_ptr_equal(bin->slots[n], chunks[n]);
        unit_free(arena, chunks[count - 1]);
        assert_true(bin->count > 0 && bin->count <= bin->limit_max / 2U + 1);
        for (unsigned n = 0; n < bin->count; n++)
            assert_ptr_equal(bin->slots[bin->count - 1 - n], chunks[count - 1 - n]);
    }
}

static void test_a_first_stack_that_is_often_empty_grows(void **state)
{
    (void)state;
    struct arena *arena = unit_arena();
    struct bin *bin = &arena->bins[3];
    unsigned chunks = 0;

    assert_true(bin->limit < bin->limit_max);
    while (bin->limit < bin->limit_max && chunks < size_classes[3].chunks) {
        unit_alloc(arena, bin->size);
        chunks++;
    }
    assert_int_equal(bin->limit, bin->limit_max);
    assert_ptr_equal(bin->slots, bin->slots_max);
    check(arena, bin, chunks);
}

static void test_nothing_is_lost_in_any_order(void **state)
{
    (void)state;
    static void *live[MANY];
    struct rng rng = rng_stream(1, 2);

    for (unsigned i = 0; i < SOME_CLASSES; i++) {
        struct arena *arena = unit_arena();
        struct bin *bin = &arena->bins[some_classes[i]];
        unsigned count = 0, most = size_classes[some_classes[i]].chunks * 5U;

        most = most < MANY ? most : MANY;
        for (unsigned step = 0, next = most, wave = 0; wave < 4; step++) {
            /* Waves: mostly up, then mostly down. */
            bool up = (rng_below(&rng, 8) != 0) == (wave % 2 == 0);

            if (up && count < most) {
                live[count++] = unit_alloc(arena, bin->size);
            } else if (count > 0) {
                size_t victim = rng_below(&rng, count);

                unit_free(arena, live[victim]);
                live[victim] = live[--count];
            }
            if (step % 251 == 0)
                check(arena, bin, count);
            if (step == next) {
                next += most;
                wave++;
            }
        }
        assert_int_equal(unit_count_state(arena, STATE_LIVE), count);
        while (count > 0)
            unit_free(arena, live[--count]);
        check(arena, bin, 0);
    }
}

static void test_a_flush_returns_everything(void **state)
{
    (void)state;
    struct arena *arena = unit_arena();
    static void *chunks[MANY];

    for (unsigned class = 0; class < SIZE_CLASSES; class ++) {
        unsigned count = size_classes[class].chunks * 3U;

        count = count < MANY ? count : MANY;
        for (unsigned n = 0; n < count; n++)
            chunks[n] = unit_alloc(arena, size_classes[class].size);
        for (unsigned step = 0; step < 3; step++)
            for (unsigned n = step; n < count; n += 3)
                unit_free(arena, chunks[n]);
        bin_flush(&arena->bins[class]);
        check(arena, &arena->bins[class], 0);
        assert_null(arena->bins[class].current);
        assert_null(arena->bins[class].partial);
        assert_null(arena->bins[class].spare);
    }
    assert_int_equal(arena_trim(arena), TINY_HEAP_SIZE + SMALL_HEAP_SIZE);
    assert_null(arena->tiny.heaps);
    assert_null(arena->small.heaps);
}

static void test_a_flush_keeps_what_is_live(void **state)
{
    (void)state;
    struct arena *arena = unit_arena();
    struct bin *bin = &arena->bins[9];
    char *chunks[300];

    for (unsigned n = 0; n < 300; n++)
        memset(chunks[n] = unit_alloc(arena, bin->size), (int)n, bin->size);
    for (unsigned n = 0; n < 300; n += 2)
        unit_free(arena, chunks[n]);
    bin_flush(bin);
    check(arena, bin, 150);
    for (unsigned n = 1; n < 300; n += 2) {
        assert_int_equal(chunks[n][0], (char)n);
        assert_int_equal(chunks[n][bin->size - 1], (char)n);
    }
}

/* Three slabs, in the order in which they became partial; `vacant[i]` chunks are given back to slab i. */
static void make_partial(struct arena *arena, unsigned class, const unsigned *vacant, uintptr_t *starts)
{
    struct bin *bin = &arena->bins[class];
    unsigned chunks = size_classes[class].chunks;
    static char *all[3][TINY_SLAB_CHUNKS_MAX];

    for (unsigned slab = 0; slab < 3; slab++)
        for (unsigned n = 0; n < chunks; n++)
            all[slab][n] = unit_alloc(arena, bin->size);
    unit_alloc(arena, bin->size); /* the current slab is another one */
    for (unsigned slab = 0; slab < 3; slab++) {
        starts[slab] = (uintptr_t)all[slab][0];
        for (unsigned n = 0; n < vacant[slab]; n++)
            unit_free(arena, all[slab][n]);
        bin_flush(bin);
    }
}

static void test_the_fullest_partial_slab_comes_first(void **state)
{
    (void)state;
    static const unsigned vacant[3] = {9, 2, 5};
    struct arena *arena = unit_arena();
    struct bin *bin = &arena->bins[15];
    uintptr_t starts[3];

    make_partial(arena, 15, vacant, starts);
    assert_int_equal(ring_length(bin), 3);
    while (slab_start(bin->current) != starts[1])
        unit_alloc(arena, bin->size);
    while (slab_start(bin->current) == starts[1])
        unit_alloc(arena, bin->size);
    assert_int_equal(slab_start(bin->current), starts[2]);
    while (slab_start(bin->current) == starts[2])
        unit_alloc(arena, bin->size);
    assert_int_equal(slab_start(bin->current), starts[0]);
}

/* Allocates three slabs' worth and frees it, with what it takes to get it through the stack. */
static void fill_and_drain(struct arena *arena, unsigned class)
{
    static void *all[MANY];
    struct bin *bin = &arena->bins[class];
    unsigned count = 3U * size_classes[class].chunks + 2U * bin->limit_max;

    assert_true(count <= MANY);
    for (unsigned n = 0; n < count; n++)
        all[n] = unit_alloc(arena, bin->size);
    for (unsigned n = 0; n < count; n++)
        unit_free(arena, all[n]);
    check(arena, bin, 0);
}

static void test_one_short_empty_slab_is_kept_and_no_long_one(void **state)
{
    (void)state;
    struct arena *arena = unit_arena();

    fill_and_drain(arena, 15);
    assert_non_null(arena->bins[15].spare);
    assert_int_equal(size_classes[SIZE_CLASSES - 1].units, SLAB_UNITS_MAX);
    fill_and_drain(arena, SIZE_CLASSES - 1);
    assert_null(arena->bins[SIZE_CLASSES - 1].spare);
}

static void test_a_chunk_for_calloc_knows_whether_it_is_clean(void **state)
{
    (void)state;
    struct arena *arena = unit_arena();
    bool clean = false;
    char *chunk = arena_alloc(arena, 20, 300, &clean);

    assert_non_null(chunk);
    assert_true(clean);
    unit_free(arena, chunk);
    assert_ptr_equal(arena_alloc(arena, 20, 300, &clean), chunk);
    assert_false(clean);
    assert_ptr_not_equal(arena_alloc(arena, 20, 300, &clean), chunk);
    assert_true(clean);
}

static void test_without_memory_a_bin_stays_as_it_is(void **state)
{
    (void)state;
    struct arena *arena = unit_arena();

    for (unsigned i = 0; i < SOME_CLASSES; i++) {
        struct bin *bin = &arena->bins[some_classes[i]];
        bool clean;

        os_fail_after(1, true);
        /* An earlier class may have made the heap: then it is used up first. */
        while (bin_take_one(bin, &clean) != NULL)
            continue;
        assert_false(bin_refill(bin));
        os_fail_after(0, false);
        assert_int_equal(bin->count, 0);
        assert_null(bin->current);
        assert_true(bin_refill(bin));
        assert_true(bin->count > 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tiny_sizes_find_their_bin),
        cmocka_unit_test(test_the_stacks_of_all_bins_are_apart),
        cmocka_unit_test(test_a_refill_hands_out_ascending_addresses),
        cmocka_unit_test(test_a_freed_chunk_is_the_next_one),
        cmocka_unit_test(test_a_full_stack_grows_then_spills_its_older_half),
        cmocka_unit_test(test_a_first_stack_that_is_often_empty_grows),
        cmocka_unit_test(test_nothing_is_lost_in_any_order),
        cmocka_unit_test(test_a_flush_returns_everything),
        cmocka_unit_test(test_a_flush_keeps_what_is_live),
        cmocka_unit_test(test_the_fullest_partial_slab_comes_first),
        cmocka_unit_test(test_one_short_empty_slab_is_kept_and_no_long_one),
        cmocka_unit_test(test_a_chunk_for_calloc_knows_whether_it_is_clean),
        cmocka_unit_test(test_without_memory_a_bin_stays_as_it_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
