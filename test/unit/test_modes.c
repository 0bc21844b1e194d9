/*
 * Switching modes while threads run: which fast paths miss then, and that each thread's paths hit
 * again afterwards; threads that end, fork, or begin in their last round of destructors.
 */
#include "unit/unit.h"

#include "arena/pool.h"
#include "arena/thread.h"
#include "base/options.h"
#include "ft_malloc.h"
#include "support/prefixed.h"
#include "support/require.h"
#include "support/sanitized.h"

#include <limits.h>
#include <pthread.h>

/* Which paths of the thread hit. */
struct paths {
    bool to_malloc, to_free;
};

static struct paths paths(void)
{
    return (struct paths){thread_to_malloc() == thread_self.home,
                          thread_to_free() == thread_self.home};
}

static void require_paths(bool to_malloc, bool to_free)
{
    struct paths now = paths();

    REQUIRE(now.to_malloc == to_malloc && now.to_free == to_free, "malloc %d free %d",
            now.to_malloc, now.to_free);
}

static void set(const char *name, const char *value)
{
    REQUIRE(ft_malloc_set(name, value) == 0, "%s=%s is refused", name, value);
}

/* Makes calls that are slow if a path misses. */
static void use(void)
{
    ft_free(ft_malloc(100));
    ft_free(ft_malloc(1 << 20));
}

static void each_mode(void *unused)
{
    static const struct {
        const char *name, *value;
        bool frees;
    } modes[] = {
        {"stats", "1", true},     {"history", "10", true},  {"profile", "512K", false},
        {"record", "1", true},    {"guard", "1000", false}, {"fill", "1,2", true},
        {"check", "1000", false}, {"limit", "1G", true},    {"fail", "1000000", false},
    };

    (void)unused;
    use();
    require_paths(true, true);
    for (size_t n = 0; n < sizeof modes / sizeof modes[0]; n++) {
        set(modes[n].name, modes[n].value);
        require_paths(false, !modes[n].frees);
        use();
        require_paths(false, !modes[n].frees);
        set(modes[n].name, "0");
        use();
        require_paths(true, true);
    }
}

static void test_each_mode_makes_its_paths_miss(void **state)
{
    (void)state;
    assert_true(unit_child_succeeds(each_mode, NULL));
}

static void modes_together(void *unused)
{
    (void)unused;
    use();
    set("stats", "1");
    set("profile", "1M");
    require_paths(false, false);
    set("stats", "0");
    use();
    require_paths(false, true);
    set("profile", "0");
    use();
    require_paths(true, true);
}

static void test_frees_hit_again_before_malloc_does(void **state)
{
    (void)state;
    assert_true(unit_child_succeeds(modes_together, NULL));
}

static void only_large_calls(void *unused)
{
    (void)unused;
    use();
    set("stats", "1");
    set("stats", "0");
    ft_free(ft_malloc(1 << 20));
    require_paths(true, true);
    set("stats", "1");
    set("stats", "0");
    ft_free(NULL);
    require_paths(true, true);
}

static void test_calls_without_a_heap_notice_that_a_mode_is_off(void **state)
{
    (void)state;
    assert_true(unit_child_succeeds(only_large_calls, NULL));
}

/* The steps of another thread, which the main thread waits for. */
static pthread_barrier_t step;

static void next_step(void)
{
    pthread_barrier_wait(&step);
}

static void *stand_by(void *unused)
{
    (void)unused;
    use();
    require_paths(true, true);
    next_step();
    next_step(); /* the mode is on */
    require_paths(false, false);
    next_step();
    next_step(); /* the mode is off */
    require_paths(false, false);
    use();
    require_paths(true, true);
    return NULL;
}

static void another_thread(void *unused)
{
    pthread_t thread;

    (void)unused;
    pthread_barrier_init(&step, NULL, 2);
    REQUIRE(pthread_create(&thread, NULL, stand_by, NULL) == 0, "no thread");
    next_step();
    set("stats", "1");
    next_step();
    next_step();
    set("stats", "0");
    next_step();
    REQUIRE(pthread_join(thread, NULL) == 0, "not joined");
    /* Its memory is gone now, and its cache waits for another thread. */
    set("stats", "1");
    set("stats", "0");
}

static void test_the_paths_of_other_threads_miss(void **state)
{
    (void)state;
    assert_true(unit_child_succeeds(another_thread, NULL));
}

static pthread_key_t key;
static _Thread_local unsigned destructor_round;

static void in_destructor(void *value)
{
    if (++destructor_round < PTHREAD_DESTRUCTOR_ITERATIONS)
        pthread_setspecific(key, value);
    else
        use();
}

static void *begin_too_late(void *unused)
{
    (void)unused;
    pthread_setspecific(key, &key);
    return NULL;
}

/*
 * The cache of each of these threads still names the thread when its memory has gone; writing there
 * would crash, because the stack has a mapping of the test's own.
 */
static void threads_that_leave_a_cache(void *unused)
{
    enum { STACK = 1 << 20, THREADS = 3 };

    (void)unused;
    use();
    REQUIRE(pthread_key_create(&key, in_destructor) == 0, "no key");
    for (unsigned n = 0; n < THREADS; n++) {
        void *stack = os_map(STACK);
        pthread_attr_t attributes;
        pthread_t thread;

        REQUIRE(stack != NULL && pthread_attr_init(&attributes) == 0 &&
                    pthread_attr_setstack(&attributes, stack, STACK) == 0 &&
                    pthread_create(&thread, &attributes, begin_too_late, NULL) == 0 &&
                    pthread_join(thread, NULL) == 0 && os_unmap(stack, STACK),
                "no thread");
    }
    set("stats", "1");
    set("stats", "0");
    use();
    require_paths(true, true);
}

static void test_threads_that_begin_in_their_last_round(void **state)
{
    (void)state;
    if (sanitized)
        skip(); /* ThreadSanitizer has ended its record of a thread by then */
    assert_true(unit_child_succeeds(threads_that_leave_a_cache, NULL));
}

static void *hold_still(void *unused)
{
    (void)unused;
    use();
    next_step();
    next_step();
    return NULL;
}

static void switch_in_child(void *unused)
{
    (void)unused;
    set("stats", "0");
    use();
    use();
    require_paths(true, true);
    set("fill", "1,2");
    require_paths(false, false);
}

static void fork_with_a_mode(void *unused)
{
    pthread_t thread;

    (void)unused;
    pthread_barrier_init(&step, NULL, 2);
    REQUIRE(pthread_create(&thread, NULL, hold_still, NULL) == 0, "no thread");
    next_step();
    use();
    set("stats", "1");
    REQUIRE(unit_child_succeeds(switch_in_child, NULL), "in the child");
    require_paths(false, false);
    next_step();
    REQUIRE(pthread_join(thread, NULL) == 0, "not joined");
}

static void test_the_child_of_a_fork_switches_modes(void **state)
{
    (void)state;
    assert_true(unit_child_succeeds(fork_with_a_mode, NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_mode_makes_its_paths_miss),
        cmocka_unit_test(test_frees_hit_again_before_malloc_does),
        cmocka_unit_test(test_calls_without_a_heap_notice_that_a_mode_is_off),
        cmocka_unit_test(test_the_paths_of_other_threads_miss),
        cmocka_unit_test(test_threads_that_begin_in_their_last_round),
        cmocka_unit_test(test_the_child_of_a_fork_switches_modes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
