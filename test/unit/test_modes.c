/*
 * Switching modes while threads run: which fast paths miss then, and that each thread's paths hit
 * again afterwards; threads that end, fork, or begin in their last round of destructors; and
 * requests of other processes.
 */
#include "unit/unit.h"

#include "arena/pool.h"
#include "arena/thread.h"
#include "base/control.h"
#include "base/options.h"
#include "debug/mode_switch.h"
#include "ft_malloc.h"
#include "support/prefixed.h"
#include "support/require.h"
#include "support/sanitized.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

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

/* Writes a request as another process does, and makes the call that answers it. */
static void request(const char *text)
{
    uint64_t old = atomic_load(&control.request);

    strcpy(control.text, text);
    atomic_store(&control.request, ((old >> 32) + 1) << 32 | control_hash(text));
    ft_malloc_trim(0);
}

static void check_answer(const char *text, int error, const char *answer)
{
    request(text);
    REQUIRE(atomic_load(&control.answered) == atomic_load(&control.request), "no answer");
    REQUIRE(control.error == error && strcmp(control.answer, answer) == 0, "%s: %d %s", text,
            control.error, control.answer);
}

static void answer_requests(void *unused)
{
    (void)unused;
    control_serve = mode_serve;
    use();
    check_answer("FT_MALLOC_STATS=1", 0, "1");
    REQUIRE(mode_is_on(MODE_STATS), "off");
    require_paths(false, false);
    check_answer("stats", 0, "1");
    check_answer("stats=0", 0, "0");
    check_answer("harden=1", EPERM,
                 "option FT_MALLOC_HARDEN cannot be changed: "
                 "the chunks that exist have canaries, or have none");
    check_answer("profil=1", EINVAL, "option profil is not known, did you mean FT_MALLOC_PROFILE?");
    check_answer("", EINVAL, "option  is not known");
    check_answer("=", EINVAL, "option  is not known");
}

static void test_requests_are_answered_in_slow_calls(void **state)
{
    (void)state;
    assert_true(unit_child_succeeds(answer_requests, NULL));
}

static void half_a_request(void *unused)
{
    (void)unused;
    control_serve = mode_serve;
    use();
    strcpy(control.text, "sta");
    atomic_store(&control.request, UINT64_C(1) << 32 | control_hash("stats=1"));
    use();
    ft_malloc_trim(0);
    REQUIRE(atomic_load(&control.answered) == 0 && !mode_is_on(MODE_STATS), "half was taken");
    strcpy(control.text, "stats=1");
    ft_malloc_trim(0);
    REQUIRE(atomic_load(&control.answered) != 0 && mode_is_on(MODE_STATS), "not taken");
}

static void test_a_text_is_taken_as_a_whole(void **state)
{
    (void)state;
    assert_true(unit_child_succeeds(half_a_request, NULL));
}

/* Until the other process asks for an end, by a value of FT_MALLOC_CHECK. */
static void serve_others(void *unused)
{
    (void)unused;
    control_serve = mode_serve;
    while (mode_number(MODE_CHECK, 0) != 77)
        ft_free(ft_malloc(1 << 20));
    REQUIRE(mode_number(MODE_LIMIT, 0) == 123456789, "the first request was lost");
}

static bool write_to(pid_t pid, void *to, const void *from, size_t size)
{
    struct iovec local = {(void *)from, size}, remote = {to, size};

    return process_vm_writev(pid, &local, 1, &remote, 1, 0) == (ssize_t)size;
}

static bool ask(pid_t pid, uint64_t number, const char *text)
{
    uint64_t value = number << 32 | control_hash(text), answered = 0;
    struct iovec local = {&answered, sizeof answered};
    struct iovec remote = {&control.answered, sizeof answered};

    if (!write_to(pid, control.text, text, strlen(text) + 1) ||
        !write_to(pid, &control.request, &value, sizeof value))
        return false;
    while (answered != value)
        if (process_vm_readv(pid, &local, 1, &remote, 1, 0) != sizeof answered)
            return false;
    return true;
}

static void test_another_process_sets_options(void **state)
{
    (void)state;
    pid_t pid = fork();
    int status;
    bool asked;

    assert_true(pid >= 0);
    if (pid == 0) {
        serve_others(NULL);
        _exit(0);
    }
    asked = ask(pid, 1, "limit=123456789") && ask(pid, 2, "check=77");
    if (!asked && (errno == EPERM || errno == ENOSYS)) {
        kill(pid, SIGKILL);
        waitpid(pid, &status, 0);
        skip(); /* the sandbox forbids it */
    }
    assert_true(asked);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
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
        cmocka_unit_test(test_requests_are_answered_in_slow_calls),
        cmocka_unit_test(test_a_text_is_taken_as_a_whole),
        cmocka_unit_test(test_another_process_sets_options),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
