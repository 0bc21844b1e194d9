/*
 * Where heaps are mapped: between guards, whatever their neighbours do; smaller ones under a limit;
 * at random places in hardened mode. And what may be mapped in the part of a heap's aligned range
 * that is behind its end.
 */
#include "unit/space.h"
#include "unit/unit.h"

#include "base/bits.h"
#include "base/options.h"
#include "bins/heap_steps.h"
#include "bins/space.h"
#include "large/large.h"
#include "os/os.h"
#include "support/pattern.h"
#include "support/prefixed.h"
#include "support/require.h"
#include "support/sanitized.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { HEAPS = 24 };

static void touch(void *argument)
{
    *(volatile char *)argument = 1;
}

static void require_deadly(uintptr_t address)
{
    struct unit_end end;

    unit_in_child(touch, (void *)address, &end);
    /* A sanitizer catches the access and exits. */
    REQUIRE(end.signal == SIGSEGV || (sanitized && end.exit_code > 0), "%lx can be written to",
            address);
}

static void write_around(const struct heap_set *set)
{
    for (const struct heap *heap = set->heaps; heap != NULL; heap = heap->next) {
        require_deadly(heap->base - 1);
        require_deadly(end_of(heap));
        touch((void *)(end_of(heap) - 1)); // NOLINT: an address becomes a pointer
    }
}

static void take_and_give_heaps(struct heap_set *set, bool deadly)
{
    struct heap *heaps[HEAPS];

    for (unsigned n = 0; n < HEAPS; n++)
        heaps[n] = unit_take_heap(set);
    check_guards(set);
    if (deadly)
        write_around(set);
    /* Neighbours are unmapped, and new heaps get their places. */
    for (unsigned n = 0; n < HEAPS; n += 2)
        unit_give_heap(heaps[n]);
    (void)heap_set_trim(set);
    REQUIRE(unit_count_heaps(set) == HEAPS / 2, "heaps that nobody uses are still there");
    check_guards(set);
    if (deadly)
        write_around(set);
    for (unsigned n = 0; n < HEAPS; n += 4)
        unit_take_heap(set);
    /* Only heaps' memory is unmapped here, and the guards stay. */
    for (unsigned n = 1; n < HEAPS; n += 2)
        unit_give_units(heaps[n], heap_units(heaps[n]) - 9, 9);
    (void)heap_set_trim(set);
    check_guards(set);
    unit_forget_heaps(set);
    for (const struct heap *heap = set->heaps; heap != NULL; heap = heap->next)
        REQUIRE(heap->free_units == heap_units(heap) - heap_first_unit(heap) - heap->guard_units,
                "not all of it is free");
}

static void check_tiny_and_small(void *argument)
{
    struct arena *arena = unit_arena();

    take_and_give_heaps(&arena->tiny, *(bool *)argument);
    take_and_give_heaps(&arena->small, *(bool *)argument);
}

static void test_every_heap_has_guards(void **state)
{
    (void)state;
    bool deadly = true;

    assert_true(unit_child_succeeds(check_tiny_and_small, &deadly));
}

static void check_hardened(void *argument)
{
    struct arena *arena = unit_arena();
    uintptr_t last = 0;
    unsigned far = 0;

    options.harden = true;
    check_tiny_and_small(argument);
    for (unsigned n = 0; n < HEAPS; n++) {
        uintptr_t base = unit_take_heap(n % 2 == 0 ? &arena->tiny : &arena->small)->base;

        REQUIRE(base >> ADDRESS_BITS == 0, "beyond what the heap map covers");
        far += (base > last ? base - last : last - base) >> 36 != 0;
        last = base;
    }
    /* Sanitizers keep most of the address space for themselves. */
    REQUIRE(sanitized || far > HEAPS / 2, "only %u heaps are far from the one before", far);
}

static void test_hardened_heaps_have_random_places(void **state)
{
    (void)state;
    bool deadly = false;

    assert_true(unit_child_succeeds(check_hardened, &deadly));
}

static void *free_all_four(void *argument)
{
    for (void **pointer = argument; *pointer != NULL; pointer++)
        ft_free(*pointer);
    return NULL;
}

static void free_elsewhere(void **pointers)
{
    pthread_t thread;

    REQUIRE(pthread_create(&thread, NULL, free_all_four, pointers) == 0, "no thread");
    REQUIRE(pthread_join(thread, NULL) == 0, "cannot join");
}

/* Returns a chunk in [base, end), or NULL after `most` attempts. */
static char *chunk_in_range(uintptr_t base, uintptr_t end, size_t size, unsigned most)
{
    while (most-- > 0) {
        char *chunk = ft_malloc(size);

        REQUIRE(chunk != NULL, "no memory");
        if ((uintptr_t)chunk >= base && (uintptr_t)chunk < end)
            return chunk;
    }
    return NULL;
}

/* Every call knows the chunk. It is freed here, and by a thread that has another arena. */
static void use_in_range(uintptr_t base, uintptr_t end, size_t size)
{
    char *chunks[5] = {NULL};

    for (unsigned n = 0; n < 4; n++) {
        chunks[n] = chunk_in_range(base, end, size, 100000);
        REQUIRE(chunks[n] != NULL, "no chunk of %zu bytes lies there", size);
        REQUIRE(ft_malloc_usable_size(chunks[n]) >= size, "the size of a chunk");
        pattern_write(chunks[n], 0, size, n);
    }
    ft_free(chunks[0]);
    chunks[1] = ft_realloc(chunks[1], size - 3);
    REQUIRE(chunks[1] != NULL && pattern_mismatch(chunks[1], size - 3, 1) == size - 3, "realloc");
    ft_free(chunks[1]);
    free_elsewhere((void **)&chunks[2]);
}

/* Makes a hole for one SMALL heap and nothing else. The kernel fills the highest hole first. */
static uintptr_t make_hole(void)
{
    char *around = os_reserve(3 * (size_t)SMALL_HEAP_SIZE);
    uintptr_t hole = round_up((uintptr_t)around + os_page_size(), SMALL_HEAP_SIZE);

    REQUIRE(around != NULL, "no address space");
    REQUIRE(os_unmap((char *)(hole - os_page_size()), os_page_size() + SMALL_HEAP_SIZE), // NOLINT
            "munmap failed");
    return hole;
}

/*
 * The last page of the heap's range in the heap map does not belong to the heap. A LARGE chunk that
 * begins there is a LARGE chunk.
 */
static void use_last_page(const struct heap *heap, uintptr_t lowest)
{
    enum { LENGTH = 320 << 10 };
    uintptr_t last = heap->base + heap->size - os_page_size();
    void *chunks[2] = {NULL};

    REQUIRE(os_map_at((char *)(last + LENGTH), lowest - (last + LENGTH)),
            "the place is taken"); // NOLINT
    chunks[0] = chunk_in_range(last, last + 1, LENGTH, 1000);
    REQUIRE(chunks[0] != NULL, "no chunk on the last page");
    REQUIRE(heap_map_tag(last) == TAG_NONE, "the heap's tag covers its last page");
    REQUIRE(ft_malloc_usable_size(chunks[0]) == LENGTH, "the size of a chunk");
    free_elsewhere(chunks);
    ft_free(chunk_in_range(last, last + 1, LENGTH, 1000));
}

static void *share_a_range(void *argument)
{
    uintptr_t base = make_hole();
    char *small, *tiny, *large;
    struct heap *heap;

    (void)argument;
    use_up_first_mapping();
    unit_limit(unit_address_space() + (20 << 20));
    small = ft_malloc(5000);
    unit_limit(SIZE_MAX);
    REQUIRE(small != NULL && (uintptr_t)small / SMALL_HEAP_SIZE == base / SMALL_HEAP_SIZE,
            "not in the hole");
    heap = heap_at(base, TAG_SMALL);
    REQUIRE(heap->base == base && heap->size < SMALL_HEAP_SIZE, "not a part of a heap");
    tiny = chunk_in_range(base + heap->size, base + SMALL_HEAP_SIZE, TINY_MAX, 100000);
    REQUIRE(tiny != NULL && unit_chunk(tiny).zone == ZONE_TINY, "no TINY heap in its range");
    use_in_range(base + heap->size, base + SMALL_HEAP_SIZE, 100);
    use_in_range(base + heap->size, base + SMALL_HEAP_SIZE, (size_t)300 << 10);
    large = chunk_in_range(base + heap->size, base + SMALL_HEAP_SIZE, (size_t)1 << 20, 100);
    REQUIRE(large != NULL, "no LARGE chunk in its range");
    use_last_page(heap, (uintptr_t)large);
    REQUIRE(unit_chunk(small).kind == STATE_LIVE, "the chunk of the SMALL heap");
    return NULL;
}

static void share_a_range_in_a_thread(void *argument)
{
    pthread_t thread;

    (void)argument;
    /* So that the new thread's arena has no heap yet. */
    ft_free(ft_malloc(1));
    REQUIRE(pthread_create(&thread, NULL, share_a_range, NULL) == 0, "no thread");
    REQUIRE(pthread_join(thread, NULL) == 0, "cannot join");
}

static void test_behind_the_end_of_a_heap_there_may_be_others(void **state)
{
    (void)state;
    /* The test knows where this kernel maps next; os/larger_pages.c maps elsewhere. */
    if (sanitized || os_page_size() != (size_t)sysconf(_SC_PAGESIZE))
        skip();
    assert_true(unit_child_succeeds(share_a_range_in_a_thread, NULL));
}

/*
 * Maps a heap while a call fails, and with `sticky` all later ones, too. Either there is a heap or
 * there is none, and nothing is left over. Returns true if there was one.
 */
static bool map_while_failing(size_t wanted, unsigned long call, bool sticky)
{
    size_t before = unit_address_space(), committed = wanted;
    uintptr_t base;

    os_fail_after(call, sticky);
    base = space_map_heap(TINY_HEAP_SIZE, TINY_HEAP_SIZE, &committed);
    if (sticky)
        os_fail_after(0, false);
    REQUIRE(base == 0 || space_unmap_heap(base, TINY_HEAP_SIZE) ||
                space_unmap_heap(base, TINY_HEAP_SIZE),
            "it cannot go");
    os_fail_after(0, false);
    /* What could not be unmapped is unmapped together with the next request. */
    committed = wanted;
    REQUIRE(space_unmap_heap(space_map_heap(TINY_HEAP_SIZE, TINY_HEAP_SIZE, &committed),
                             TINY_HEAP_SIZE),
            "munmap");
    REQUIRE(unit_address_space() <= before + 4 * os_page_size(), "call %lu left something over",
            call);
    return base != 0;
}

/* How many of the first calls for a heap can each fail alone, or with all later ones. */
enum { CALLS_THAT_FAIL = 20 };

/* Returns how many heaps were mapped while one call failed in turn. */
static unsigned fail_each_call(size_t wanted, bool sticky)
{
    unsigned heaps = 0;

    for (unsigned long call = 1; call <= CALLS_THAT_FAIL; call++)
        heaps += map_while_failing(wanted, call, sticky);
    return heaps;
}

static void fail_heaps(void *argument)
{
    const size_t part = (size_t)TINY_COMMITTED * UNIT_SIZE;
    struct arena *arena = unit_arena();
    unsigned heaps;

    (void)argument;
    use_up_first_mapping();
    unit_take_heap(&arena->tiny);
    for (unsigned whole = 0; whole < 2; whole++) {
        size_t wanted = whole ? TINY_HEAP_SIZE : part;

        /* Another place is tried, except for a whole heap if the first failure left something. */
        heaps = fail_each_call(wanted, false);
        REQUIRE(heaps == CALLS_THAT_FAIL || (whole && heaps > CALLS_THAT_FAIL / 2),
                "one failure refuses a heap: %u were mapped", heaps);
        heaps = fail_each_call(wanted, true);
        REQUIRE(heaps > 0 && heaps < CALLS_THAT_FAIL, "%u heaps were mapped", heaps);
        REQUIRE(!map_while_failing(wanted, 1, true), "memory from nowhere");
    }
    check_guards(&arena->tiny);
}

static void test_a_failed_call_leaves_nothing_behind(void **state)
{
    (void)state;
    assert_true(unit_child_succeeds(fail_heaps, NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_heap_has_guards),
        cmocka_unit_test(test_hardened_heaps_have_random_places),
        cmocka_unit_test(test_behind_the_end_of_a_heap_there_may_be_others),
        cmocka_unit_test(test_a_failed_call_leaves_nothing_behind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
