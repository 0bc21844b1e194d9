/*
 * Remote frees of a program that misuses memory: two threads free one chunk at once. Whichever ways
 * the chunk takes to its arena, the second free is reported when it gets there, and the chunk is
 * neither lost nor handed out twice.
 */
#include "unit/remote.h"
#include "unit/unit.h"

#include "arena/chunk_quarantine.h"
#include "base/options.h"
#include "os/os.h"
#include "support/require.h"

#include <signal.h>
#include <string.h>

/*
 * How a chunk gets to its arena: in a parcel; with the arena's lock, because there is no memory for
 * a parcel; or with that lock, because the thread has no cache of its own.
 */
enum way { PARCEL, NO_PARCEL, NO_CACHE };

/* Who takes the parcels. */
enum receiver { OWNER, VISITOR };

struct twice {
    size_t size;
    enum way first, second;
    enum receiver receiver;
    bool harden, report_only;
};

static void free_by(enum way way, struct arena *self, const struct chunk *chunk)
{
    if (way == NO_PARCEL)
        use_up_parcels(cache_first(self));
    remote_free(way == NO_CACHE ? NULL : cache_first(self), chunk);
    os_fail_after(0, false);
}

static void receive(enum receiver receiver, struct arena *owner)
{
    if (receiver == OWNER)
        remote_receive_all(cache_first(owner));
    else
        remote_return_all(owner);
}

/* Returns how often the chunk is among all that the arena has to hand out. */
static unsigned times_handed_out(struct arena *owner, const struct chunk *chunk)
{
    unsigned times = 0, chunks = size_classes[chunk->size_class].chunks;

    cache_use(cache_first(owner));
    chunk_quarantine_flush(cache_first(owner));
    for (unsigned n = 0; n < 4 * chunks; n++)
        times += (uintptr_t)unit_alloc(owner, chunk->requested) == chunk->start;
    return times;
}

static void free_twice_at_once(void *argument)
{
    const struct twice *twice = argument;
    struct arena *self[2] = {unit_arena(), unit_arena()}, *owner = unit_arena();
    struct chunk chunk;

    options.harden = twice->harden;
    options.report_only = twice->report_only;
    chunk = unit_chunk(unit_alloc(owner, twice->size));
    /* Keeps the slab. */
    (void)unit_alloc(owner, twice->size);
    /* Both threads saw the chunk live. */
    free_by(twice->first, self[0], &chunk);
    free_by(twice->second, self[1], &chunk);
    for (unsigned n = 0; n < 2; n++) {
        remote_send_all(cache_first(self[n]));
        receive(twice->receiver, owner);
    }
    REQUIRE(unit_count_state(owner, STATE_REMOTE) == 0, "still on its way");
    REQUIRE(times_handed_out(owner, &chunk) == 1, "lost, or handed out twice");
}

static void check(struct twice twice)
{
    struct unit_end end;

    twice.report_only = false;
    unit_in_child(free_twice_at_once, &twice, &end);
    assert_int_equal(end.signal, SIGABRT);
    assert_ptr_equal(strstr(end.err, "ft_malloc: chunk freed twice at once: found 0x"), end.err);
    assert_int_equal(end.err_lines, 1);
    twice.report_only = true;
    unit_in_child(free_twice_at_once, &twice, &end);
    if (end.exit_code != 0)
        print_error("%s", end.err);
    assert_int_equal(end.exit_code, 0);
    assert_int_equal(end.err_lines, 1);
}

static const size_t sizes[] = {100, 3000};

static void test_both_in_parcels(void **state)
{
    (void)state;
    for (unsigned n = 0; n < sizeof sizes / sizeof sizes[0]; n++) {
        check((struct twice){sizes[n], PARCEL, PARCEL, .receiver = OWNER});
        check((struct twice){sizes[n], PARCEL, PARCEL, .receiver = VISITOR});
        check((struct twice){sizes[n], PARCEL, PARCEL, .receiver = OWNER, .harden = true});
    }
}

static void test_without_memory_for_a_parcel(void **state)
{
    (void)state;
    for (unsigned n = 0; n < sizeof sizes / sizeof sizes[0]; n++) {
        check((struct twice){sizes[n], PARCEL, NO_PARCEL, .receiver = OWNER});
        check((struct twice){sizes[n], PARCEL, NO_PARCEL, .receiver = VISITOR});
        check((struct twice){sizes[n], PARCEL, NO_PARCEL, .receiver = OWNER, .harden = true});
    }
}

static void test_by_threads_without_a_cache(void **state)
{
    (void)state;
    for (unsigned n = 0; n < sizeof sizes / sizeof sizes[0]; n++)
        for (unsigned harden = 0; harden < 2; harden++) {
            check((struct twice){sizes[n], PARCEL, NO_CACHE, OWNER, harden != 0, false});
            check((struct twice){sizes[n], NO_CACHE, NO_CACHE, OWNER, harden != 0, false});
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_both_in_parcels),
        cmocka_unit_test(test_without_memory_for_a_parcel),
        cmocka_unit_test(test_by_threads_without_a_cache),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
