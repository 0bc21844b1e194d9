/*
 * FT_MALLOC_DUMP=FD[,exit],SIGNAL: a snapshot whenever the process gets the signal. The handler may
 * have interrupted malloc, and a snapshot takes locks. So the handler only writes a byte into a
 * pipe, and a thread of this library, which waits there, writes the snapshot. What the program
 * wants with the signal is done, too, unless that is the default action.
 */
#include "dump_signal.h"
#include "checked.h"
#include "signals.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#pragma weak ft_malloc_dump

/* Constant after the constructor. */
static int dump_fd, dump_number;
/* Written before the thread starts, also in the child of a fork. Relaxed: it is one word. */
static _Atomic int wake = -1;

/* Returns the number of a signal such as "USR1", "SIGUSR1" or "10"; 0 if there is none. */
static int number_of(const char *name)
{
    char *end;
    long number = strtol(name, &end, 10);

    if (*name != '\0' && *end == '\0' && number > 0 && number < NSIG)
        return (int)number;
    if (strncmp(name, "SIG", 3) == 0)
        name += 3;
    for (int each = 1; each < NSIG; each++) {
        const char *known = sigabbrev_np(each);

        if (known != NULL && strcmp(known, name) == 0)
            return each;
    }
    return 0;
}

/* What follows the last comma, unless that is "exit", is the signal. */
static bool parse(const char *text)
{
    const char *comma = text == NULL ? NULL : strrchr(text, ',');
    char *end;
    long fd;

    if (comma == NULL || strcmp(comma + 1, "exit") == 0)
        return false;
    fd = strtol(text, &end, 10);
    dump_fd = (int)fd;
    dump_number = number_of(comma + 1);
    return end != text && fd >= 0 && dump_number != 0;
}

static void *write_snapshots(void *argument)
{
    int woken = (int)(uintptr_t)argument;
    ssize_t got;
    char byte;

    while ((got = read(woken, &byte, 1)) == 1 || (got < 0 && errno == EINTR))
        if (got == 1)
            (void)ft_malloc_dump(dump_fd, 0);
    return NULL;
}

/* The thread takes no signals away from those of the program. */
static void start_thread(void)
{
    sigset_t all, before;
    pthread_t thread;
    int ends[2];

    if (pipe2(ends, O_CLOEXEC) != 0)
        return;
    atomic_store_explicit(&wake, ends[1], memory_order_relaxed);
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    if (pthread_create(&thread, NULL, write_snapshots, pointer_to((uintptr_t)ends[0])) == 0)
        (void)pthread_detach(thread);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
}

static void handle(int number, siginfo_t *info, void *context)
{
    int saved_errno = errno;

    /* A full pipe holds enough wishes. */
    (void)!write(atomic_load_explicit(&wake, memory_order_relaxed), "", 1);
    errno = saved_errno;
    if (signals_are_handled(number))
        signals_pass_on(number, info, context);
}

void dump_signal_begin(void)
{
    if (ft_malloc_dump == NULL || !parse(getenv("FT_MALLOC_DUMP")))
        return;
    start_thread();
    (void)pthread_atfork(NULL, NULL, start_thread);
    signals_take(dump_number, handle);
}
