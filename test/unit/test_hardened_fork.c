/*
 * What the child of a fork finds in hardened arenas: free memory is zero there, whatever other
 * threads were doing.
 */
#include "unit/hardened.h"

#include "api/hardened.h"
#include "arena/fork.h"
#include "arena/thread.h"
#include "base/options.h"
#include "support/require.h"

#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

static void repair(struct arena *arena, bool survivor)
{
    atomic_store(&arena->survivor, survivor);
    atomic_store(&arena->damaged, true);
    arena_lock(arena);
    arena_repair(arena);
    arena_unlock(arena);
    atomic_store(&arena->survivor, false);
}

enum { COUNT = 100 };

/* Frees the chunks; two of three as the thread of another arena, half of them sent already. */
static void free_all(struct arena *owner, struct arena *other, char *const *chunks)
{
    for (size_t n = 0; n < COUNT; n++) {
        if (n % 3 == 0)
            give(owner, chunks[n]);
        else
            give_abroad(other, chunks[n]);
        if (n == COUNT / 2)
            remote_send_all(cache_first(other));
    }
    REQUIRE(atomic_load(&owner->inbox) != NULL, "nothing was sent");
    REQUIRE(unit_count_state(owner, STATE_REMOTE) == COUNT * 2 / 3, "not on their way");
    remote_drop(cache_first(other));
}

/*
 * Parcels that a fork cuts off. The repair finds the chunks by their states, and they must be clear
 * when they are handed out again.
 */
static void repair_parcels(void *unused)
{
    (void)unused;
    for (unsigned survivor = 0; survivor < 2; survivor++) {
        struct arena *other = unit_arena(), *owner = unit_arena();
        char *chunks[COUNT];

        for (size_t n = 0; n < COUNT; n++)
            chunks[n] = take(owner, n % 2 == 0 ? 100 : 3000);
        free_all(owner, other, chunks);
        repair(owner, survivor != 0);
        REQUIRE(unit_count_state(owner, STATE_REMOTE) == 0, "still on their way");
        REQUIRE(unit_count_state(owner, STATE_LIVE) == 0, "not freed");
        chunk_quarantine_flush(cache_first(owner));
        for (size_t n = 0; n < 3000; n++)
            take(owner, n % 2 == 0 ? 100 : 3000);
    }
}

static void test_a_repair_leaves_no_parcel_behind(void **state)
{
    (void)state;
    run(repair_parcels);
}

static uintptr_t protected_unit;

/*
 * A chunk is being made free while another thread may fork. The child must not find a chunk that is
 * free and not zero.
 */
static void look_at_state(int number, siginfo_t *info, void *context)
{
    void *at = info->si_addr;
    struct chunk chunk;
    (void)number;
    (void)context;

    if ((uintptr_t)at - protected_unit >= UNIT_SIZE || heap_map_tag((uintptr_t)at) == TAG_NONE)
        _exit(10);
    for (uintptr_t start = (uintptr_t)at & ~(uintptr_t)(CHUNK_ALIGN - 1);; start -= CHUNK_ALIGN) {
        enum verdict verdict = chunk_find(start, heap_map_tag(start), &chunk);

        if (verdict == CHUNK_LIVE || verdict == CHUNK_INTERIOR)
            break;
        if (verdict == CHUNK_FREED || (uintptr_t)at - start > 200)
            _exit(11);
    }
    if (mprotect((void *)protected_unit, UNIT_SIZE, PROT_READ | PROT_WRITE) !=
        0) // NOLINT: an address
        _exit(12);
}

static void write_to_live_chunks_only(void *unused)
{
    (void)unused;
    struct arena *arena = unit_arena();
    struct sigaction action = {.sa_sigaction = look_at_state, .sa_flags = SA_SIGINFO};
    char *first = take(arena, 100);

    protected_unit = (uintptr_t)first & ~(uintptr_t)(UNIT_SIZE - 1);
    REQUIRE(sigaction(SIGSEGV, &action, NULL) == 0, "no handler");
    for (unsigned n = 0; n < 50; n++) {
        REQUIRE(mprotect((void *)protected_unit, UNIT_SIZE, PROT_READ) == 0,
                "cannot protect"); // NOLINT
        char *chunk = take(arena, 100);
        REQUIRE(mprotect((void *)protected_unit, UNIT_SIZE, PROT_READ) == 0,
                "cannot protect"); // NOLINT
        give(arena, chunk);
    }
}

static void test_a_chunk_is_live_while_it_is_not_zero(void **state)
{
    (void)state;
    run(write_to_live_chunks_only);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_repair_leaves_no_parcel_behind),
        cmocka_unit_test(test_a_chunk_is_live_while_it_is_not_zero),
    };

    thread_runtime_init(NULL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
