/*
 * The end of a heap's aligned range does not belong to the heap. A LARGE chunk may be mapped behind
 * the guard, and its holder does not keep the heap alive. So no call for that chunk may read the
 * heap's header, because the heap's owner may be unmapping it.
 */
#include "unit/unit.h"

#include "arena/remote.h"
#include "arena/thread.h"
#include "base/options.h"
#include "large/registry.h"
#include "os/os.h"
#include "support/prefixed.h"
#include "support/require.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>

enum { TRIES = 32, RACES = 300, CHUNK_BYTES = 1000 };

/* A heap, and a LARGE chunk on the last page of its aligned range. */
struct neighbours {
    struct heap_set *set;
    struct heap *heap;
    uintptr_t base;
    char *chunk;
};

/*
 * Heaps are mapped in rows, and then that page is the next heap's guard. A page in the way ends the
 * row.
 */
static void block_the_row(const struct heap *heap)
{
    size_t page = os_page_size();

    (void)os_map_at((void *)(heap->base - 2 * page), page); // NOLINT: an address becomes a pointer
}

static bool enter_chunk(struct neighbours *pair)
{
    size_t page = os_page_size(), whole = pair->set->small ? SMALL_HEAP_SIZE : TINY_HEAP_SIZE;

    pair->chunk = (char *)(pair->base + whole - page); // NOLINT: an address becomes a pointer
    return os_map_at(pair->chunk, page) &&
           large_enter(pair->chunk, CHUNK_BYTES, &(struct large_place){page, page, 0, false}) !=
               NULL;
}

static struct neighbours make_neighbours(struct heap_set *set)
{
    struct neighbours pair = {.set = set};

    for (unsigned tries = 0; tries < TRIES; tries++) {
        pair.heap = unit_take_heap(set);
        pair.base = pair.heap->base;
        if (enter_chunk(&pair))
            return pair;
        block_the_row(pair.heap);
    }
    REQUIRE(false, "no heap has its last page free");
    return pair;
}

static void free_chunk(struct neighbours *pair)
{
    ft_free(pair->chunk);
    large_trim();
}

/* Every kind of look-up, for a chunk that stays live. */
static void use_chunk(char *chunk)
{
    size_t page = os_page_size();

    REQUIRE(ft_malloc_usable_size(chunk) == page, "the usable size");
    REQUIRE(ft_realloc(chunk, CHUNK_BYTES + 1) == chunk, "realloc in place");
}

static void forbid_header(const struct neighbours *pair, int protection)
{
    size_t length = (size_t)(pair->set->small ? SMALL_FIRST_UNIT : TINY_FIRST_UNIT) * UNIT_SIZE;

    REQUIRE(mprotect((void *)pair->base, length, protection) == 0, "mprotect failed"); // NOLINT
}

static void use_with_header_forbidden(struct heap_set *set)
{
    struct neighbours pair = make_neighbours(set);
    char *moved;

    forbid_header(&pair, PROT_NONE);
    use_chunk(pair.chunk);
    ft_free_sized(pair.chunk, CHUNK_BYTES + 1);
    ft_free(pair.chunk); /* a double free, which is reported */
    large_trim();
    REQUIRE(enter_chunk(&pair), "the place is taken");
    ft_free_aligned_sized(pair.chunk, 64, CHUNK_BYTES);
    large_trim();
    REQUIRE(enter_chunk(&pair), "the place is taken");
    memset(pair.chunk, 7, CHUNK_BYTES);
    moved = ft_realloc(pair.chunk, (size_t)1 << 20);
    REQUIRE(moved != NULL && moved[CHUNK_BYTES - 1] == 7, "realloc");
    ft_free(pair.chunk); /* not from this allocator any more, which is reported, too */
    ft_free(moved);
    forbid_header(&pair, PROT_READ | PROT_WRITE);
    unit_give_heap(pair.heap);
}

static void forbid_headers(void *argument)
{
    struct arena *arena = unit_arena();

    (void)argument;
    options.report_only = true;
    ft_free(ft_malloc(1)); /* so that this thread has an arena of its own */
    use_with_header_forbidden(&arena->tiny);
    use_with_header_forbidden(&arena->small);
}

static void test_no_header_is_read_for_a_chunk_behind_the_guard(void **state)
{
    struct unit_end end;

    (void)state;
    unit_in_child(forbid_headers, NULL, &end);
    if (end.exit_code != 0)
        printf("exit code %d, signal %d, its stderr:\n%s\n", end.exit_code, end.signal, end.err);
    assert_int_equal(end.exit_code, 0);
    assert_int_equal(end.err_lines, 4);
    assert_non_null(strstr(end.err, "double free"));
}

/*
 * A thread remembers the heap of a chunk that it has freed for another arena. It must not take the
 * LARGE chunk behind the heap's guard for one in the heap.
 */
static void free_behind_known_heap(struct arena *arena, struct heap_set *set, size_t size)
{
    struct neighbours pair = make_neighbours(set);
    void *chunk;

    unit_give_heap(pair.heap);
    chunk = unit_alloc(arena, size);
    REQUIRE(((uintptr_t)chunk ^ pair.base) < pair.heap->size, "the chunk is in another heap");
    ft_free(chunk);
    chunk = unit_alloc(arena, size);
    REQUIRE(remote_free_known(thread_self.cache, (uintptr_t)chunk, false, 0),
            "the heap is not remembered");
    forbid_header(&pair, PROT_NONE);
    ft_free(pair.chunk);
    forbid_header(&pair, PROT_READ | PROT_WRITE);
}

static void free_behind_known_heaps(void *argument)
{
    struct arena *arena = unit_arena();

    (void)argument;
    ft_free(ft_malloc(1)); /* so that this thread has an arena of its own */
    free_behind_known_heap(arena, &arena->tiny, CHUNK_ALIGN);
    free_behind_known_heap(arena, &arena->small, TINY_MAX + 1);
}

static void test_a_remembered_heap_ends_before_a_chunk_behind_the_guard(void **state)
{
    (void)state;
    assert_true(unit_child_succeeds(free_behind_known_heaps, NULL));
}

static _Atomic(char *) shown;
static atomic_bool gone;

/* Looks its own live chunk up again and again while the heap in front of it is unmapped. */
static void *hold(void *unused)
{
    for (unsigned race = 0; race < RACES; race++) {
        char *chunk;

        while ((chunk = atomic_load(&shown)) == NULL)
            sched_yield();
        do
            REQUIRE(ft_malloc_usable_size(chunk) == os_page_size(), "the usable size");
        while (!atomic_load(&gone));
        atomic_store(&shown, NULL);
    }
    return unused;
}

static void race(void *argument)
{
    struct arena *arena = unit_arena();
    pthread_t holder;

    (void)argument;
    REQUIRE(pthread_create(&holder, NULL, hold, NULL) == 0, "no thread");
    for (unsigned race = 0; race < RACES; race++) {
        struct neighbours pair = make_neighbours(&arena->tiny);

        unit_give_heap(pair.heap);
        atomic_store(&gone, false);
        atomic_store(&shown, pair.chunk);
        heap_set_release(&arena->tiny);
        atomic_store(&gone, true);
        while (atomic_load(&shown) != NULL)
            sched_yield();
        free_chunk(&pair);
    }
    REQUIRE(pthread_join(holder, NULL) == 0, "cannot join");
}

static void test_a_heap_is_unmapped_while_a_chunk_behind_it_is_used(void **state)
{
    (void)state;
    assert_true(unit_child_succeeds(race, NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_header_is_read_for_a_chunk_behind_the_guard),
        cmocka_unit_test(test_a_remembered_heap_ends_before_a_chunk_behind_the_guard),
        cmocka_unit_test(test_a_heap_is_unmapped_while_a_chunk_behind_it_is_used),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
