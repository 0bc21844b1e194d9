/*
 * Walks along frame pointers: this file keeps them (CMakeLists.txt). On the initial stack, in
 * threads, on stacks that are not a thread's own, with broken chains, and with a hook.
 */
#include "unit/unit.h"

#include "debug/hooks.h"
#include "debug/stack_table.h"
#include "debug/unwind.h"
#include "support/prefixed.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

struct walk {
    uintptr_t pcs[STACK_DEPTH_MAX];
    unsigned depth;
    bool truncated;
};

static struct walk walk;
/* Keeps the compiler from making the recursion a loop. */
static volatile unsigned counted;

static __attribute__((noinline)) void take(unsigned most)
{
    walk.depth = unwind_frames(__builtin_frame_address(0), walk.pcs, most, &walk.truncated);
    counted++;
}

static __attribute__((noinline)) void recurse(unsigned depth)
{
    if (depth == 0)
        take(STACK_DEPTH_MAX);
    else
        recurse(depth - 1);
    counted++;
}

/* The frames of a recursion have the same return address. */
static unsigned repeated(void)
{
    unsigned most = 0, run = 0;

    for (unsigned n = 1; n < walk.depth; n++) {
        run = walk.pcs[n] == walk.pcs[n - 1] ? run + 1 : 0;
        most = run > most ? run : most;
    }
    return most + 1;
}

static void test_each_caller_is_found(void **state)
{
    (void)state;
    recurse(10);
    assert_int_equal(repeated(), 10);
    assert_true(walk.depth > 11);
    recurse(20);
    assert_int_equal(repeated(), 20);
}

static void test_too_deep_a_stack_is_cut(void **state)
{
    (void)state;
    recurse(STACK_DEPTH_MAX * 4);
    assert_int_equal(walk.depth, STACK_DEPTH_MAX);
    assert_int_equal(repeated(), STACK_DEPTH_MAX - 1);
    take(1);
    assert_int_equal(walk.depth, 1);
}

/* 16 KiB of frames, of which the walk sees only the first part. */
static __attribute__((noinline)) void recurse_with_room(unsigned depth)
{
    volatile char room[1024];

    room[0] = 1;
    if (depth == 0)
        take(4);
    else
        recurse_with_room(depth - 1);
    counted += (unsigned)room[0];
}

static void test_a_cut_stack_is_said_to_be(void **state)
{
    (void)state;
    recurse_with_room(16);
    assert_int_equal(walk.depth, 4);
    assert_true(walk.truncated);
}

static void *in_thread(void *argument)
{
    recurse((unsigned)(uintptr_t)argument);
    return NULL;
}

static void test_a_threads_stack_is_walked_to_its_end(void **state)
{
    (void)state;
    pthread_t thread;

    assert_int_equal(pthread_create(&thread, NULL, in_thread, pointer_to(10)), 0);
    pthread_join(thread, NULL);
    assert_int_equal(repeated(), 10);
#ifndef __SANITIZE_THREAD__ /* which has so many variables in TLS that the end is not recognised */
    assert_false(walk.truncated);
#endif
}

/* A thread whose stack is cut off from others by a page that nobody may touch. */
static void test_the_end_of_a_stack_is_not_passed(void **state)
{
    (void)state;
    enum { SIZE = 2 << 20 };
    char *memory = mmap(NULL, SIZE + 2 * 65536, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    pthread_attr_t attributes;
    pthread_t thread;

    assert_int_equal(mprotect(memory + 65536, SIZE, PROT_READ | PROT_WRITE), 0);
    pthread_attr_init(&attributes);
    assert_int_equal(pthread_attr_setstack(&attributes, memory + 65536, SIZE), 0);
    assert_int_equal(pthread_create(&thread, &attributes, in_thread, pointer_to(12)), 0);
    pthread_join(thread, NULL);
    pthread_attr_destroy(&attributes);
    assert_int_equal(repeated(), 12);
    munmap(memory, SIZE + 2 * 65536);
}

static void on_signal(int number)
{
    (void)number;
    recurse(5);
}

/* Where the stack is not known, there is one address: that of the caller. */
static void test_a_signal_stack_is_left_alone(void **state)
{
    (void)state;
    static char other_stack[1 << 16];
    const stack_t stack = {.ss_sp = other_stack, .ss_size = sizeof other_stack};
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_ONSTACK};

    assert_int_equal(sigaltstack(&stack, NULL), 0);
    assert_int_equal(sigaction(SIGUSR1, &action, NULL), 0);
    raise(SIGUSR1);
    assert_int_equal(walk.depth, 1);
    assert_true(walk.truncated);
}

/* Frames as an imagined function without a frame pointer might leave them. */
static __attribute__((noinline)) void walk_from(uintptr_t caller, uintptr_t pc_of_caller)
{
    uintptr_t words[64] __attribute__((aligned(16)));
    uintptr_t *first = &words[0], *second = &words[32];

    for (unsigned n = 0; n < 64; n++)
        words[n] = 0;
    first[0] = caller == 1 ? (uintptr_t)second : caller;
    first[1] = (uintptr_t)&walk_from;
    second[1] = pc_of_caller;
    walk.depth = unwind_frames(first, walk.pcs, STACK_DEPTH_MAX, &walk.truncated);
}

static void test_what_is_no_frame_ends_the_walk(void **state)
{
    (void)state;
    char local[64] __attribute__((aligned(16)));
    void *chunk = ft_malloc(100);

    walk_from(1, (uintptr_t)&test_what_is_no_frame_ends_the_walk);
    assert_int_equal(walk.depth, 2);
    walk_from(1, 42);
    assert_int_equal(walk.depth, 1);
    walk_from(1, ~(uintptr_t)0);
    assert_int_equal(walk.depth, 1);
    walk_from(1, (uintptr_t)chunk);
    assert_int_equal(walk.depth, 1);
    walk_from(1, (uintptr_t)local);
    assert_int_equal(walk.depth, 1);
    walk_from(1, (uintptr_t)&walk);
    assert_int_equal(walk.depth, 1);
    walk_from(0, 0);
    assert_int_equal(walk.depth, 1);
    walk_from((uintptr_t)local + 8, 0);
    assert_int_equal(walk.depth, 1);
    walk_from((uintptr_t)environ, 0);
    assert_int_equal(walk.depth, 1);
    walk_from(16, 0);
    assert_int_equal(walk.depth, 1);
    ft_free(chunk);
}

static unsigned hook_calls;
static unsigned hook_depth;

static unsigned hook(void *frame, uintptr_t *pcs, unsigned most, bool *complete)
{
    (void)frame;
    hook_calls++;
    *complete = true;
    for (unsigned n = 0; n < hook_depth && n < most; n++)
        pcs[n] = 1000 + n;
    return hook_depth;
}

/* Must come last, because hooks stay. */
static void test_a_hook_is_asked_first(void **state)
{
    (void)state;
    static const struct ft_malloc_debug_hooks wrong = {.version = DEBUG_HOOKS_VERSION + 1,
                                                       .size = sizeof wrong},
                                              right = {.version = DEBUG_HOOKS_VERSION,
                                                       .size = sizeof right,
                                                       .unwind = hook};

    assert_int_equal(ft_malloc_debug_register(&wrong), -1);
    assert_null(debug_hooks());
    assert_int_equal(ft_malloc_debug_register(&right), 0);
    hook_depth = 7;
    assert_int_equal(unwind_stack(__builtin_frame_address(0), walk.pcs, 10, &walk.truncated), 7);
    assert_false(walk.truncated);
    assert_int_equal(walk.pcs[6], 1006);
    /* If it does not know, the frame pointers are followed. */
    hook_depth = 0;
    assert_true(unwind_stack(__builtin_frame_address(0), walk.pcs, 10, &walk.truncated) > 0);
    assert_int_equal(hook_calls, 2);
    assert_int_not_equal(walk.pcs[0], 1000);
}

static int begin(void **state)
{
    (void)state;
    unwind_init(environ);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_caller_is_found),
        cmocka_unit_test(test_too_deep_a_stack_is_cut),
        cmocka_unit_test(test_a_cut_stack_is_said_to_be),
        cmocka_unit_test(test_a_threads_stack_is_walked_to_its_end),
        cmocka_unit_test(test_the_end_of_a_stack_is_not_passed),
        cmocka_unit_test(test_a_signal_stack_is_left_alone),
        cmocka_unit_test(test_what_is_no_frame_ends_the_walk),
        cmocka_unit_test(test_a_hook_is_asked_first),
    };

    return cmocka_run_group_tests(tests, begin, NULL);
}
