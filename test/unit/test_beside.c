/*
 * Checks of the free memory beside a chunk that is being freed. A write there is found on both
 * sides, wherever the chunk is in its slab. Neighbours that are live, or that another thread has
 * freed, are left alone. Each test runs in a child process.
 */
#include "unit/hardened.h"

#include "bins/beside.h"
#include "bins/heap_pages.h"
#include "os/os.h"

/*
 * One size of each kind: two chunks fit into the checked bytes, one fits, the last chunk has a
 * remainder behind it, and one SMALL size.
 */
static const size_t sizes[] = {1, 8, 24, 40, 100, 500, 959, 1023, 3000, 4096, 30000, 100000};
enum { SIZES = sizeof sizes / sizeof *sizes };

static enum beside look(const char *chunk)
{
    return beside_look((uintptr_t)chunk, unit_chunk(chunk).usable);
}

static void write_and_look(char *chunk, ptrdiff_t at, enum beside expected)
{
    enum beside found;

    chunk[at] ^= 0x55;
    found = look(chunk);
    REQUIRE(found == expected, "%zu bytes, at %td: found %d", unit_chunk(chunk).requested, at,
            (int)found);
    REQUIRE(expected == BESIDE_CLEAN || chunk[at] == 0, "it is not cleared");
    REQUIRE(look(chunk) == BESIDE_CLEAN, "it is found twice");
}

/*
 * Allocates the only chunk of its slab, so that everything around it is free or was never handed
 * out.
 */
static void look_around(void *unused)
{
    (void)unused;
    for (size_t n = 0; n < SIZES; n++) {
        char *chunk = take(unit_arena(), sizes[n]);
        ptrdiff_t usable = (ptrdiff_t)unit_chunk(chunk).usable;

        REQUIRE(look(chunk) == BESIDE_CLEAN, "%zu bytes: something is wrong already", sizes[n]);
        for (ptrdiff_t away = 0; away < BESIDE_BYTES; away++) {
            write_and_look(chunk, -away - 1, BESIDE_FRONT);
            write_and_look(chunk, usable + away, BESIDE_BEHIND);
        }
    }
}

static void test_free_memory_on_both_sides(void **state)
{
    (void)state;
    run(look_around);
}

/*
 * All chunks of some slabs are live. Each may hold any bytes, and no report blames a neighbour for
 * them.
 */
static void look_at_live_ones(void *unused)
{
    enum { MANY = 2100 };
    static char *chunks[MANY];
    (void)unused;

    for (size_t n = 0; n < SIZES; n++) {
        struct arena *arena = unit_arena();
        unsigned many = sizes[n] < 1000 ? MANY : 20;

        for (unsigned i = 0; i < many; i++) {
            chunks[i] = take(arena, sizes[n]);
            (void)memset(chunks[i], 0xee, sizes[n]);
        }
        for (unsigned i = 0; i < many; i++)
            REQUIRE(look(chunks[i]) == BESIDE_CLEAN, "%zu bytes: a live neighbour", sizes[n]);
        for (unsigned i = 0; i < many; i++)
            give(arena, chunks[i]);
    }
}

static void test_live_neighbours_are_left_alone(void **state)
{
    (void)state;
    run(look_at_live_ones);
}

/* Chunks in state REMOTE hold the addresses of a parcel, which are not zero. */
static void look_at_those_on_their_way(void *unused)
{
    enum { MANY = 500 };
    static char *chunks[MANY];
    struct arena *arena = unit_arena(), *other = unit_arena();
    (void)unused;

    for (unsigned i = 0; i < MANY; i++)
        chunks[i] = take(arena, 40);
    for (unsigned i = 0; i < MANY; i++)
        if (i % 2 == 0)
            give(other, chunks[i]);
    for (unsigned i = 1; i < MANY; i += 2)
        REQUIRE(look(chunks[i]) == BESIDE_CLEAN, "a neighbour on its way home");
}

static void test_remote_neighbours_are_left_alone(void **state)
{
    (void)state;
    run(look_at_those_on_their_way);
}

/* The quick check must ask for the thorough one whenever that would find something in front. */
static void look_quickly(void *unused)
{
    (void)unused;
    for (size_t n = 0; n < SIZES && sizes[n] < TINY_MAX; n++) {
        char *chunk = take(unit_arena(), sizes[n]);
        size_t usable = unit_chunk(chunk).usable;
        uintptr_t address = (uintptr_t)chunk;

        for (ptrdiff_t away = 0; away < BESIDE_BYTES; away++) {
            chunk[-away - 1] ^= 0x55;
            REQUIRE(beside_tiny(address, usable, tiny_state(address)), "%zu bytes: %td in front",
                    sizes[n], away);
            chunk[-away - 1] ^= 0x55;
            chunk[(ptrdiff_t)usable + away] ^= 0x55;
            REQUIRE(usable > 64 || beside_tiny(address, usable, tiny_state(address)),
                    "%zu bytes: %td behind", sizes[n], away);
            chunk[(ptrdiff_t)usable + away] ^= 0x55;
        }
        REQUIRE(address % UNIT_SIZE < BESIDE_BYTES ||
                    address % UNIT_SIZE + usable + BESIDE_BYTES > UNIT_SIZE ||
                    !beside_tiny(address, usable, tiny_state(address)),
                "nothing is wrong");
    }
}

static void test_the_quick_check_misses_nothing(void **state)
{
    (void)state;
    run(look_quickly);
}

/* A heap's header ends where its first unit begins. The bit maps of the pages come last in it. */
static void look_behind_headers(void *unused)
{
    static const size_t one_of_each[] = {100, 3000};
    (void)unused;

    for (unsigned zone = ZONE_TINY; zone <= ZONE_SMALL; zone++) {
        char *chunk = take(unit_arena(), one_of_each[zone]);
        const struct heap *heap = heap_at((uintptr_t)chunk, heap_map_tag((uintptr_t)chunk));
        uintptr_t first = heap->base + (uintptr_t)heap_first_unit(heap) * UNIT_SIZE;

        for (unsigned map = 0; map < PAGE_MAPS; map++)
            memset(heap_page_map(heap, map), 0xff, heap_page_words(heap) * sizeof(uint64_t));
        REQUIRE(beside_look(first, CHUNK_ALIGN) == BESIDE_CLEAN, "the header of zone %u", zone);
    }
}

static void test_headers_are_left_alone(void **state)
{
    (void)state;
    run(look_behind_headers);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_free_memory_on_both_sides),
        cmocka_unit_test(test_live_neighbours_are_left_alone),
        cmocka_unit_test(test_remote_neighbours_are_left_alone),
        cmocka_unit_test(test_the_quick_check_misses_nothing),
        cmocka_unit_test(test_headers_are_left_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
