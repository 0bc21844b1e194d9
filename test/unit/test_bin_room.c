/*
 * How long the stacks get. SMALL stacks grow in steps as long as there is room, which all arenas
 * share; the tests check who gives room back.
 */
#include "unit/unit.h"

#include "bins/bin.h"

enum { MANY = 3000 };

/*
 * What all arenas together may add to their SMALL stacks, beyond the room of each; and the most
 * that one stack may get.
 */
enum { ROOM_COMMON = 16 << 20, SMALL_STACK_BYTES_MAX = 2 << 20 };

static void test_a_first_stack_that_is_often_empty_grows(void **state)
{
    (void)state;
    struct arena *arena = unit_arena();
    struct bin *bin = &arena->bins.of[3];
    unsigned chunks = 0;

    assert_true(bin_limit(bin) < bin_limit_max(bin));
    for (unsigned limit = bin_limit(bin); limit < bin_limit_max(bin); limit *= 2) {
        void **slots = bin->slots;

        /*
         * Each refill fills half a stack. After eight refills the stack is twice as long, and
         * stored elsewhere.
         */
        for (unsigned n = 0; n < 8 * limit / 2 + 1 && bin_limit(bin) == limit; n++, chunks++)
            unit_alloc(arena, unit_bin_size(bin));
        assert_int_equal(bin_limit(bin), 2 * limit);
        assert_ptr_not_equal(bin->slots, slots);
    }
    unit_check_bin(arena, bin, chunks);
}

/*
 * Allocates more chunks than the stack holds and frees them, `times` times, so that the stack is
 * too short for both.
 */
static void go_up_and_down(struct arena *arena, struct bin *bin, unsigned times)
{
    static void *chunks[MANY];

    for (unsigned time = 0; time < times; time++) {
        unsigned count = bin_count(bin) + bin_limit(bin) + 2;

        for (unsigned n = 0; n < count; n++)
            chunks[n] = unit_alloc(arena, unit_bin_size(bin));
        for (unsigned n = 0; n < count; n++)
            unit_free(arena, chunks[n]);
    }
}

/* Returns by how many bytes the SMALL stacks are longer than those of a new arena. */
static size_t lengthened(const struct arena *arena)
{
    const struct arena *fresh = unit_arena();
    size_t bytes = 0;

    for (unsigned size_class = TINY_CLASSES; size_class < SIZE_CLASSES; size_class++) {
        assert_true(bin_limit(&arena->bins.of[size_class]) >=
                    bin_limit(&fresh->bins.of[size_class]));
        bytes += (bin_limit(&arena->bins.of[size_class]) - bin_limit(&fresh->bins.of[size_class])) *
                 (size_t)size_classes[size_class].size;
    }
    return bytes;
}

/*
 * The stacks of every class grow to their maximum, or until the room is used up. The largest chunks
 * come last.
 */
static void lengthen_all(struct arena *arena)
{
    for (unsigned size_class = TINY_CLASSES; size_class < SIZE_CLASSES; size_class++)
        go_up_and_down(arena, &arena->bins.of[size_class], 12);
}

/* The arena first uses up its own room; the rest comes from what all arenas share. */
static size_t taken_from_common(const struct arena *arena, size_t room)
{
    size_t bytes = lengthened(arena), own = room - arena->bins.room;

    assert_true(arena->bins.room <= room && own <= bytes);
    return bytes - own;
}

static void test_a_small_stack_doubles_when_it_underflows_and_overflows(void **state)
{
    (void)state;
    for (unsigned size_class = TINY_CLASSES; size_class < SIZE_CLASSES; size_class++) {
        struct arena *arena = unit_arena();
        struct bin *bin = &arena->bins.of[size_class];
        size_t room = arena->bins.room;
        unsigned limit = bin_limit(bin);

        assert_true(limit < bin_limit_max(bin));
        for (unsigned time = 0; time < 12; time++) {
            unsigned next = 2 * limit < bin_limit_max(bin) ? 2 * limit : bin_limit_max(bin);

            go_up_and_down(arena, bin, 1);
            assert_true(bin_limit(bin) == limit || bin_limit(bin) == next);
            assert_true(time > 0 || bin_limit(bin) == next);
            limit = bin_limit(bin);
        }
        /* An arena that is alone gets everything that one arena may have. */
        assert_int_equal(limit, bin_limit_max(bin));
        assert_int_equal(bin->capacity, limit);
        assert_true(limit * unit_bin_size(bin) <= SMALL_STACK_BYTES_MAX);
        assert_int_equal(taken_from_common(arena, room) > 0, lengthened(arena) > room);
        unit_check_bin(arena, bin, 0);
        arena_trim(arena);
        assert_int_equal(lengthened(arena), 0);
        assert_int_equal(arena->bins.room, room);
    }
}

static void test_a_bulk_of_frees_lengthens_no_small_stack(void **state)
{
    (void)state;
    struct arena *arena = unit_arena();
    static void *chunks[MANY];

    for (unsigned size_class = TINY_CLASSES; size_class < SIZE_CLASSES; size_class++) {
        struct bin *bin = &arena->bins.of[size_class];
        unsigned limit = bin_limit(bin), count = 20 * limit;

        for (unsigned n = 0; n < count; n++)
            chunks[n] = unit_alloc(arena, unit_bin_size(bin));
        /* The stack may grow by one step at most, because slabs had filled it before. */
        for (unsigned n = 0; n < count; n++)
            unit_free(arena, chunks[n]);
        assert_true(bin_limit(bin) <= 2 * limit);
        unit_check_bin(arena, bin, 0);
    }
}

static void test_small_stacks_grow_while_there_is_room(void **state)
{
    (void)state;
    struct arena *arena = unit_arena();
    size_t room = arena->bins.room, wanted = 0;

    for (unsigned size_class = TINY_CLASSES; size_class < SIZE_CLASSES; size_class++) {
        struct bin *bin = &arena->bins.of[size_class];

        wanted += (bin_limit_max(bin) - bin_limit(bin)) * unit_bin_size(bin);
        go_up_and_down(arena, bin, 12);
        if (wanted <= room)
            assert_int_equal(bin_limit(bin), bin_limit_max(bin));
        unit_check_bin(arena, bin, 0);
        assert_true(taken_from_common(arena, room) <= ROOM_COMMON);
    }
    /*
     * All arenas together want more than there is. What is left is less than one step of the
     * largest class.
     */
    assert_true(wanted > room + ROOM_COMMON);
    assert_in_range(lengthened(arena), room + ROOM_COMMON - SMALL_STACK_BYTES_MAX,
                    room + ROOM_COMMON);
}

static void test_arenas_share_the_common_room(void **state)
{
    (void)state;
    struct arena *first = unit_arena(), *second = unit_arena();
    size_t room = first->bins.room, common;

    lengthen_all(first);
    common = taken_from_common(first, room);
    lengthen_all(second);
    assert_true(lengthened(second) > 0);
    assert_true(taken_from_common(second, room) + common <= ROOM_COMMON);
    /* The second arena gets what the first one gives back. */
    arena_trim(first);
    assert_int_equal(lengthened(first), 0);
    assert_int_equal(first->bins.room, room);
    lengthen_all(second);
    assert_in_range(taken_from_common(second, room), ROOM_COMMON - SMALL_STACK_BYTES_MAX,
                    ROOM_COMMON);
    arena_trim(second);
    /* No room was lost, and none was given back twice. */
    lengthen_all(first);
    assert_int_equal(taken_from_common(first, room), common);
}

static void test_a_reset_gives_room_back(void **state)
{
    (void)state;
    struct arena *first = unit_arena(), *second = unit_arena();
    size_t room = first->bins.room, common;

    lengthen_all(first);
    common = taken_from_common(first, room);
    /* This is what the repair after a fork does. */
    bins_reset(&first->bins);
    assert_int_equal(lengthened(first), 0);
    assert_int_equal(first->bins.room, room);
    lengthen_all(second);
    assert_int_equal(taken_from_common(second, room), common);
}

static void test_idle_stacks_give_room_to_busy_ones(void **state)
{
    (void)state;
    struct arena *arena = unit_arena();
    struct bin *busy = &arena->bins.of[SIZE_CLASSES - 1];
    unsigned first = bin_limit(busy), length;

    /*
     * All other stacks grow until no room is left. Then this one bin asks each of them again and
     * again.
     */
    for (unsigned size_class = TINY_CLASSES; size_class < SIZE_CLASSES - 1; size_class++)
        go_up_and_down(arena, &arena->bins.of[size_class], 12);
    go_up_and_down(arena, busy, 100);
    length = bin_limit(busy);
    assert_true(length > first);
    assert_int_equal(length, bin_limit_max(busy));
    for (unsigned size_class = TINY_CLASSES; size_class < SIZE_CLASSES; size_class++)
        unit_check_bin(arena, &arena->bins.of[size_class], 0);
    /* A flush shortens the stacks and returns their room, so the next arena gets as much. */
    arena_trim(arena);
    arena = unit_arena();
    for (unsigned size_class = TINY_CLASSES; size_class < SIZE_CLASSES - 1; size_class++)
        go_up_and_down(arena, &arena->bins.of[size_class], 12);
    busy = &arena->bins.of[SIZE_CLASSES - 1];
    go_up_and_down(arena, busy, 100);
    assert_int_equal(bin_limit(busy), length);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_a_first_stack_that_is_often_empty_grows, unit_flush_all),
        cmocka_unit_test_teardown(test_a_small_stack_doubles_when_it_underflows_and_overflows,
                                  unit_flush_all),
        cmocka_unit_test_teardown(test_a_bulk_of_frees_lengthens_no_small_stack, unit_flush_all),
        cmocka_unit_test_teardown(test_small_stacks_grow_while_there_is_room, unit_flush_all),
        cmocka_unit_test_teardown(test_arenas_share_the_common_room, unit_flush_all),
        cmocka_unit_test_teardown(test_a_reset_gives_room_back, unit_flush_all),
        cmocka_unit_test_teardown(test_idle_stacks_give_room_to_busy_ones, unit_flush_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
