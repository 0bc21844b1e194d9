/*
 * What is at an address: each verdict in each zone, for every address around a chunk; any value
 * whatever; and while other threads make heaps and LARGE chunks and give them back.
 */
#include "unit/hardened.h"

#include "arena/lookup.h"
#include "bins/empty.h"
#include "large/large.h"
#include "os/os.h"
#include "support/prefixed.h"

#include <pthread.h>

/* Asks each look-up, whose answers must fit each other. */
static enum verdict ask(uintptr_t address, struct chunk *chunk)
{
    struct chunk live, in_heap;
    enum verdict verdict = lookup_any(address, chunk);

    REQUIRE(lookup_live(address, &live) == (verdict == CHUNK_LIVE), "%zx", (size_t)address);
    if (verdict == CHUNK_LIVE)
        REQUIRE(live.start == chunk->start && live.zone == chunk->zone &&
                    live.requested == chunk->requested && live.usable == chunk->usable,
                "two descriptions of %zx", (size_t)address);
    if (heap_map_tag(address) == TAG_NONE)
        REQUIRE(lookup_in_heaps(address, &in_heap) == CHUNK_FOREIGN, "%zx", (size_t)address);
    else
        REQUIRE(lookup_in_heaps(address, &in_heap) == verdict, "%zx", (size_t)address);
    return verdict;
}

static void expect(uintptr_t address, enum verdict verdict, enum zone zone, uintptr_t start,
                   size_t requested)
{
    struct chunk chunk;
    enum verdict answer = ask(address, &chunk);

    if (answer != verdict)
        fail_msg("%zx: %d instead of %d", (size_t)address, (int)answer, (int)verdict);
    assert_int_equal(chunk.zone, zone);
    if (verdict == CHUNK_NONE || verdict == CHUNK_FOREIGN)
        return;
    assert_int_equal(chunk.start, start);
    assert_int_equal(chunk.requested, requested);
}

/* Each address in a chunk of a heap, live and then freed. */
static void check_in_heap(size_t size, enum zone zone)
{
    struct arena *arena = unit_arena();
    char *pointer = unit_alloc(arena, size);
    uintptr_t start = (uintptr_t)pointer;
    size_t usable = unit_chunk(pointer).usable;
    struct chunk chunk;

    expect(start, CHUNK_LIVE, zone, start, size);
    assert_int_equal(ask(start, &chunk), CHUNK_LIVE);
    assert_ptr_equal(chunk.arena, arena);
    assert_int_equal(chunk.kind, STATE_LIVE);
    for (size_t offset = 1; offset < usable; offset++)
        expect(start + offset, CHUNK_INTERIOR, zone, start, size);
    /* In a stack, and not in its slab, which would go. */
    if (stack_limit(&cache_first(arena)->stacks.of[chunk.size_class]) == 0)
        cache_first(arena)->stacks.of[chunk.size_class].end++;
    unit_free(arena, pointer);
    expect(start, CHUNK_FREED, zone, start, size);
    for (size_t offset = 1; offset < usable; offset++)
        expect(start + offset, CHUNK_NONE, zone, 0, 0);
    /* The heap's own header, and a unit that has no slab. */
    expect((uintptr_t)chunk_heap(&chunk), CHUNK_NONE, zone, 0, 0);
    expect(chunk_heap(&chunk)->base, CHUNK_NONE, zone, 0, 0);
    expect(chunk_heap(&chunk)->base + (uintptr_t)(heap_units(chunk_heap(&chunk)) - 1) * UNIT_SIZE,
           CHUNK_NONE, zone, 0, 0);
}

static void test_tiny_and_small(void **state)
{
    (void)state;
    check_in_heap(1, ZONE_TINY);
    check_in_heap(100, ZONE_TINY);
    check_in_heap(TINY_MAX, ZONE_TINY);
    check_in_heap(TINY_MAX + 1, ZONE_SMALL);
    check_in_heap(20000, ZONE_SMALL);
    check_in_heap(SMALL_MAX, ZONE_SMALL);
}

static void test_a_chunk_on_its_way_home_is_freed(void **state)
{
    (void)state;
    void *pointer = unit_alloc(unit_arena(), 100);
    struct chunk chunk = unit_chunk(pointer);

    chunk_mark(&chunk, STATE_REMOTE);
    expect(chunk.start, CHUNK_FREED, ZONE_TINY, chunk.start, 100);
    assert_int_equal(ask(chunk.start, &chunk), CHUNK_FREED);
    assert_int_equal(chunk.kind, STATE_REMOTE);
}

static void test_large(void **state)
{
    (void)state;
    enum { SIZE = 1 << 20 };
    bool clean;
    uintptr_t start = (uintptr_t)large_alloc(SIZE, 1, &clean);

    assert_int_not_equal(start, 0);
    expect(start, CHUNK_LIVE, ZONE_LARGE, start, SIZE);
    expect(start + 1, CHUNK_INTERIOR, ZONE_LARGE, start, SIZE);
    expect(start + SIZE - 1, CHUNK_INTERIOR, ZONE_LARGE, start, SIZE);
    /* Freed, it waits in the cache; then its mapping goes, and only its address is known. */
    assert_int_equal(large_free(start, true), LARGE_FREED);
    expect(start, CHUNK_FREED, ZONE_LARGE, start, SIZE);
    large_trim();
    expect(start, CHUNK_GONE, ZONE_LARGE, start, SIZE);
    expect(start + 1, CHUNK_FOREIGN, ZONE_LARGE, 0, 0);
}

static void test_what_is_not_ours(void **state)
{
    static char data[64];
    char local = 0;
    static const uintptr_t values[] = {
        0, 1, 15, 16, 4096, (uintptr_t)1 << 46, UINTPTR_MAX, UINTPTR_MAX - 15, (uintptr_t)1 << 63};

    (void)state;
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++)
        expect(values[i], CHUNK_FOREIGN, ZONE_LARGE, 0, 0);
    expect((uintptr_t)data, CHUNK_FOREIGN, ZONE_LARGE, 0, 0);
    expect((uintptr_t)&local, CHUNK_FOREIGN, ZONE_LARGE, 0, 0);
    expect((uintptr_t)ask, CHUNK_FOREIGN, ZONE_LARGE, 0, 0);
}

static void a_large_chunk_in_a_heap(void *unused)
{
    struct arena *arena = unit_arena();
    unsigned units = (1 << 20) / UNIT_SIZE, first;
    struct heap *heap = unit_take_units(&arena->small, units, &first);
    uintptr_t hole = heap->base + (uintptr_t)first * UNIT_SIZE;
    enum { SIZE = 1000 * 1000 };
    struct chunk chunk;
    bool clean;

    (void)unused;
    /* As when the kernel has unmapped a range that it then fails to map anew. */
    REQUIRE(os_unmap(pointer_to(hole), (size_t)units * UNIT_SIZE), "cannot unmap");
    for (unsigned tries = 0; tries < 1000; tries++)
        if ((uintptr_t)large_alloc(SIZE, UNIT_SIZE, &clean) == hole)
            break;
    REQUIRE(large_find(hole, &(struct large_info){0}), "no LARGE chunk came into the hole");
    REQUIRE(lookup_live(hole, &chunk) && chunk.zone == ZONE_LARGE && chunk.requested == SIZE,
            "it is not found");
    REQUIRE(lookup_any(hole, &chunk) == CHUNK_LIVE && chunk.zone == ZONE_LARGE, "it is not known");
    REQUIRE(large_free(hole, true) == LARGE_FREED, "it is not freed");
    REQUIRE(lookup_any(hole, &chunk) == CHUNK_FREED && chunk.zone == ZONE_LARGE, "it is not freed");
}

static void test_a_large_chunk_in_a_hole_of_a_heap(void **state)
{
    (void)state;
    assert_true(unit_child_succeeds(a_large_chunk_in_a_heap, NULL));
}

static void chunks_of_no_bytes(void *unused)
{
    uintptr_t address = (uintptr_t)empty_alloc(1);
    struct chunk chunk;

    (void)unused;
    REQUIRE(address != 0, "no memory");
    REQUIRE(lookup_live(address, &chunk) && chunk.start == address && chunk.usable == 0, "live");
    REQUIRE(lookup_any(address, &chunk) == CHUNK_LIVE && chunk.zone == ZONE_TINY, "live");
    REQUIRE(lookup_any(address + 3, &chunk) == CHUNK_INTERIOR && chunk.start == address, "inside");
    REQUIRE(empty_free(address), "free");
    REQUIRE(!lookup_live(address, &chunk), "it was freed");
    REQUIRE(lookup_any(address, &chunk) == CHUNK_FREED && chunk.requested == 0, "freed");
    REQUIRE(lookup_any(address + 3, &chunk) == CHUNK_FOREIGN, "inside what was freed");
}

static void test_chunks_of_no_bytes(void **state)
{
    (void)state;
    run(chunks_of_no_bytes);
}

/* Chunks of all zones that come and go, with their heaps and mappings. */
struct coming_and_going {
    _Atomic(char *) chunk;
    _Atomic bool end;
};

static void *come_and_go(void *argument)
{
    struct coming_and_going *shared = argument;
    static const size_t sizes[] = {16, 500, 5000, 200000, 1 << 20};

    for (unsigned round = 0; !atomic_load(&shared->end); round++) {
        char *chunk = ft_malloc(sizes[round % (sizeof sizes / sizeof sizes[0])]);

        REQUIRE(chunk != NULL, "no memory");
        atomic_store(&shared->chunk, chunk);
        ft_free(chunk);
        if (round % 64 == 0)
            large_trim();
    }
    return NULL;
}

static void test_any_value_while_others_allocate(void **state)
{
    enum { ROUNDS = 20000 };
    static struct coming_and_going shared;
    struct chunk own, chunk;
    char *kept = ft_malloc(300);
    pthread_t thread;

    (void)state;
    atomic_store(&shared.chunk, kept);
    assert_int_equal(pthread_create(&thread, NULL, come_and_go, &shared), 0);
    for (uintptr_t round = 0; round < ROUNDS; round++) {
        uintptr_t theirs = (uintptr_t)atomic_load(&shared.chunk) + round % 40;

        /* Any verdict may be right, but the description must fit it. */
        if (lookup_any(theirs, &chunk) == CHUNK_INTERIOR)
            REQUIRE(chunk.start < theirs && theirs < chunk.start + chunk.usable, "not inside");
        (void)lookup_any(round * UINT64_C(0x9e3779b97f4a7c15), &chunk);
        REQUIRE(lookup_live((uintptr_t)kept, &own) && own.requested == 300, "ours is lost");
    }
    atomic_store(&shared.end, true);
    assert_int_equal(pthread_join(thread, NULL), 0);
    ft_free(kept);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tiny_and_small),
        cmocka_unit_test(test_a_chunk_on_its_way_home_is_freed),
        cmocka_unit_test(test_large),
        cmocka_unit_test(test_what_is_not_ours),
        cmocka_unit_test(test_a_large_chunk_in_a_hole_of_a_heap),
        cmocka_unit_test(test_chunks_of_no_bytes),
        cmocka_unit_test(test_any_value_while_others_allocate),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
