/*
 * The states of chunks: what is put in comes back, every change that the table in bins/state.h
 * lists changes the kind and nothing else, and every other change ends the process. TINY and SMALL.
 * The states lie in an array here, so nothing depends on an arena.
 */
#include "unit/unit.h"

#include "bins/state.h"

#include <signal.h>
#include <sys/mman.h>

enum { KINDS = STATE_REMOTE + 1 };

/* The table as the test knows it: [from][to]. */
static const bool allowed[KINDS][KINDS] = {
    [STATE_NONE] = {[STATE_LIVE] = true},
    [STATE_LIVE] = {[STATE_LIVE] = true, [STATE_FREE] = true, [STATE_REMOTE] = true},
    [STATE_FREE] = {[STATE_LIVE] = true},
    [STATE_REMOTE] = {[STATE_FREE] = true},
};

/* A SMALL heap's worth of memory, at such an address that it could be a heap of either zone. */
static uintptr_t heap;

static int map_heap(void **state)
{
    size_t size = 2 * (size_t)SMALL_HEAP_SIZE;
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    (void)state;
    heap = round_up((uintptr_t)memory, SMALL_HEAP_SIZE);
    return memory == MAP_FAILED ? -1 : 0;
}

/* A chunk of TINY, and one of SMALL that starts in the middle of its granule. */
static uintptr_t tiny_chunk(void)
{
    return heap + (uintptr_t)TINY_FIRST_UNIT * UNIT_SIZE + 48;
}

enum { SOME_SMALL_CLASS = 40 };

static uintptr_t small_chunk(void)
{
    return heap + (uintptr_t)SMALL_FIRST_UNIT * UNIT_SIZE + 3 * SMALL_GRANULE + 5 * CHUNK_ALIGN;
}

static void test_the_table_is_the_one_that_the_code_checks(void **state)
{
    (void)state;
    for (unsigned from = 0; from < KINDS; from++)
        for (unsigned to = 0; to < KINDS; to++)
            if (state_may_turn(from, to) != allowed[from][to])
                fail_msg("%u to %u", from, to);
}

static void test_a_tiny_state_returns_what_was_stored(void **state)
{
    (void)state;
    for (unsigned kind = STATE_LIVE; kind < KINDS; kind++)
        for (size_t slack = 0; slack <= TINY_SLACK_MAX; slack++) {
            uint8_t seen = tiny_state_of(kind, slack);

            assert_int_equal(tiny_kind(seen), kind);
            assert_int_equal(tiny_slack(seen), slack);
            assert_int_equal(tiny_slack_with_canary(seen), slack == 0 ? 64 : slack);
            assert_int_equal(tiny_lives(seen), kind == STATE_LIVE);
            assert_int_equal(tiny_is_owners(seen), kind == STATE_FREE);
        }
    /* The last one that can be told in a hardened process. */
    assert_int_equal(tiny_state_of(STATE_LIVE, 64), tiny_state_of(STATE_LIVE, 0));
    assert_int_equal(tiny_kind(0), STATE_NONE);
    assert_false(tiny_lives(0));
    assert_true(tiny_is_owners(0));
}

static void test_small_tests_tell_the_kinds_apart(void **state)
{
    (void)state;
    for (unsigned kind = STATE_LIVE; kind < KINDS; kind++) {
        uint32_t seen = small_state_of(kind, SOME_SMALL_CLASS, small_chunk(), 77);

        assert_int_equal(small_lives(seen), kind == STATE_LIVE);
        assert_int_equal(small_is_owners(seen), kind == STATE_FREE);
        for (unsigned other = STATE_LIVE; other < KINDS; other++) {
            assert_int_equal(small_is_at(seen, other, small_chunk()), kind == other);
            assert_false(small_is_at(seen, other, small_chunk() + CHUNK_ALIGN));
            assert_false(small_is_at(seen, other, small_chunk() + 1));
        }
    }
    assert_int_equal(small_kind(0), STATE_NONE);
    assert_false(small_lives(0));
    assert_true(small_is_owners(0));
    for (unsigned kind = STATE_LIVE; kind < KINDS; kind++)
        assert_false(small_is_at(0, kind, heap));
}

static void test_handing_out_stores_the_size(void **state)
{
    (void)state;
    for (unsigned size_class = 0; size_class < SIZE_CLASSES; size_class++) {
        uint32_t size = size_classes[size_class].size, live = state_live_base(size_class);
        size_t slack = size < 64 ? size / 2 : 33;

        if (size_class < TINY_CLASSES) {
            assert_int_equal(tiny_base_size(live), size);
            tiny_mark_live(tiny_chunk(), live, size - slack);
            assert_int_equal(*tiny_state(tiny_chunk()), tiny_state_of(STATE_LIVE, slack));
            assert_true(tiny_has_size(*tiny_state(tiny_chunk()), live, size - slack));
            assert_false(tiny_has_size(*tiny_state(tiny_chunk()), live, size));
            assert_false(tiny_has_size(*tiny_state(tiny_chunk()), live, size - slack + 256));
        } else {
            uint32_t seen;

            small_mark_live(small_chunk(), live, size - slack);
            seen = *small_state(small_chunk());
            assert_int_equal(seen, small_state_of(STATE_LIVE, size_class, small_chunk(), slack));
            assert_true(small_has_size(seen, live, small_chunk(), size - slack));
            assert_false(small_has_size(seen, live, small_chunk(), size));
            assert_false(small_has_size(seen, live, small_chunk() + CHUNK_ALIGN, size - slack));
        }
    }
}

/* Changes the kind of each of the two chunks, and looks at what is stored then. */
static void turn(unsigned from, unsigned to, memory_order order)
{
    uint8_t tiny = tiny_state_of(from, 29);
    uint32_t small = small_state_of(from, SOME_SMALL_CLASS, small_chunk(), 1029);

    atomic_store(tiny_state(tiny_chunk()), tiny);
    tiny_turn(tiny_chunk(), tiny, from, to, order);
    assert_int_equal(*tiny_state(tiny_chunk()), tiny_state_of(to, 29));
    atomic_store(small_state(small_chunk()), small);
    small_turn(small_chunk(), small, from, to, order);
    assert_int_equal(*small_state(small_chunk()),
                     small_state_of(to, SOME_SMALL_CLASS, small_chunk(), 1029));
}

static void rewrite(unsigned from, unsigned to)
{
    tiny_rewrite(tiny_chunk(), from, to, 30);
    assert_int_equal(*tiny_state(tiny_chunk()), tiny_state_of(to, 30));
    small_rewrite(small_chunk(), from, to, SOME_SMALL_CLASS, 1030);
    assert_int_equal(*small_state(small_chunk()),
                     small_state_of(to, SOME_SMALL_CLASS, small_chunk(), 1030));
}

static void test_each_change_of_the_table_changes_the_kind_only(void **state)
{
    uint8_t *bytes = pointer_to(heap);

    (void)state;
    for (unsigned from = 0; from < KINDS; from++)
        for (unsigned to = 0; to < KINDS; to++)
            if (allowed[from][to]) {
                rewrite(from, to);
                if (from == STATE_NONE)
                    continue;
                turn(from, to, memory_order_relaxed);
                turn(from, to, memory_order_release);
            }
    /* Nothing beside the two states was written to. */
    atomic_store(tiny_state(tiny_chunk()), 0);
    small_forget(small_chunk());
    assert_int_equal(*small_state(small_chunk()), 0);
    for (size_t at = 0; at < SMALL_HEAP_SIZE; at++)
        if (bytes[at] != 0)
            fail_msg("byte %zu was written to", at);
}

/* Any change, by one of the four functions. The first two change no state that is NONE. */
struct any_change {
    unsigned from, to, function;
};

enum { TURNS = 2, FUNCTIONS = 4 };

static void change(void *argument)
{
    const struct any_change *it = argument;
    uint8_t tiny = tiny_state_of(it->from, 1);
    uint32_t small = small_state_of(it->from, SOME_SMALL_CLASS, small_chunk(), 1);

    switch (it->function) {
    case 0:
        tiny_turn(tiny_chunk(), tiny, it->from, it->to, memory_order_relaxed);
        break;
    case 1:
        small_turn(small_chunk(), small, it->from, it->to, memory_order_relaxed);
        break;
    case 2:
        tiny_rewrite(tiny_chunk(), it->from, it->to, 1);
        break;
    default:
        small_rewrite(small_chunk(), it->from, it->to, SOME_SMALL_CLASS, 1);
        break;
    }
}

static void test_each_other_change_ends_the_process(void **state)
{
    struct unit_end end;

    (void)state;
    for (unsigned from = 0; from < KINDS; from++)
        for (unsigned to = 0; to < KINDS; to++)
            for (unsigned function = 0; function < FUNCTIONS; function++) {
                struct any_change it = {from, to, function};

                unit_in_child(change, &it, &end);
                if (allowed[from][to] && (from != STATE_NONE || function >= TURNS))
                    assert_int_equal(end.exit_code, 0);
                else if (end.signal != SIGILL && end.signal != SIGTRAP)
                    fail_msg("%u to %u by function %u was not refused", from, to, function);
            }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_table_is_the_one_that_the_code_checks),
        cmocka_unit_test(test_a_tiny_state_returns_what_was_stored),
        cmocka_unit_test(test_small_tests_tell_the_kinds_apart),
        cmocka_unit_test(test_handing_out_stores_the_size),
        cmocka_unit_test(test_each_change_of_the_table_changes_the_kind_only),
        cmocka_unit_test(test_each_other_change_ends_the_process),
    };
    return cmocka_run_group_tests(tests, map_heap, NULL);
}
