/*
 * In a coverage build this is part of every program and of the shared library: counters are also
 * written when a process ends by _exit(), as children of fork do, or by SIGABRT, as misuse does.
 * Each program and library has counters of its own, so _exit() is passed on to the next one that
 * defines it.
 */
#define _GNU_SOURCE 1 // NOLINT: the C library asks for this name
#include <dlfcn.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

extern void __gcov_dump(void);

typedef void exit_function(int status);

__attribute__((visibility("default"), noreturn)) void _exit(int status)
{
    exit_function *next;
    void *found = dlsym(RTLD_NEXT, "_exit");

    __gcov_dump();
    memcpy((void *)&next, (void *)&found, sizeof next);
    if (found != NULL)
        next(status);
    syscall(SYS_exit_group, status);
    abort();
}

static struct sigaction before;

static void at_abort(int signal_number)
{
    __gcov_dump();
    (void)sigaction(SIGABRT, &before, NULL);
    (void)raise(signal_number);
}

__attribute__((constructor)) static void catch_abort(void)
{
    struct sigaction action = {.sa_handler = at_abort, .sa_flags = SA_NODEFER};

    (void)sigaction(SIGABRT, &action, &before);
}
