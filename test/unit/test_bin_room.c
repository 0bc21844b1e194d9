/*
 * How long the stacks get. SMALL stacks grow in steps as long as there is room, which all arenas
 * share; the tests check who gives room back.
 */
#include "unit/unit.h"

#include "bins/bin.h"
#include "os/os.h"

enum { MANY = 3000 };

/*
 * What all threads together may add to their stacks, beyond the room of each; the most that one
 * stack may get; up to what size it grows readily; and how often it has to be empty after it was
 * full before it grows otherwise. ROUNDS are enough for each stack to get its last length.
 */
enum {
    ROOM_COMMON = 24 << 20,
    SMALL_STACK_BYTES_MAX = 16 * (144 << 10),
    CHEAP_BYTES = 16 << 10, /* of chunks of up to 128 bytes */
    RETURNS = 2,
    ROUNDS = 30,
};

static void test_a_first_stack_that_is_often_empty_grows(void **state)
{
    (void)state;
    struct arena *arena = unit_arena();
    struct stack *stack = &cache_first(arena)->stacks.of[3];
    unsigned chunks = 0, limit = stack_limit(stack);

    for (; 2 * limit * unit_bin_size(stack) <= CHEAP_BYTES; limit *= 2) {
        void **slots = stack->slots;

        /*
         * Each refill fills half a stack. After eight refills the stack is twice as long, and
         * stored elsewhere.
         */
        for (unsigned n = 0; n < 8 * limit / 2 + 1 && stack_limit(stack) == limit; n++, chunks++)
            unit_alloc(arena, unit_bin_size(stack));
        assert_int_equal(stack_limit(stack), 2 * limit);
        assert_ptr_not_equal(stack->slots, slots);
    }
    assert_true(limit > 17);
    /* From here on it would hold many chunks, which only a thread that also frees makes use of. */
    for (unsigned n = 0; n < 100 * limit; n++, chunks++)
        unit_alloc(arena, unit_bin_size(stack));
    assert_int_equal(stack_limit(stack), limit);
    unit_check_bin(arena, stack, chunks);
}

/*
 * Allocates more chunks than the stack holds and frees them, `times` times, so that the stack is
 * too short for both.
 */
static void go_up_and_down(struct arena *arena, struct stack *stack, unsigned times)
{
    static void *chunks[MANY];

    for (unsigned time = 0; time < times; time++) {
        unsigned count = stack_count(stack) + stack_limit(stack) + 2;

        for (unsigned n = 0; n < count; n++)
            chunks[n] = unit_alloc(arena, unit_bin_size(stack));
        for (unsigned n = 0; n < count; n++)
            unit_free(arena, chunks[n]);
    }
}

/* Returns by how many bytes the stacks are longer than those of a new arena. */
static size_t lengthened(struct arena *arena)
{
    struct arena *fresh = unit_arena();
    size_t bytes = 0;

    for (unsigned size_class = 0; size_class < SIZE_CLASSES; size_class++) {
        assert_true(stack_limit(&cache_first(arena)->stacks.of[size_class]) >=
                    stack_limit(&cache_first(fresh)->stacks.of[size_class]));
        bytes += (stack_limit(&cache_first(arena)->stacks.of[size_class]) -
                  stack_limit(&cache_first(fresh)->stacks.of[size_class])) *
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
        go_up_and_down(arena, &cache_first(arena)->stacks.of[size_class], ROUNDS);
}

/* The arena first uses up its own room; the rest comes from what all arenas share. */
static size_t taken_from_common(struct arena *arena, size_t room)
{
    size_t bytes = lengthened(arena), own = room - cache_first(arena)->stacks.room;

    assert_true(cache_first(arena)->stacks.room <= room && own <= bytes);
    return bytes - own;
}

static void test_a_small_stack_doubles_when_it_underflows_and_overflows(void **state)
{
    (void)state;
    for (unsigned size_class = TINY_CLASSES; size_class < SIZE_CLASSES; size_class++) {
        struct arena *arena = unit_arena();
        struct stack *stack = &cache_first(arena)->stacks.of[size_class];
        size_t room = cache_first(arena)->stacks.room;
        unsigned limit = stack_limit(stack);

        assert_true(limit < stack_limit_max(stack));
        for (unsigned time = 0, same = 0; time < ROUNDS; time++) {
            unsigned next = limit == 0 ? 1 : 2 * limit;

            next = next < stack_limit_max(stack) ? next : stack_limit_max(stack);
            go_up_and_down(arena, stack, 1);
            assert_true(stack_limit(stack) == limit || stack_limit(stack) == next);
            same = stack_limit(stack) == limit ? same + 1 : 0;
            assert_true(same <= RETURNS || limit == stack_limit_max(stack));
            limit = stack_limit(stack);
        }
        /* An arena that is alone gets everything that one arena may have. */
        assert_int_equal(limit, stack_limit_max(stack));
        assert_int_equal(stack->capacity, limit);
        assert_true(limit * unit_bin_size(stack) <= SMALL_STACK_BYTES_MAX);
        assert_int_equal(taken_from_common(arena, room) > 0, lengthened(arena) > room);
        unit_check_bin(arena, stack, 0);
        unit_trim(arena);
        assert_int_equal(lengthened(arena), 0);
        assert_int_equal(cache_first(arena)->stacks.room, room);
    }
}

static void test_a_bulk_of_frees_lengthens_no_small_stack(void **state)
{
    (void)state;
    struct arena *arena = unit_arena();
    static void *chunks[MANY];

    for (unsigned size_class = TINY_CLASSES; size_class < SIZE_CLASSES; size_class++) {
        struct stack *stack = &cache_first(arena)->stacks.of[size_class];
        unsigned limit = stack_limit(stack), count = 20 * limit;

        for (unsigned n = 0; n < count; n++)
            chunks[n] = unit_alloc(arena, unit_bin_size(stack));
        /* The stack may grow by one step at most, because slabs had filled it before. */
        for (unsigned n = 0; n < count; n++)
            unit_free(arena, chunks[n]);
        assert_true(stack_limit(stack) <= 2 * limit);
        unit_check_bin(arena, stack, 0);
    }
}

static void test_small_stacks_grow_while_there_is_room(void **state)
{
    (void)state;
    struct arena *arena = unit_arena();
    size_t room = cache_first(arena)->stacks.room, wanted = 0;

    for (unsigned size_class = TINY_CLASSES; size_class < SIZE_CLASSES; size_class++) {
        struct stack *stack = &cache_first(arena)->stacks.of[size_class];

        wanted += (stack_limit_max(stack) - stack_limit(stack)) * unit_bin_size(stack);
        go_up_and_down(arena, stack, ROUNDS);
        if (wanted <= room + ROOM_COMMON)
            assert_int_equal(stack_limit(stack), stack_limit_max(stack));
        unit_check_bin(arena, stack, 0);
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
    size_t room = cache_first(first)->stacks.room, common;

    lengthen_all(first);
    common = taken_from_common(first, room);
    lengthen_all(second);
    assert_true(lengthened(second) > 0);
    assert_true(taken_from_common(second, room) + common <= ROOM_COMMON);
    /* The second arena gets what the first one gives back. */
    unit_trim(first);
    assert_int_equal(lengthened(first), 0);
    assert_int_equal(cache_first(first)->stacks.room, room);
    lengthen_all(second);
    assert_in_range(taken_from_common(second, room), ROOM_COMMON - SMALL_STACK_BYTES_MAX,
                    ROOM_COMMON);
    unit_trim(second);
    /* No room was lost, and none was given back twice. */
    lengthen_all(first);
    assert_int_equal(taken_from_common(first, room), common);
}

static void test_a_reset_gives_room_back(void **state)
{
    (void)state;
    struct arena *first = unit_arena(), *second = unit_arena();
    size_t room = cache_first(first)->stacks.room, common;

    lengthen_all(first);
    common = taken_from_common(first, room);
    /* This is what the repair after a fork does. */
    stacks_reset(&cache_first(first)->stacks);
    bins_reset(&first->bins);
    assert_int_equal(lengthened(first), 0);
    assert_int_equal(cache_first(first)->stacks.room, room);
    lengthen_all(second);
    assert_int_equal(taken_from_common(second, room), common);
}

static void test_idle_stacks_give_room_to_busy_ones(void **state)
{
    (void)state;
    struct arena *arena = unit_arena();
    struct stack *busy = &cache_first(arena)->stacks.of[SIZE_CLASSES - 1];
    unsigned first = stack_limit(busy), length;

    /*
     * All other stacks grow until no room is left. Then this one bin asks each of them again and
     * again.
     */
    for (unsigned size_class = TINY_CLASSES; size_class < SIZE_CLASSES - 1; size_class++)
        go_up_and_down(arena, &cache_first(arena)->stacks.of[size_class], ROUNDS);
    go_up_and_down(arena, busy, 100);
    length = stack_limit(busy);
    assert_true(length > first);
    assert_int_equal(length, stack_limit_max(busy));
    for (unsigned size_class = TINY_CLASSES; size_class < SIZE_CLASSES; size_class++)
        unit_check_bin(arena, &cache_first(arena)->stacks.of[size_class], 0);
    /* A flush shortens the stacks and returns their room, so the next arena gets as much. */
    unit_trim(arena);
    arena = unit_arena();
    for (unsigned size_class = TINY_CLASSES; size_class < SIZE_CLASSES - 1; size_class++)
        go_up_and_down(arena, &cache_first(arena)->stacks.of[size_class], ROUNDS);
    busy = &cache_first(arena)->stacks.of[SIZE_CLASSES - 1];
    go_up_and_down(arena, busy, 100);
    assert_int_equal(stack_limit(busy), length);
}

/* Returns an arena whose memory is not the library's own data. */
static struct stacks *mapped_stacks(void)
{
    unit_arena();
    return &cache_first(unit_arena())->stacks;
}

static struct arena *arena_of(struct stacks *stacks)
{
    return ((struct cache *)(void *)((char *)stacks - offsetof(struct cache, stacks)))->arena;
}

/* A stack that is lengthened moves to a new place, twice as long. */
static void test_there_are_slots_for_stacks_of_all_lengths(void **state)
{
    (void)state;
    struct arena *arena = unit_arena();
    unsigned slots = 0;

    for (unsigned size_class = 0; size_class < SIZE_CLASSES; size_class++) {
        struct stack *stack = &cache_first(arena)->stacks.of[size_class];
        unsigned limit = 2u * stack->capacity, most = stack_limit_max(stack);

        for (; limit < most; limit *= 2)
            slots += limit;
        slots += most;
    }
    assert_int_equal(slots, LONG_SLOTS);
}

static void test_slots_become_memory_when_stacks_are_lengthened(void **state)
{
    (void)state;
    struct stacks *stacks = mapped_stacks();
    void **first_end = stacks->ready_slots;
    uintptr_t end = round_up((uintptr_t)stacks->end_slots, os_page_size());

    assert_true(stacks->next_slots <= stacks->ready_slots);
    assert_true((uintptr_t)first_end - (uintptr_t)stacks < end - (uintptr_t)stacks);
    assert_true(unit_protected_so((uintptr_t)first_end, end, "---p"));
    for (unsigned size_class = 0; size_class < SIZE_CLASSES; size_class++) {
        go_up_and_down(arena_of(stacks), &stacks->of[size_class], 5);
        assert_true(stacks->next_slots <= stacks->ready_slots);
        assert_true((uintptr_t)stacks->ready_slots <= end);
    }
    assert_true(stacks->ready_slots > first_end);
    assert_true(unit_protected_so((uintptr_t)stacks, (uintptr_t)stacks->ready_slots, "rw-p"));
}

static void test_stacks_stay_as_long_as_they_are_without_memory_for_slots(void **state)
{
    (void)state;
    struct stacks *stacks = mapped_stacks();
    struct stack *stack = &stacks->of[TINY_CLASSES - 1];
    struct arena *arena = arena_of(stacks);
    size_t room = stacks->room;
    void **end = stacks->ready_slots;
    unsigned limit;

    /* So that nothing else needs memory. */
    unit_free(arena, unit_alloc(arena, unit_bin_size(stack)));
    stacks->next_slots = end;
    limit = stack_limit(stack);
    os_fail_after(1, true);
    go_up_and_down(arena, stack, ROUNDS);
    os_fail_after(0, false);
    assert_int_equal(stack_limit(stack), limit);
    assert_int_equal(stacks->room, room);
    /* There may be a hole, which is never touched, also when there is memory again. */
    go_up_and_down(arena, stack, ROUNDS);
    assert_int_equal(stack_limit(stack), limit);
    assert_ptr_equal(stacks->ready_slots, end);
    unit_check_bin(arena, stack, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_there_are_slots_for_stacks_of_all_lengths, unit_flush_all),
        cmocka_unit_test_teardown(test_slots_become_memory_when_stacks_are_lengthened,
                                  unit_flush_all),
        cmocka_unit_test_teardown(test_stacks_stay_as_long_as_they_are_without_memory_for_slots,
                                  unit_flush_all),
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
