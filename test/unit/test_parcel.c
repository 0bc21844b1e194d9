/*
 * Empty parcels: how many a cache keeps, what the depot has, what happens without memory and in the
 * child of a fork. Each test runs in a child, because the depot belongs to the process.
 */
#include "unit/remote.h"
#include "unit/unit.h"

#include "arena/parcel.h"
#include "arena/remote.h"
#include "os/os.h"
#include "support/require.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* How many are mapped at once, how many a cache keeps, and how many pass to or from the depot. */
enum { BLOCK = 32, KEPT = 8, GIVEN = 4, MANY = 3 * BLOCK + 5 };

static void require_count(const struct cache *cache, unsigned count)
{
    unsigned found = 0;

    for (const struct parcel *parcel = cache->parcels; parcel != NULL; parcel = parcel->next)
        found++;
    REQUIRE(found == count && cache->parcel_count == count, "%u parcels, %u noted, %u expected",
            found, cache->parcel_count, count);
}

/* Takes what the depot has, and nothing else. Returns how many these are. */
static unsigned drain(struct parcel **parcels, unsigned most)
{
    unsigned count = 0;
    struct parcel *parcel;

    os_fail_after(1, true);
    while ((parcel = parcel_get_one()) != NULL) {
        REQUIRE(count < most, "more parcels than there can be");
        parcels[count++] = parcel;
    }
    os_fail_after(0, false);
    return count;
}

static void require_distinct(struct parcel *const *parcels, unsigned count)
{
    for (unsigned n = 0; n < count; n++)
        for (unsigned m = 0; m < n; m++)
            REQUIRE((uintptr_t)parcels[n] >= (uintptr_t)parcels[m] + PARCEL_SIZE ||
                        (uintptr_t)parcels[m] >= (uintptr_t)parcels[n] + PARCEL_SIZE,
                    "two parcels share memory");
}

/* Fills them, so that what does not belong to them would be destroyed. */
static void write_to(struct parcel *const *parcels, unsigned count)
{
    for (unsigned n = 0; n < count; n++)
        memset(parcels[n], 0xee, PARCEL_SIZE);
}

static void take_many(void *argument)
{
    (void)argument;
    struct cache *cache = cache_first(unit_arena());
    uint64_t before = os_counted().mmap;
    struct parcel *parcels[MANY];

    for (unsigned n = 0; n < MANY; n++) {
        parcels[n] = parcel_get(cache);
        REQUIRE(parcels[n] != NULL, "no memory");
        memset(parcels[n], 0xee, PARCEL_SIZE);
        REQUIRE(cache->parcel_count < GIVEN, "the cache took %u", cache->parcel_count);
        require_count(cache, cache->parcel_count);
        REQUIRE(os_counted().mmap - before == n / BLOCK + 1, "%u parcels took %u mappings", n + 1,
                (unsigned)(os_counted().mmap - before));
    }
    require_distinct(parcels, MANY);
}

static void test_parcels_are_mapped_in_blocks(void **state)
{
    (void)state;
    assert_true(unit_child_succeeds(take_many, NULL));
}

static void keep_some(void *argument)
{
    (void)argument;
    struct cache *cache = cache_first(unit_arena());
    struct parcel *parcels[2 * BLOCK], *found[2 * BLOCK];
    unsigned kept = 0;

    for (unsigned n = 0; n < BLOCK; n++)
        REQUIRE((parcels[n] = parcel_get(cache)) != NULL, "no memory");
    REQUIRE(drain(found, BLOCK) == 0 && cache->parcels == NULL, "not all were taken");
    for (unsigned n = 0; n < BLOCK; n++) {
        parcel_put(cache, parcels[n]);
        kept = kept == KEPT ? KEPT + 1 - GIVEN : kept + 1;
        require_count(cache, kept);
    }
    /* The one that was put last is the next one. */
    REQUIRE(parcel_get(cache) == parcels[BLOCK - 1], "not the last one");
    require_count(cache, kept - 1);
    parcel_put(cache, parcels[BLOCK - 1]);
    REQUIRE(drain(found, BLOCK) == BLOCK - kept, "parcels are lost");
    for (unsigned n = BLOCK - kept; n < BLOCK; n++)
        found[n] = parcel_get(cache);
    require_count(cache, 0);
    require_distinct(found, BLOCK);
}

static void test_a_cache_keeps_some(void **state)
{
    (void)state;
    assert_true(unit_child_succeeds(keep_some, NULL));
}

static void give_all(void *argument)
{
    (void)argument;
    struct cache *cache = cache_first(unit_arena()), *other = cache_first(unit_arena());
    struct parcel *parcels[BLOCK];

    for (unsigned n = 0; n < BLOCK; n++)
        parcels[n] = parcel_get(cache);
    for (unsigned n = 0; n < BLOCK; n++)
        parcel_put(cache, parcels[n]);
    parcel_put_all(cache);
    require_count(cache, 0);
    /* Nothing to give, so nothing is locked. */
    pthread_mutex_lock(&parcel_lock);
    parcel_put_all(cache);
    pthread_mutex_unlock(&parcel_lock);
    /* Another thread gets them: one, and some more for its cache. */
    os_fail_after(1, true);
    for (unsigned n = 0; n < BLOCK; n++) {
        parcels[n] = parcel_get(other);
        REQUIRE(parcels[n] != NULL, "parcels are lost");
        require_count(other, GIVEN - 1 - n % GIVEN);
    }
    REQUIRE(parcel_get(other) == NULL && parcel_get_one() == NULL, "more than there are");
    require_distinct(parcels, BLOCK);
}

static void test_a_thread_that_ends_gives_all(void **state)
{
    (void)state;
    assert_true(unit_child_succeeds(give_all, NULL));
}

static void put_chain(void *argument)
{
    (void)argument;
    struct parcel *parcels[BLOCK], *found[BLOCK];

    for (unsigned n = 0; n < BLOCK; n++)
        REQUIRE((parcels[n] = parcel_get_one()) != NULL, "no memory");
    write_to(parcels, BLOCK);
    parcel_put_chain(parcels[0], parcels[0]);
    parcels[1]->next = parcels[2];
    parcels[2]->next = parcels[3];
    parcel_put_chain(parcels[1], parcels[3]);
    REQUIRE(drain(found, BLOCK) == 4, "not what was put");
    for (unsigned n = 0; n < 4; n++)
        REQUIRE(found[n] == parcels[(n + 1) % 4], "not in the order of the chain");
}

static void test_a_chain_is_put_into_the_depot(void **state)
{
    (void)state;
    assert_true(unit_child_succeeds(put_chain, NULL));
}

static void run_out_of_memory(void *argument)
{
    (void)argument;
    struct cache *cache = cache_first(unit_arena());
    struct parcel *parcel = NULL;

    for (unsigned n = 1; n <= 3; n++) {
        os_fail_after(1, true);
        while ((parcel = parcel_get(cache)) != NULL)
            memset(parcel, 0xee, PARCEL_SIZE);
        require_count(cache, 0);
        REQUIRE(parcel_get_one() == NULL, "a parcel without memory");
        os_fail_after(0, false);
        parcel = n % 2 == 0 ? parcel_get(cache) : parcel_get_one();
        REQUIRE(parcel != NULL, "no parcel although there is memory");
    }
}

static void test_without_memory_there_is_none(void **state)
{
    (void)state;
    assert_true(unit_child_succeeds(run_out_of_memory, NULL));
}

/* However many chunks are sent, their parcels are used again. */
static void send_for_ever(void *argument)
{
    (void)argument;
    enum { ROUNDS = 500, BATCH = 3 * PARCEL_CHUNKS };
    struct arena *self = unit_arena(), *owner = busy_arena();
    uint64_t before = 0;
    void *chunks[BATCH];

    for (unsigned round = 0; round < ROUNDS; round++) {
        for (unsigned n = 0; n < BATCH; n++)
            chunks[n] = unit_alloc(owner, 64);
        for (unsigned n = 0; n < BATCH; n++)
            free_remotely(self, chunks[n]);
        remote_send_all(cache_first(self));
        if (round % 2 == 0)
            remote_receive_all(cache_first(owner));
        else
            remote_return_all(owner);
        if (round == 10)
            before = os_counted().mmap;
    }
    REQUIRE(os_counted().mmap == before, "%u more mappings",
            (unsigned)(os_counted().mmap - before));
}

static void test_parcels_are_used_again(void **state)
{
    (void)state;
    assert_true(unit_child_succeeds(send_for_ever, NULL));
}

/* Threads take parcels and put them back, and each is one thread's alone meanwhile. */
static atomic_bool stop;

static void *take_and_put(void *argument)
{
    struct cache *cache = argument;
    struct parcel *held[2 * KEPT];

    for (unsigned round = 0; !atomic_load(&stop); round++) {
        unsigned count = 1 + round % (2 * KEPT);

        for (unsigned n = 0; n < count; n++) {
            held[n] = parcel_get(cache);
            REQUIRE(held[n] != NULL, "no memory");
            held[n]->next = NULL;
            for (unsigned i = 0; i < PARCEL_CHUNKS; i++)
                held[n]->chunks[i] = (uintptr_t)cache + round;
        }
        for (unsigned n = 0; n < count; n++) {
            for (unsigned i = 0; i < PARCEL_CHUNKS; i++)
                REQUIRE(held[n]->chunks[i] == (uintptr_t)cache + round, "two threads have one");
            parcel_put(cache, held[n]);
        }
        if (round % 16 == 0)
            parcel_put_all(cache);
    }
    parcel_put_all(cache);
    return NULL;
}

enum { THREADS = 3, MOST = (THREADS + 1) * 2 * BLOCK };

static void share_among_threads(void *argument)
{
    (void)argument;
    struct cache *caches[THREADS];
    struct parcel *parcels[MOST];
    pthread_t threads[THREADS];
    uint64_t before;
    unsigned count;

    for (unsigned n = 0; n < THREADS; n++)
        caches[n] = cache_first(unit_arena());
    before = os_counted().mmap;
    for (unsigned n = 0; n < THREADS; n++)
        REQUIRE(pthread_create(&threads[n], NULL, take_and_put, caches[n]) == 0, "no thread");
    REQUIRE(usleep(200000) == 0, "no sleep");
    atomic_store(&stop, true);
    for (unsigned n = 0; n < THREADS; n++)
        REQUIRE(pthread_join(threads[n], NULL) == 0, "cannot join");
    count = (unsigned)(os_counted().mmap - before) * BLOCK;
    REQUIRE(count > 0 && count <= MOST, "%u parcels were made", count);
    REQUIRE(drain(parcels, MOST) == count, "parcels are lost");
    require_distinct(parcels, count);
}

static void test_threads_share_the_depot(void **state)
{
    (void)state;
    assert_true(unit_child_succeeds(share_among_threads, NULL));
}

/* Another thread that is in the depot when the process forks. */
static pthread_barrier_t inside, forked;
static struct parcel *unwritable;

/* The handler of the fault that put_unwritable() causes while the thread changes the depot. */
static void wait_inside(int number, siginfo_t *info, void *context)
{
    (void)number;
    (void)context;
    REQUIRE((uintptr_t)info->si_addr - (uintptr_t)unwritable < PARCEL_SIZE, "another access");
    pthread_barrier_wait(&inside);
    pthread_barrier_wait(&forked);
    REQUIRE(mprotect(unwritable, os_page_size(), PROT_READ | PROT_WRITE) == 0, "cannot unprotect");
}

static void *put_unwritable(void *unused)
{
    parcel_put_chain(unwritable, unwritable);
    return unused;
}

static void *hold_lock(void *unused)
{
    pthread_mutex_lock(&parcel_lock);
    pthread_barrier_wait(&inside);
    pthread_barrier_wait(&forked);
    pthread_mutex_unlock(&parcel_lock);
    return unused;
}

/* In the child. */
static void use_the_depot(void *argument)
{
    unsigned expected = *(const unsigned *)argument;
    struct cache *cache = cache_first(unit_arena());
    struct parcel *parcels[2 * BLOCK], *fresh[BLOCK];

    alarm(20); /* for a lock that nobody gives back */
    parcel_after_fork();
    REQUIRE(drain(parcels, 2 * BLOCK) == expected, "not the parcels that it had");
    for (unsigned n = 0; n < BLOCK; n++)
        parcels[expected + n] = fresh[n] = parcel_get(cache);
    require_distinct(parcels, expected + BLOCK);
    write_to(fresh, BLOCK);
    parcel_put(cache, fresh[0]);
    parcel_put_all(cache);
    REQUIRE(drain(parcels, 2 * BLOCK) == 1 && parcels[0] == fresh[0], "the depot is unusable");
}

static void fork_beside(void *(*thread_body)(void *), unsigned expected)
{
    pthread_t thread;
    bool succeeded;

    REQUIRE(pthread_barrier_init(&inside, NULL, 2) == 0 &&
                pthread_barrier_init(&forked, NULL, 2) == 0 &&
                pthread_create(&thread, NULL, thread_body, NULL) == 0,
            "no thread");
    pthread_barrier_wait(&inside);
    succeeded = unit_child_succeeds(use_the_depot, &expected);
    pthread_barrier_wait(&forked);
    REQUIRE(pthread_join(thread, NULL) == 0 && succeeded, "the child failed");
}

static void fork_beside_holders(void *argument)
{
    (void)argument;
    struct sigaction action = {.sa_sigaction = wait_inside, .sa_flags = SA_SIGINFO};
    struct parcel *parcels[BLOCK + 1];

    unwritable = os_map(os_page_size());
    REQUIRE(unwritable != NULL && mprotect(unwritable, os_page_size(), PROT_READ) == 0 &&
                sigaction(SIGSEGV, &action, NULL) == 0,
            "no page, or no handler");
    parcels[0] = parcel_get_one();
    parcel_put_chain(parcels[0], parcels[0]);
    /* The list was complete, so the child has it. */
    fork_beside(hold_lock, BLOCK);
    /* It was not, so nothing of it may be followed. */
    fork_beside(put_unwritable, 0);
    /* The parent has lost nothing. */
    REQUIRE(drain(parcels, BLOCK + 1) == BLOCK + 1 && parcels[0] == unwritable, "parcels are lost");
}

static void test_the_depot_in_the_child_of_a_fork(void **state)
{
    (void)state;
    assert_true(unit_child_succeeds(fork_beside_holders, NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parcels_are_mapped_in_blocks),
        cmocka_unit_test(test_a_cache_keeps_some),
        cmocka_unit_test(test_a_thread_that_ends_gives_all),
        cmocka_unit_test(test_a_chain_is_put_into_the_depot),
        cmocka_unit_test(test_without_memory_there_is_none),
        cmocka_unit_test(test_parcels_are_used_again),
        cmocka_unit_test(test_threads_share_the_depot),
        cmocka_unit_test(test_the_depot_in_the_child_of_a_fork),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
