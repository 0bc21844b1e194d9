/*
 * Which arenas the child of a fork sweeps and which it rebuilds, what it forgets, and when the
 * surviving thread may use its cache again. Each test runs in a child.
 */
#include "unit/remote.h"
#include "unit/unit.h"

#include "arena/fork.h"
#include "arena/parcel.h"
#include "arena/pool.h"
#include "arena/remote.h"
#include "arena/thread.h"
#include "support/pattern.h"
#include "support/prefixed.h"
#include "support/require.h"

#include <pthread.h>
#include <string.h>
#include <unistd.h>

enum { CHUNKS = 400 };

static size_t size_at(size_t n)
{
    return n % 3 == 0 ? 2000 + n % 7 * 1000 : 10 + n % 13 * 70;
}

/* What became of an arena in the child. */
enum verdict_after { SWEPT, REBUILT };

static void require_after(struct arena *arena, enum verdict_after expected, const char *what)
{
    REQUIRE(atomic_load(&arena->damaged) == ARENA_DAMAGED, "%s: not damaged", what);
    REQUIRE(atomic_load(&arena->survivor) == (expected == SWEPT), "%s: the wrong repair", what);
}

static void judge(void *argument)
{
    struct arena *own = unit_arena(), *idle = unit_arena(), *used = unit_arena();
    struct arena *entered = unit_arena(), *entered_here = unit_arena(), *waiting = unit_arena();
    struct cache *second = cache_create(waiting), *common = cache_create(own);
    unsigned generation = fork_generation;
    static int other_thread;

    (void)argument;
    REQUIRE(second != NULL && common != NULL, "no caches");
    /* Both were made, and no thread has got them. */
    common->common = true;
    atomic_store(&cache_first(waiting)->in_use, false);
    thread_self.home = cache_first(own);
    atomic_store(&cache_first(idle)->in_use, false);
    atomic_store(&cache_first(entered)->in_use, false);
    atomic_store(&cache_first(entered_here)->in_use, false);
    atomic_store(&entered->holder, &other_thread);
    arena_lock(entered_here);
    arena_after_fork();
    REQUIRE(fork_generation == generation + 1, "what was collected before would be sent");
    require_after(own, SWEPT, "the surviving thread's");
    require_after(idle, SWEPT, "an arena without a thread");
    require_after(waiting, SWEPT, "an arena with two idle caches");
    require_after(used, REBUILT, "another thread's");
    require_after(entered, REBUILT, "one that another thread was changing");
    require_after(entered_here, SWEPT, "one that the surviving thread was changing");
    for (struct arena *arena = atomic_load(&arena_list); arena != NULL; arena = arena->next)
        REQUIRE(atomic_load(&arena->holder) == NULL && arena_try_lock(arena), "still locked");
}

static void test_an_arena_is_sound_unless_others_used_it(void **state)
{
    (void)state;
    assert_true(unit_child_succeeds(judge, NULL));
}

static void judge_without_survivor(void *argument)
{
    struct arena *used = unit_arena(), *idle = unit_arena();

    (void)argument;
    atomic_store(&cache_first(idle)->in_use, false);
    REQUIRE(thread_self.home == NULL, "the thread has a cache");
    arena_after_fork();
    require_after(used, REBUILT, "another thread's");
    require_after(idle, SWEPT, "an arena without a thread");
}

static void test_the_thread_that_forks_may_have_no_cache(void **state)
{
    (void)state;
    assert_true(unit_child_succeeds(judge_without_survivor, NULL));
}

/* One thread, one arena: nothing is lost, and the child goes on as if there had been no fork. */
static void fork_alone(void *argument)
{
    struct arena *own = unit_arena();
    struct cache *cache = cache_first(own);
    void *chunk = unit_alloc(own, 100);
    unsigned generation = fork_generation, count;

    (void)argument;
    unit_free(own, chunk);
    count = stack_count(&cache->stacks.of[size_class_of(100)]);
    thread_self.home = cache;
    arena_after_fork();
    REQUIRE(!arena_is_damaged(own) && fork_generation == generation, "a repair of nothing");
    REQUIRE(stack_count(&cache->stacks.of[size_class_of(100)]) == count, "the cache was emptied");
    REQUIRE(unit_alloc(own, 100) == chunk, "not the chunk that was freed last");
    /* Not with another thread's cache in front of the only arena. */
    REQUIRE(cache_create(own) != NULL, "no cache");
    atomic_store(&atomic_load(&own->caches)->in_use, true);
    arena_after_fork();
    require_after(own, REBUILT, "the only arena");
    REQUIRE(fork_generation == generation + 1, "what was collected before would be sent");
}

static void test_a_single_thread_needs_no_repair(void **state)
{
    (void)state;
    assert_true(unit_child_succeeds(fork_alone, NULL));
}

static void fill(struct arena *arena, char **chunks)
{
    for (size_t n = 0; n < CHUNKS; n++) {
        chunks[n] = unit_alloc(arena, size_at(n));
        pattern_write(chunks[n], 0, size_at(n), n);
    }
}

static void check(char *const *chunks, size_t first, size_t step)
{
    for (size_t n = first; n < CHUNKS; n += step) {
        REQUIRE(unit_chunk(chunks[n]).kind == STATE_LIVE, "chunk %zu is lost", n);
        REQUIRE(pattern_mismatch(chunks[n], size_at(n), n) == size_at(n), "chunk %zu changed", n);
    }
}

static void repair(struct arena *arena)
{
    arena_lock(arena);
    cache_use(cache_first(arena));
    arena_repair(arena);
    arena_unlock(arena);
}

/*
 * Returns how many bins have the same slabs; or, with `used`, how many have the same current one,
 * which the repair keeps unless it is empty then.
 */
static unsigned bins_in_common(const struct bins *one, const struct bins *other, bool used)
{
    unsigned count = 0;

    for (unsigned size_class = 0; size_class < SIZE_CLASSES; size_class++) {
        const struct bin *bin = &one->of[size_class], *same = &other->of[size_class];

        count += used ? bin->current != NULL && bin->current == same->current
                      : bin->current == same->current && bin->partial == same->partial &&
                            bin->spare == same->spare;
    }
    return count;
}

/*
 * Of an arena without a thread, only the chunks on their way were lost. Its bins are as they
 * were.
 */
static void sweep_idle(void *argument)
{
    struct arena *own = unit_arena(), *idle = unit_arena();
    struct bins before;
    static char *chunks[CHUNKS];

    (void)argument;
    fill(idle, chunks);
    pool_put(cache_first(idle));
    arena_lock(idle);
    for (size_t n = 0; n < CHUNKS; n += 2)
        free_remotely(own, chunks[n]);
    arena_unlock(idle);
    remote_send_all(cache_first(own));
    memcpy(&before, &idle->bins, sizeof before);
    thread_self.home = cache_first(own);
    arena_after_fork();
    REQUIRE(bins_in_common(&before, &idle->bins, false) == SIZE_CLASSES, "changed at once");
    REQUIRE(unit_count_state(idle, STATE_REMOTE) == CHUNKS / 2, "found at once");
    repair(idle);
    REQUIRE(unit_count_state(idle, STATE_REMOTE) == 0, "chunks on their way are lost");
    REQUIRE(idle->unpacking == NULL && atomic_load(&idle->inbox) == NULL &&
                atomic_load(&idle->inbox_bytes) == 0,
            "they would be found twice");
    check(chunks, 1, 2);
    REQUIRE(bins_in_common(&before, &idle->bins, true) > 0, "the bins were rebuilt");
    for (size_t n = 1; n < CHUNKS; n += 2)
        unit_free(idle, chunks[n]);
    unit_trim(idle);
    REQUIRE(idle->tiny.heaps == NULL && idle->small.heaps == NULL, "something is lost");
}

static void test_an_arena_without_a_thread_is_swept(void **state)
{
    (void)state;
    assert_true(unit_child_succeeds(sweep_idle, NULL));
}

static void require_forgotten(struct cache *cache)
{
    for (unsigned size_class = 0; size_class < SIZE_CLASSES; size_class++)
        REQUIRE(stack_count(&cache->stacks.of[size_class]) == 0, "a stack of class %u", size_class);
    for (unsigned place = 0; place < OUTGOING; place++)
        REQUIRE(cache->outgoing[place].parcel == NULL && cache->outgoing[place].next == NULL &&
                    cache->outgoing[place].tag == TAG_NONE,
                "chunks that would be sent twice");
    for (unsigned entry = 0; entry < FOREIGN; entry++)
        REQUIRE(cache->foreign[entry].end == 0, "a heap of another arena");
    for (unsigned entry = 0; entry < OWN_HEAPS; entry++)
        REQUIRE(cache->own_tiny.of[entry] == (entry == 0 ? OWN_NONE : 0) &&
                    cache->own_small.of[entry] == (entry == 0 ? OWN_NONE : 0),
                "an own heap");
    REQUIRE(cache->parcels == NULL && cache->parcel_count == 0, "parcels");
}

/* Leaves something in every part of a cache. */
static void use(struct cache *cache, struct arena *foreign)
{
    for (unsigned size_class = 0; size_class < SIZE_CLASSES; size_class++) {
        struct chunk chunk;
        void *pointer;

        cache_use(cache);
        pointer = cache_alloc_aligned(cache, size_class, size_classes[size_class].size);
        chunk = unit_chunk(pointer);
        cache_free(cache, &chunk);
    }
    REQUIRE(
        remote_free_aligned(cache, (uintptr_t)unit_alloc(foreign, 64), foreign->tiny_tag) &&
            remote_free_aligned(cache, (uintptr_t)unit_alloc(foreign, 2000), foreign->small_tag),
        "not freed");
    parcel_put(cache, parcel_get_one());
}

/* Makes two caches that threads use in front of one arena. */
static void share_arena(struct cache **first, struct cache **second)
{
    REQUIRE(pool_limit(1), "the limit came too late");
    *first = pool_get();
    atomic_store(&(*first)->arena->bins.next_tick, BINS_NO_TICKS);
    pool_put(*first);
    REQUIRE(pool_get() == *first, "another cache");
    *second = cache_create((*first)->arena);
    REQUIRE(*second != NULL, "no cache");
    atomic_store(&(*second)->in_use, true);
    (*first)->stacks.next_flush = (*second)->stacks.next_flush = BINS_NO_TICKS;
}

static void rebuild_shared(void *argument)
{
    struct arena *arena, *foreign = unit_arena();
    struct cache *first, *second;
    static char *chunks[CHUNKS];

    (void)argument;
    share_arena(&first, &second);
    arena = first->arena;
    cache_use(first);
    fill(arena, chunks);
    use(first, foreign);
    use(second, foreign);
    thread_self.home = first;
    arena_after_fork();
    require_after(arena, REBUILT, "a shared arena");
    /*
     * The first one keeps all until its thread makes a slow call, which may have been
     * interrupted.
     */
    REQUIRE(stack_count(&first->stacks.of[0]) > 0 && first->parcels != NULL, "emptied at once");
    arena_lock(arena);
    cache_use(first);
    arena_repair_step(arena);
    require_forgotten(first);
    require_forgotten(second);
    arena_repair(arena);
    arena_unlock(arena);
    check(chunks, 0, 1);
    REQUIRE(unit_count_state(arena, STATE_LIVE) == CHUNKS, "more chunks than there are");
    /* The other one waits for a thread, and so does that of the other arena. */
    REQUIRE(!atomic_load(&second->in_use) && atomic_load(&first->in_use), "in use");
    REQUIRE(pool_get() == second || pool_get() == second, "not in the pool");
    for (size_t n = 0; n < CHUNKS; n++)
        unit_free(arena, chunks[n]);
    unit_trim(arena);
    REQUIRE(unit_unused(arena) == 0, "something is lost");
}

static void test_all_caches_of_an_arena_that_is_rebuilt_are_forgotten(void **state)
{
    (void)state;
    assert_true(unit_child_succeeds(rebuild_shared, NULL));
}

/* Real forks: of a thread that shares its arena, and of one that does not. */
static pthread_barrier_t began, ends;
static void *kept_by_other;

/* A size that shares no larger class with others; see stack_shared(). */
enum { SIZE = 128 };

static void *allocate_and_wait(void *unused)
{
    kept_by_other = ft_malloc(SIZE);
    pthread_barrier_wait(&began);
    pthread_barrier_wait(&ends);
    ft_free(kept_by_other);
    return unused;
}

static void need_repair_first(void *argument)
{
    char **chunks = argument;
    struct cache *cache = thread_self.home;
    struct stack *stack = &cache->stacks.of[size_class_of(SIZE)];

    REQUIRE(thread_self.waits && thread_self.cache == CACHE_NONE &&
                thread_to_malloc() == CACHE_NONE,
            "the cache may be used before the repair");
    REQUIRE(stack_count(stack) > 0, "forgotten already");
    ft_free(chunks[0]);
    REQUIRE(!thread_self.waits && thread_self.cache == cache, "still waiting");
    /* Either in the new stack, or left to the repair. */
    REQUIRE(stack_count(stack) <= 1 && unit_chunk(chunks[0]).kind != STATE_LIVE, "not freed");
    for (unsigned n = 1; n < 3; n++)
        ft_free(chunks[n]);
    ft_free(kept_by_other);
    for (unsigned n = 0; n < 5000; n++)
        REQUIRE(ft_malloc(SIZE) != NULL, "no memory");
    REQUIRE(!arena_is_damaged(cache->arena), "not repaired");
    REQUIRE(unit_count_state(cache->arena, STATE_LIVE) >= 5000, "handed out twice");
}

static void need_no_repair_first(void *argument)
{
    struct cache *cache = thread_self.home;
    struct stack *stack = &cache->stacks.of[size_class_of(SIZE)];
    unsigned count = stack_count(stack);

    REQUIRE(!thread_self.waits && thread_self.cache == cache, "waits for nothing");
    REQUIRE(count > 0 && atomic_load(&cache->arena->survivor), "not its own arena");
    ft_free(*(void **)argument);
    REQUIRE(stack_count(stack) == count + 1, "not the fast path");
}

static void fork_beside_another(void *argument)
{
    bool shared = *(const bool *)argument;
    void *chunks[4];
    pthread_t thread;

    REQUIRE(pool_limit(shared ? 1 : 2), "the limit came too late");
    for (unsigned n = 0; n < 4; n++)
        chunks[n] = ft_malloc(SIZE);
    ft_free(chunks[3]);
    REQUIRE(pthread_barrier_init(&began, NULL, 2) == 0 &&
                pthread_barrier_init(&ends, NULL, 2) == 0 &&
                pthread_create(&thread, NULL, allocate_and_wait, NULL) == 0,
            "no thread");
    pthread_barrier_wait(&began);
    REQUIRE((atomic_load(&arena_list)->next == NULL) == shared, "not as many arenas");
    REQUIRE(unit_child_succeeds(shared ? need_repair_first : need_no_repair_first, chunks),
            "the child failed");
    /* The parent goes on as before. */
    REQUIRE(!thread_self.waits && thread_self.cache == thread_self.home, "slow for ever");
    pthread_barrier_wait(&ends);
    REQUIRE(pthread_join(thread, NULL) == 0, "cannot join");
}

static void test_a_thread_waits_if_its_arena_is_rebuilt(void **state)
{
    (void)state;
    bool shared = true;

    assert_true(unit_child_succeeds(fork_beside_another, &shared));
    shared = false;
    assert_true(unit_child_succeeds(fork_beside_another, &shared));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_arena_is_sound_unless_others_used_it),
        cmocka_unit_test(test_the_thread_that_forks_may_have_no_cache),
        cmocka_unit_test(test_a_single_thread_needs_no_repair),
        cmocka_unit_test(test_an_arena_without_a_thread_is_swept),
        cmocka_unit_test(test_all_caches_of_an_arena_that_is_rebuilt_are_forgotten),
        cmocka_unit_test(test_a_thread_waits_if_its_arena_is_rebuilt),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
