/*
 * The repair after a fork, for arenas whose threads were interrupted anywhere. The test destroys
 * everything on purpose except states and slab identities.
 */
#include "unit/sizes.h"
#include "unit/unit.h"

#include "arena/fork.h"
#include "arena/pool.h"
#include "support/pattern.h"
#include "support/require.h"

#include <pthread.h>
#include <string.h>

enum { CHUNKS = 600 };

static void repair(struct arena *arena)
{
    atomic_store(&arena->damaged, true);
    pthread_mutex_lock(&arena->lock);
    arena_repair(arena);
    pthread_mutex_unlock(&arena->lock);
    assert_false(atomic_load(&arena->damaged));
}

/*
 * Destroys what a thread could have been changing. Only states and slab identities stay as they
 * were.
 */
static void break_heaps(struct heap_set *set)
{
    for (struct heap *heap = set->heaps; heap != NULL; heap = heap->next) {
        memset(heap->vacant, 0x5a, sizeof heap->vacant);
        memset(heap->dirty, 0, sizeof heap->dirty);
        memset(heap->aged, 0xff, sizeof heap->aged);
        memset(heap->free_numbers, 0, sizeof heap->free_numbers);
        heap->free_units = 77777;
        heap->next_open = heap->prev_open = heap->prev =
            (struct heap *)16; // NOLINT: not to be followed
        for (unsigned unit = heap_first_unit(heap); unit < heap_units(heap); unit++) {
            uintptr_t at = heap->base + (uintptr_t)unit * UNIT_SIZE;
            struct slab *slab = set->small ? small_slab(at) : tiny_slab(at);

            if (slab == NULL)
                continue;
            memset(slab->vacant, 0xa5,
                   (size_classes[slab->size_class].chunks + 63U) / 64 * sizeof slab->vacant[0]);
            slab->free = 12345;
            slab->next = slab->prev = (struct slab *)16; // NOLINT: not to be followed
            slab->place = SLAB_CURRENT;
        }
    }
    set->open = set->idle = (struct heap *)16; // NOLINT: not to be followed
}

static void break_arena(struct arena *arena)
{
    for (unsigned size_class = 0; size_class < SIZE_CLASSES; size_class++) {
        arena->bins.of[size_class].current = arena->bins.of[size_class].partial =
            (struct slab *)16;                                // NOLINT
        arena->bins.of[size_class].spare = (struct slab *)16; // NOLINT
    }
    break_heaps(&arena->tiny);
    break_heaps(&arena->small);
    arena->unpacking = (struct parcel *)16; // NOLINT
}

static void break_everything(struct arena *arena)
{
    break_arena(arena);
    for (unsigned size_class = 0; size_class < SIZE_CLASSES; size_class++)
        cache_first(arena)->stacks.of[size_class].top =
            cache_first(arena)->stacks.of[size_class].slots;
    for (unsigned i = 0; i < OUTGOING; i++)
        cache_first(arena)->outgoing[i] = (struct outgoing){.tag = arena->tiny_tag,
                                                            .parcel = (struct parcel *)16,
                                                            .next = (uintptr_t *)16}; // NOLINT
}

static void fill(struct arena *arena, char **chunks)
{
    for (size_t n = 0; n < CHUNKS; n++) {
        chunks[n] = unit_alloc(arena, size_of(n));
        pattern_write(chunks[n], 0, size_of(n), n);
    }
    for (size_t n = 0; n < CHUNKS; n++) {
        struct chunk chunk = unit_chunk(chunks[n]);

        if (n % 5 == 1)
            unit_free(arena, chunks[n]);
        else if (n % 5 == 2)
            chunk_mark(&chunk, STATE_REMOTE); /* these chunks were in a parcel, which is lost */
        else if (n % 5 == 3)
            chunk_mark(&chunk, STATE_FREE); /* freed, but not yet in any list */
    }
}

static bool survives(size_t n)
{
    return n % 5 == 0 || n % 5 == 4;
}

static void check_survivors(char **chunks)
{
    for (size_t n = 0; n < CHUNKS; n++)
        if (survives(n)) {
            assert_int_equal(unit_chunk(chunks[n]).kind, STATE_LIVE);
            assert_int_equal(unit_chunk(chunks[n]).requested, size_of(n));
            assert_int_equal(pattern_mismatch(chunks[n], size_of(n), n), size_of(n));
        }
}

static void use_and_empty(struct arena *arena, char **chunks)
{
    static void *more[2 * CHUNKS];

    check_survivors(chunks);
    assert_int_equal(unit_count_state(arena, STATE_REMOTE), 0);
    for (size_t n = 0; n < sizeof more / sizeof more[0]; n++)
        memset(more[n] = unit_alloc(arena, size_of(n)), 0xdd, size_of(n));
    check_survivors(chunks);
    for (size_t n = 0; n < sizeof more / sizeof more[0]; n++)
        unit_free(arena, more[n]);
    for (size_t n = 0; n < CHUNKS; n++)
        if (survives(n))
            unit_free(arena, chunks[n]);
    unit_trim(arena);
    assert_null(arena->tiny.heaps);
    assert_null(arena->small.heaps);
}

static void test_an_arena_is_rebuilt_from_its_states(void **state)
{
    (void)state;
    struct arena *arena = unit_arena();
    char *chunks[CHUNKS];

    fill(arena, chunks);
    break_everything(arena);
    repair(arena);
    use_and_empty(arena, chunks);
}

static void test_only_lost_chunks_of_the_survivor_are_collected(void **state)
{
    (void)state;
    struct arena *arena = unit_arena();
    char *chunks[CHUNKS];

    fill(arena, chunks);
    /* These are in no list, which is impossible in a sound arena. */
    for (size_t n = 3; n < CHUNKS; n += 5) {
        struct chunk chunk = unit_chunk(chunks[n]);

        stack_free(&cache_first(arena)->stacks.of[chunk.size_class], chunks[n]);
    }
    atomic_store(&arena->survivor, true);
    repair(arena);
    use_and_empty(arena, chunks);
}

static void test_a_repaired_arena_can_survive_the_next_fork(void **state)
{
    (void)state;
    struct arena *arena = unit_arena();
    char *chunks[CHUNKS];

    fill(arena, chunks);
    break_everything(arena);
    repair(arena);
    /*
     * The first repair has freed the REMOTE chunks that it found. The second must not free them
     * again.
     */
    atomic_store(&arena->survivor, true);
    repair(arena);
    use_and_empty(arena, chunks);
}

static void test_a_heap_can_be_unmapped_after_a_repair(void **state)
{
    (void)state;
    struct arena *arena = unit_arena();
    char *chunks[300];

    for (size_t n = 0; n < 300; n++)
        chunks[n] = unit_alloc(arena, SMALL_MAX);
    assert_true(unit_count_heaps(&arena->small) >= 3);
    break_everything(arena);
    repair(arena);
    /* The list ends with the heap that was mapped first. */
    for (size_t n = 0; n < 300; n++) {
        size_t heaps = 0;

        unit_free(arena, chunks[n]);
        if (n % 50 == 0)
            unit_trim(arena);
        for (struct heap *heap = arena->small.heaps, *before = NULL; heap != NULL;
             before = heap, heap = heap->next) {
            assert_ptr_equal(heap->prev, before);
            heaps++;
        }
        assert_true(heaps <= 3);
    }
    unit_trim(arena);
    assert_null(arena->small.heaps);
}

static void test_nothing_ages_during_a_repair(void **state)
{
    (void)state;
    struct arena *arena = unit_arena();

    /*
     * Empty slabs are returned to their heap while others are not claimed yet, so nothing may be
     * purged then.
     */
    for (unsigned n = 0; n < 20; n++) {
        struct chunk tiny = unit_chunk(unit_alloc(arena, TINY_MAX)),
                     small = unit_chunk(unit_alloc(arena, 20000));

        chunk_mark(&tiny, STATE_FREE);
        chunk_mark(&small, STATE_FREE);
    }
    arena->bins.next_tick = 0;
    repair(arena);
    for (unsigned word = 0; word < UNIT_WORDS; word++) {
        assert_int_equal(arena->tiny.heaps->aged[word], 0);
        assert_int_equal(arena->small.heaps->aged[word], 0);
    }
}

static void test_a_longer_stack_is_used_whole_after_a_repair(void **state)
{
    (void)state;
    struct arena *arena = unit_arena();
    struct stack *stack = &cache_first(arena)->stacks.of[0],
                 *next = &cache_first(arena)->stacks.of[1];
    void *chunks[200], **before = stack->slots;

    assert_true(stack_limit(stack) < stack_limit_max(stack));
    for (size_t n = 0; n < 200; n++)
        chunks[n] = unit_alloc(arena, 16);
    while (stack_count(next) == 0)
        unit_alloc(arena, 32);
    /*
     * The fork happens between the two stores that lengthen the stack, in the order that must not
     * be visible.
     */
    stack->slots = before;
    stack->end = before + stack_limit_max(stack);
    repair(arena);
    for (size_t n = 0; n < 200; n++)
        unit_free(arena, chunks[n]);
    assert_true(stack->slots != before || stack_count(stack) <= (unsigned)(next->slots - before));
}

/* The thread that forked made no slow call in the child before it ended. */
static void end_before_the_repair(void *argument)
{
    struct arena *arena = unit_arena();
    struct cache *cache = cache_first(arena);
    char *chunks[CHUNKS];
    size_t survivors = 0;

    (void)argument;
    fill(arena, chunks);
    break_arena(arena);
    atomic_store(&arena->damaged, ARENA_DAMAGED);
    pool_put(cache);
    for (unsigned size_class = 0; size_class < SIZE_CLASSES; size_class++)
        REQUIRE(stack_count(&cache->stacks.of[size_class]) == 0, "class %u", size_class);
    arena_lock(arena);
    arena_repair(arena);
    arena_unlock(arena);
    for (size_t n = 0; n < CHUNKS; n++)
        survivors += survives(n);
    REQUIRE(unit_count_state(arena, STATE_LIVE) == survivors, "live chunks");
    REQUIRE(unit_count_state(arena, STATE_REMOTE) == 0, "marks");
}

static void test_a_thread_ends_before_the_repair(void **state)
{
    (void)state;
    assert_true(unit_child_succeeds(end_before_the_repair, NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_arena_is_rebuilt_from_its_states),
        cmocka_unit_test(test_only_lost_chunks_of_the_survivor_are_collected),
        cmocka_unit_test(test_a_repaired_arena_can_survive_the_next_fork),
        cmocka_unit_test(test_a_heap_can_be_unmapped_after_a_repair),
        cmocka_unit_test(test_a_thread_ends_before_the_repair),
        cmocka_unit_test(test_nothing_ages_during_a_repair),
        cmocka_unit_test(test_a_longer_stack_is_used_whole_after_a_repair),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
