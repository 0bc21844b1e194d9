/*
 * The child of a fork, before and after the library's own handler has run. Handlers that were
 * registered earlier run first, and they take locks.
 */
#include "unit/unit.h"

#include "arena/fork.h"
#include "arena/remote.h"
#include "arena/thread.h"
#include "base/child.h"
#include "base/structure_lock.h"
#include "large/registry.h"
#include "support/prefixed.h"
#include "support/require.h"

#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

static struct {
    void (*in_child)(void);
    unsigned generation;
    unsigned handlers;
    void *chunk;
} early;

static void run_early(void)
{
    early.handlers++;
    if (early.in_child != NULL)
        early.in_child();
}

/* Registered before the library's own handler, which the first call registers. */
__attribute__((constructor(101))) static void register_early(void)
{
    pthread_atfork(NULL, NULL, run_early);
}

static void need_repairs(unsigned count)
{
    REQUIRE(fork_generation == early.generation + count, "%u repairs instead of %u",
            fork_generation - early.generation, count);
}

static void take_registry(void)
{
    need_repairs(0);
    registry_lock();
    registry_unlock();
    need_repairs(1);
}

static void try_registry(void)
{
    if (registry_try_lock())
        registry_unlock();
    need_repairs(1);
}

static void write_structure(void)
{
    structure_lock_write();
    structure_unlock();
    need_repairs(1);
}

static void read_structure(void)
{
    structure_lock_read();
    structure_unlock();
    need_repairs(1);
}

static void lock_arena(void)
{
    struct arena *arena = atomic_load(&arena_list);

    arena_lock(arena);
    arena_unlock(arena);
    need_repairs(1);
}

/* A chunk that is in a stack of free chunks, so that no lock is needed. */
static void allocate(void)
{
    need_repairs(0);
    REQUIRE(ft_malloc(16) != NULL, "no memory");
    need_repairs(1);
}

static void free_chunk(void)
{
    ft_free(early.chunk);
    need_repairs(1);
}

static void take_nothing(void)
{
    need_repairs(0);
}

static void fork_once_more(void)
{
    int status = -1;
    pid_t pid;

    if (early.handlers > 1) { /* in the child of the child */
        registry_lock();
        registry_unlock();
        need_repairs(2);
        return;
    }
    pid = fork();
    if (pid == 0) {
        need_repairs(2);
        _exit(0);
    }
    REQUIRE(waitpid(pid, &status, 0) == pid && status == 0, "the child of the child failed");
    need_repairs(1);
    REQUIRE(child_self.forking == 0, "this one is not forking any more");
}

static void one_repair(void *argument)
{
    (void)argument;
    REQUIRE(early.handlers == 1, "%u early handlers", early.handlers);
    need_repairs(1);
    REQUIRE(child_self.forking == 0, "still forking");
    REQUIRE(thread_self.cache == thread_self.home, "still slow");
    registry_lock();
    registry_unlock();
    need_repairs(1);
}

static void test_one_repair_in_each_child(void **state)
{
    (void)state;
    static void (*const in_child[])(void) = {
        NULL,       take_registry, try_registry, write_structure, read_structure,
        lock_arena, allocate,      free_chunk,   take_nothing,    fork_once_more};

    early.chunk = ft_malloc(16);
    assert_non_null(early.chunk);
    unit_arena(); /* Repairs are counted only where there is more than one arena. */
    for (size_t n = 0; n < sizeof in_child / sizeof in_child[0]; n++) {
        early.in_child = in_child[n];
        early.generation = fork_generation;
        early.handlers = 0;
        assert_true(unit_child_succeeds(one_repair, NULL));
        assert_int_equal(child_self.forking, 0);
        assert_ptr_equal(thread_self.cache, thread_self.home);
        assert_int_equal(fork_generation, early.generation);
    }
    early.in_child = NULL;
}

/* In a new PID namespace the thread has the same number as in the parent. */
static void test_a_child_with_its_parents_thread_number(void **state)
{
    (void)state;
    unsigned before = fork_generation;

    assert_non_null(ft_malloc(1));
    unit_arena();
    child_begin();
    assert_int_equal(fork_generation, before + 1);
    child_prepare();
    child_begin();
    assert_int_equal(fork_generation, before + 2);
    /* A second handler of the same child. */
    child_begin();
    assert_int_equal(fork_generation, before + 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_repair_in_each_child),
        cmocka_unit_test(test_a_child_with_its_parents_thread_number),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
