/*
 * Forks of a process with threads: the handler runs in the child, and the child can use and free
 * what all threads had allocated, whatever they were doing.
 */
#include "unit/forked.h"
#include "unit/sizes.h"
#include "unit/unit.h"

#include "arena/remote.h"
#include "arena/thread.h"
#include "bins/recover.h"
#include "debug/census.h"
#include "support/child.h"
#include "support/pattern.h"
#include "support/prefixed.h"
#include "support/require.h"
#include "support/rng.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

enum { SLOTS = 128, WORKERS = 3, STABLE = 60, FORKS = 12, SLOTS_OF_MAIN = 1000 };

/*
 * Enough chunks for some hundred steps of a repair, fewer than one batch of remote frees, and two
 * steps, one of TINY and one of SMALL.
 */
enum { MANY = 200000, HELD = 50, LOOKED_MAX = 2 * (1024 + TINY_SLAB_CHUNKS_MAX) };

static void need_generation(void *argument)
{
    REQUIRE(fork_generation == *(unsigned *)argument + 1, "the handler in the child did not run");
}

static void test_the_handler_is_registered(void **state)
{
    (void)state;
    unsigned before = fork_generation;

    assert_non_null(ft_malloc(1));
    unit_arena();
    assert_true(unit_child_succeeds(need_generation, &before));
}

static pthread_barrier_t shared_now;

static void *share(void *unused)
{
    REQUIRE(ft_malloc(1) != NULL && thread_self.home->arena->next == NULL, "not in the only arena");
    pthread_barrier_wait(&shared_now);
    return pthread_barrier_wait(&shared_now), unused; /* waits for ever */
}

static void one_arena_shared_by_all(void)
{
    struct arena *arena;
    pthread_t thread;

    REQUIRE(ft_malloc(1) != NULL, "no memory");
    arena = thread_self.home->arena;
    pthread_barrier_init(&shared_now, NULL, 2);
    REQUIRE(pthread_create(&thread, NULL, share, NULL) == 0, "no thread");
    pthread_barrier_wait(&shared_now);
    /* The other thread could have been interrupted anywhere in it. */
    arena_after_fork();
    REQUIRE(atomic_load(&arena->damaged) && !atomic_load(&arena->survivor),
            "an arena that others use was taken for sound");
    /* As in a child, where the thread's own cache must wait for the repair. */
    thread_self.cache = CACHE_NONE;
    atomic_store(&thread_self.to_malloc, CACHE_NONE);
    atomic_store(&thread_self.to_free, CACHE_NONE);
    thread_self.waits = true;
    REQUIRE(ft_malloc(1) != NULL && !thread_self.waits, "still waiting");
    _exit(0);
}

static void test_the_only_arena_may_be_shared(void **state)
{
    (void)state;
    static const char *const argv[] = {"/proc/self/exe", "shared", NULL};
    static const char *const environment[] = {"FT_MALLOC_ARENA_MAX=1", NULL};
    const struct child_spec spec = {.argv = argv, .environment = environment};
    struct child_result result;

    child_run(&spec, &result);
    assert_true(child_succeeded(&result));
    child_free(&result);
}

/* What the previous fork has repaired so far is not the whole repair. */
static void forked_twice(void *unused)
{
    (void)unused;
    static const struct {
        enum arena_damage damage;
        bool survivor, after;
    } cases[] = {
        {ARENA_SOUND, false, true},       {ARENA_UNDER_REPAIR, false, true},
        {ARENA_UNDER_REPAIR, true, true}, {ARENA_DAMAGED, false, false},
        {ARENA_DAMAGED, true, true},
    };
    struct arena *arena = thread_self.home->arena;

    for (size_t n = 0; n < sizeof cases / sizeof cases[0]; n++) {
        arena_repair(arena);
        atomic_store(&arena->survivor, cases[n].survivor);
        atomic_store(&arena->damaged, cases[n].damage);
        arena_after_fork();
        REQUIRE(atomic_load(&arena->damaged) == ARENA_DAMAGED, "not damaged");
        REQUIRE(atomic_load(&arena->survivor) == cases[n].after, "case %zu: the wrong repair", n);
    }
}

static void test_an_arena_that_was_not_repaired_is_rebuilt(void **state)
{
    (void)state;
    assert_non_null(ft_malloc(1));
    unit_arena();
    assert_true(unit_child_succeeds(forked_twice, NULL));
}

/*
 * The first thread allocates chunks. Another thread has freed some of them and not yet sent them to
 * their owner.
 */
static struct {
    char *chunks[MANY];
    pthread_barrier_t freed, forked;
    unsigned generation;
} lent;

static void *free_some(void *unused)
{
    for (size_t n = 0; n < MANY; n += MANY / HELD)
        ft_free(lent.chunks[n]);
    pthread_barrier_wait(&lent.freed);
    pthread_barrier_wait(&lent.forked);
    return unused;
}

/* The first calls of a child, each of another size. */
static void repair_bit_by_bit(void *unused)
{
    (void)unused;
    struct arena *arena = thread_self.home->arena;
    size_t before = recover_looked, calls = 0;

    after_fork(lent.generation);
    for (; arena_is_damaged(arena); calls++) {
        size_t looked = recover_looked;

        REQUIRE(ft_malloc(size_of(calls)) != NULL, "no memory");
        REQUIRE(recover_looked - looked <= LOOKED_MAX, "one call looked at %zu states",
                recover_looked - looked);
    }
    REQUIRE(recover_looked - before >= MANY, "only %zu states were looked at",
            recover_looked - before);
    REQUIRE(unit_count_state(arena, STATE_REMOTE) == 0, "still on their way");
    for (size_t n = 0; n < MANY; n++)
        REQUIRE(unit_chunk(lent.chunks[n]).kind == STATE_LIVE || n % (MANY / HELD) == 0, "lost");
}

static void test_the_first_calls_of_a_child_do_a_bounded_part(void **state)
{
    (void)state;
    pthread_t thread;

    for (size_t n = 0; n < MANY; n++)
        lent.chunks[n] = ft_malloc(40 + n % 100);
    assert_int_equal(pthread_barrier_init(&lent.freed, NULL, 2), 0);
    assert_int_equal(pthread_barrier_init(&lent.forked, NULL, 2), 0);
    assert_int_equal(pthread_create(&thread, NULL, free_some, NULL), 0);
    pthread_barrier_wait(&lent.freed);
    assert_int_equal(unit_count_state(thread_self.home->arena, STATE_REMOTE), HELD);
    lent.generation = fork_generation;
    assert_true(unit_child_succeeds(repair_bit_by_bit, NULL));
    pthread_barrier_wait(&lent.forked);
    assert_int_equal(pthread_join(thread, NULL), 0);
}

/* The process whose threads never rest. */
static struct {
    _Atomic(void *) slots[SLOTS];
    void *stable[WORKERS][STABLE];
    _Atomic unsigned ready;
    _Atomic bool stop;
    size_t live_before; /* what was allocated before the threads began */
    unsigned generation;
} busy;

static size_t random_size(struct rng *rng)
{
    size_t kind = rng_below(rng, 64);

    if (kind == 0)
        return SMALL_MAX + 1 + rng_below(rng, 300000);
    return kind < 4 ? rng_below(rng, 100000) : rng_below(rng, 1500);
}

static void *work(void *argument)
{
    size_t self = (size_t)argument;
    struct rng rng = rng_stream(7, self);

    for (size_t n = 0; n < STABLE; n++) {
        busy.stable[self][n] = ft_malloc(size_of(n));
        REQUIRE(busy.stable[self][n] != NULL, "no memory");
        pattern_write(busy.stable[self][n], 0, size_of(n), n);
    }
    atomic_fetch_add(&busy.ready, 1);
    while (!atomic_load(&busy.stop)) {
        size_t size = random_size(&rng);
        char *fresh = ft_malloc(size);

        REQUIRE(fresh != NULL, "no memory");
        memset(fresh, (int)size, size < 64 ? size : 64);
        ft_free(atomic_exchange(&busy.slots[rng_below(&rng, SLOTS)], fresh));
    }
    return NULL;
}

static size_t live_in_all_arenas(void)
{
    size_t live = 0;

    for (struct arena *arena = atomic_load(&arena_list); arena != NULL; arena = arena->next)
        live += unit_count_state(arena, STATE_LIVE);
    return live;
}

static void free_what_threads_left(void)
{
    for (size_t worker = 0; worker < WORKERS; worker++)
        for (size_t n = 0; n < STABLE; n++) {
            REQUIRE(pattern_mismatch(busy.stable[worker][n], size_of(n), n) == size_of(n),
                    "the contents changed");
            ft_free(busy.stable[worker][n]);
        }
    for (size_t slot = 0; slot < SLOTS; slot++)
        ft_free(atomic_load(&busy.slots[slot]));
}

static void go_on_in_the_child(void *argument)
{
    (void)argument;
    static char *more[SLOTS_OF_MAIN];
    struct census census;
    size_t live;

    after_fork(busy.generation);
    for (size_t n = 0; n < SLOTS_OF_MAIN; n++) {
        more[n] = ft_malloc(size_of(n));
        REQUIRE(more[n] != NULL, "no memory");
        pattern_write(more[n], 0, size_of(n), n);
    }
    free_what_threads_left();
    (void)ft_malloc_trim(0);
    /* One chunk of each thread is lost: the one it was handling when the process forked. */
    live = live_in_all_arenas() - busy.live_before;
    census_take(&census);
    REQUIRE(live >= SLOTS_OF_MAIN && live <= SLOTS_OF_MAIN + WORKERS, "%zu chunks are live", live);
    REQUIRE(census.zone[ZONE_TINY].chunks + census.zone[ZONE_SMALL].chunks ==
                live + busy.live_before,
            "the census says another number");
    REQUIRE(census.zone[ZONE_LARGE].chunks <= WORKERS, "%zu LARGE chunks are left",
            census.zone[ZONE_LARGE].chunks);
    for (size_t n = 0; n < SLOTS_OF_MAIN; n++) {
        REQUIRE(pattern_mismatch(more[n], size_of(n), n) == size_of(n), "the contents changed");
        ft_free(more[n]);
    }
}

static void test_forks_of_a_busy_process(void **state)
{
    (void)state;
    pthread_t threads[WORKERS];
    bool good = true;

    assert_non_null(ft_malloc(1));
    busy.live_before = live_in_all_arenas();
    for (size_t n = 0; n < WORKERS; n++)
        assert_int_equal(pthread_create(&threads[n], NULL, work, (void *)n), 0); // NOLINT: a number
    while (atomic_load(&busy.ready) < WORKERS)
        continue;
    for (unsigned n = 0; n < FORKS && good; n++) {
        busy.generation = fork_generation;
        good = unit_child_succeeds(go_on_in_the_child, NULL);
    }
    atomic_store(&busy.stop, true);
    for (size_t n = 0; n < WORKERS; n++)
        assert_int_equal(pthread_join(threads[n], NULL), 0);
    assert_true(good);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_handler_is_registered),
        cmocka_unit_test(test_the_only_arena_may_be_shared),
        cmocka_unit_test(test_an_arena_that_was_not_repaired_is_rebuilt),
        cmocka_unit_test(test_the_first_calls_of_a_child_do_a_bounded_part),
        cmocka_unit_test(test_forks_of_a_busy_process),
    };

    if (argc > 1 && strcmp(argv[1], "shared") == 0) {
        one_arena_shared_by_all();
        return 0;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
