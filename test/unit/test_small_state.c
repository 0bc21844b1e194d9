/*
 * The states of SMALL chunks: what is written is read back, no two chunks share a state, none is
 * mistaken for another's, and nothing is left of a slab that was there before.
 */
#include "unit/unit.h"

#include "bins/slab.h"

/* The smallest and the largest class, and some between. */
static const unsigned some_classes[] = {TINY_CLASSES, 37, 60, SIZE_CLASSES - 1};

enum { SOME_CLASSES = sizeof some_classes / sizeof some_classes[0] };

static struct slab *create(struct arena *arena, unsigned size_class)
{
    struct slab *slab = slab_create(&arena->small, size_class);

    assert_non_null(slab);
    return slab;
}

/*
 * For every address in its granule, the state says that a live chunk starts there only for the
 * right address, and only if the chunk is live.
 */
static void check_lives(uint32_t what, uintptr_t address, bool live)
{
    uintptr_t granule = address - address % SMALL_GRANULE;

    for (uintptr_t at = granule; at < granule + SMALL_GRANULE; at++)
        if (small_lives_at(what, at) != (live && at == address))
            fail_msg("the state %x of %zx is wrong at %zx", what, (size_t)address, (size_t)at);
}

static void check_state(unsigned kind, unsigned size_class, uintptr_t address, size_t slack)
{
    uint32_t what = small_state_of(kind, size_class, address, slack);

    assert_int_equal(small_kind(what), kind);
    assert_int_equal(small_state_class(what), size_class);
    assert_int_equal(small_slack(what), slack);
    assert_int_equal(small_lives(what), kind == STATE_LIVE);
    check_lives(what, address, kind == STATE_LIVE);
}

static void test_a_small_state_returns_what_was_stored(void **state)
{
    (void)state;
    static const size_t slacks[] = {0, 1, 511, 512, SMALL_SLACK_MAX - 1, SMALL_SLACK_MAX};

    check_lives(0, SMALL_HEAP_SIZE, false);
    for (unsigned size_class = TINY_CLASSES; size_class < SIZE_CLASSES; size_class++)
        for (uintptr_t place = 0; place < SMALL_GRANULE; place += CHUNK_ALIGN)
            for (size_t i = 0; i < sizeof slacks / sizeof slacks[0]; i++)
                for (unsigned kind = STATE_LIVE; kind <= STATE_REMOTE; kind++)
                    check_state(kind, size_class, 7 * (uintptr_t)SMALL_HEAP_SIZE + place,
                                slacks[i]);
}

/*
 * Counts the addresses of the slab that are wrongly taken for a live chunk's start, or wrongly not.
 */
static size_t wrong_lives(const struct slab *slab, bool live)
{
    uint32_t size = size_classes[slab->size_class].size;
    size_t wrong = 0;

    for (uint32_t offset = 0; offset < size_classes[slab->size_class].units * (uint32_t)UNIT_SIZE;
         offset++) {
        uintptr_t at = slab_start(slab) + offset;
        bool start = offset % size == 0 && offset / size < size_classes[slab->size_class].chunks;
        uint32_t what = atomic_load_explicit(small_state(at), memory_order_relaxed);

        wrong += small_lives_at(what, at) != (live && start);
    }
    return wrong;
}

static size_t some_slack(unsigned size_class, unsigned index)
{
    return (index * 37U) % (size_classes[size_class].size - size_classes[size_class - 1].size);
}

static void test_only_the_starts_of_small_chunks_are_live(void **state)
{
    (void)state;
    struct arena *arena = unit_arena();

    for (unsigned size_class = TINY_CLASSES; size_class < SIZE_CLASSES; size_class++) {
        const struct stack *stack = &cache_first(arena)->stacks.of[size_class];
        /* Neighbouring slabs, so that a state which is written to a wrong place shows. */
        struct slab *below = create(arena, size_class), *slab = create(arena, size_class),
                    *above = create(arena, size_class);
        uint32_t size = size_classes[size_class].size;

        assert_int_equal(wrong_lives(slab, false), 0);
        for (unsigned index = 0; index < size_classes[size_class].chunks; index++)
            small_mark_live(slab_start(slab) + (uintptr_t)index * size, stack->live,
                            size - some_slack(size_class, index));
        assert_int_equal(wrong_lives(slab, true), 0);
        assert_int_equal(wrong_lives(below, false), 0);
        assert_int_equal(wrong_lives(above, false), 0);
        for (unsigned index = 0; index < size_classes[size_class].chunks; index++) {
            uintptr_t at = slab_start(slab) + (uintptr_t)index * size;
            uint32_t seen = atomic_load(small_state(at));

            assert_int_equal(
                seen, small_state_of(STATE_LIVE, size_class, at, some_slack(size_class, index)));
            small_turn(at, seen, STATE_LIVE, index % 2 == 0 ? STATE_FREE : STATE_REMOTE,
                       memory_order_relaxed);
        }
        assert_int_equal(wrong_lives(slab, false), 0);
    }
}

static void test_no_two_small_chunks_share_a_state(void **state)
{
    (void)state;
    for (unsigned size_class = TINY_CLASSES; size_class < SIZE_CLASSES; size_class++)
        for (unsigned index = 1; index < size_classes[size_class].chunks; index++) {
            uintptr_t at = SMALL_HEAP_SIZE + (uintptr_t)index * size_classes[size_class].size;

            assert_ptr_not_equal(small_state(at), small_state(at - size_classes[size_class].size));
        }
    /* These states are all in front of what else the header holds. */
    assert_true((uintptr_t)small_state((uintptr_t)2 * SMALL_HEAP_SIZE - 1) + sizeof(uint32_t) <=
                (uintptr_t)SMALL_HEAP_SIZE + SMALL_HEADER_OFFSET);
}

/* So many units that a slab of each class fits in their place, wherever it has to begin. */
enum { EARLIER = 20 };

static void slabs_with_states(struct arena *arena, unsigned size_class, struct slab *slabs[EARLIER])
{
    for (unsigned i = 0; i < EARLIER; i++) {
        slabs[i] = create(arena, size_class);
        for (unsigned index = 0; index < size_classes[size_class].chunks; index++) {
            uintptr_t at = slab_start(slabs[i]) + (uintptr_t)index * size_classes[size_class].size;

            atomic_store(small_state(at), small_state_of(STATE_FREE, size_class, at, 0));
        }
    }
}

static void test_the_states_of_an_earlier_slab_are_forgotten(void **state)
{
    (void)state;
    for (unsigned i = 0; i < SOME_CLASSES; i++)
        for (unsigned j = 0; j < SOME_CLASSES; j++) {
            unsigned before = some_classes[i], after = some_classes[j];
            struct arena *arena = unit_arena();
            struct slab *slabs[EARLIER];
            uintptr_t start, end;

            slabs_with_states(arena, before, slabs);
            end = slab_start(slabs[EARLIER - 1]);
            start = slab_start(slabs[0]);
            for (unsigned k = 0; k < EARLIER; k++)
                slab_destroy(slabs[k]);
            /* Smaller slabs may also fit in front, where no slab was before. */
            do
                slabs[0] = create(arena, after);
            while (slab_start(slabs[0]) < start);
            assert_in_range(slab_start(slabs[0]), start, end);
            start = slab_start(slabs[0]);
            for (uintptr_t at = start;
                 at < start + size_classes[after].units * (uintptr_t)UNIT_SIZE; at += CHUNK_ALIGN) {
                struct chunk chunk;

                assert_int_equal(chunk_find(at, arena->small_tag, &chunk), CHUNK_NONE);
            }
            unit_trim(arena);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_small_state_returns_what_was_stored),
        cmocka_unit_test(test_only_the_starts_of_small_chunks_are_live),
        cmocka_unit_test(test_no_two_small_chunks_share_a_state),
        cmocka_unit_test(test_the_states_of_an_earlier_slab_are_forgotten),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
