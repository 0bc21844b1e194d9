/*
 * Compares walks by kept rules with libgcc's: without frame pointers, with frames of variable size,
 * in a destructor during an exception, in a signal handler, after jumps, at random, on stacks that
 * take turns, and in a module that is replaced.
 */
extern "C" {
#include "last_walk.h"
#include "stack_walk.h"
}

#include <alloca.h>
#include <csetjmp>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <dlfcn.h>
#include <stdexcept>
#include <thread>
#include <ucontext.h>
#include <utility>

namespace
{

enum { MOST = 64, DEEP = 20 };

__attribute__((noinline)) void compare(unsigned least)
{
    uintptr_t kept[MOST], told[MOST];
    bool kept_complete = false, told_complete = false;
    void *frame = __builtin_frame_address(0);
    unsigned depth = stack_walk(frame, kept, MOST, &kept_complete);
    unsigned expected = stack_walk_tables(frame, told, MOST, &told_complete);

    if (depth < least || depth != expected || kept_complete != told_complete ||
        (least > 0 && !kept_complete) || last_walk_get()->depth == 0 ||
        memcmp(kept, told, depth * sizeof *kept) != 0) {
        (void)fprintf(stderr, "%u frames of %u, complete %d %d\n", depth, expected, kept_complete,
                      told_complete);
        abort();
    }
}

/* Where the innermost call of aligned() jumps to, if anywhere. */
thread_local jmp_buf *leave;

struct Destroyed {
    ~Destroyed()
    {
        compare(3);
    }
};

__attribute__((noinline)) int descend(int left, bool fail)
{
    auto *room = static_cast<volatile char *>(alloca(static_cast<size_t>(left) * 7 + 1));
    Destroyed destroyed;

    room[0] = 1;
    if (left == 0) {
        compare(DEEP);
        if (fail)
            throw std::runtime_error("back");
        return 0;
    }
    return descend(left - 1, fail) + room[0];
}

__attribute__((noinline)) int aligned(int left)
{
    alignas(64) volatile char room[100];

    room[0] = 1;
    if (left == 0) {
        compare(DEEP);
        if (leave != nullptr)
            longjmp(*std::exchange(leave, nullptr), 1);
    }
    return left == 0 ? 0 : aligned(left - 1) + room[0];
}

/* Leaves frames behind without a return, and comes to the same places at other depths. */
void jump()
{
    static thread_local jmp_buf back;
    volatile int left = DEEP + 6;

    if (setjmp(back) != 0)
        compare(2);
    if (left > DEEP) {
        left = left - 1;
        leave = &back;
        (void)aligned(left);
    }
}

/*
 * Calls and returns at random, mostly several between two walks, so that these come to the same
 * places by other callers: two of them have frames of one size, one has a frame pointer. It gets
 * deeper than what is kept of a walk.
 */
thread_local unsigned chance = 1, calls = 60000;

void wander();

__attribute__((noinline)) int by_one_way()
{
    volatile char room[40];

    room[0] = 1;
    wander();
    return room[0];
}

__attribute__((noinline)) int by_other_way()
{
    volatile char room[40];

    room[0] = 2;
    wander();
    return room[0];
}

__attribute__((noinline)) int by_long_way()
{
    volatile char room[104];

    room[0] = 4;
    wander();
    return room[0];
}

__attribute__((noinline)) int with_pointer()
{
    auto *room = static_cast<volatile char *>(alloca((chance >> 8) % 2 * 64 + 1));

    room[0] = 3;
    wander();
    return room[0];
}

__attribute__((noinline)) void wander()
{
    int (*const ways[])() = {by_one_way, by_other_way, by_long_way, with_pointer};

    while (calls > 0) {
        calls--;
        chance = chance * 1103515245 + 12345;
        if ((chance >> 16) % 12 == 0)
            compare(0);
        if ((chance >> 20) % 100 < 48)
            break;
        (void)ways[(chance >> 26) % 4]();
    }
}

ucontext_t here, there;

void coroutine()
{
    for (;;) {
        (void)aligned(DEEP);
        (void)swapcontext(&there, &here);
    }
}

/* Two stacks in turn, so that neither walk says anything of the other. */
void switch_stacks()
{
    static char stack[256 << 10];

    if (getcontext(&there) != 0)
        abort();
    there.uc_stack.ss_sp = stack;
    there.uc_stack.ss_size = sizeof stack;
    makecontext(&there, coroutine, 0);
    for (int n = 0; n < 5; n++) {
        (void)swapcontext(&here, &there);
        (void)descend(DEEP + n, false);
    }
}

void handle(int /*unused*/)
{
    compare(3);
}

void walk_all()
{
    for (int n = 0; n < 3; n++) {
        (void)descend(DEEP, false);
        (void)aligned(DEEP);
        try {
            (void)descend(DEEP, true);
        } catch (const std::runtime_error &) {
            compare(2);
        }
        (void)raise(SIGUSR1);
        jump();
    }
    while (calls > 0)
        wander();
}

void compare_in_module()
{
    compare(3);
}

/* Returns where the function was. */
void *walk_in(const char *path)
{
    void *module = dlopen(path, RTLD_NOW | RTLD_LOCAL), *function;

    if (module == nullptr || (function = dlsym(module, "walk_plugin")) == nullptr)
        abort();
    reinterpret_cast<void (*)(void (*)())>(function)(compare_in_module);
    (void)dlclose(module);
    return function;
}

} // namespace

// NOLINTNEXTLINE: an exception that nobody catches is a failure
int main(int count, char **arguments)
{
    int same = 0;

    if (count != 3)
        return 2;
    stack_walk_begin();
    (void)signal(SIGUSR1, handle);
    std::thread other(walk_all);
    walk_all();
    other.join();
    switch_stacks();
    for (int n = 0; n < 10; n++)
        same += walk_in(arguments[1]) == walk_in(arguments[2]);
    /* Otherwise the modules have not replaced each other, and nothing was tested. */
    return same > 0 ? 0 : 1;
}
