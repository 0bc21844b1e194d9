/*
 * The connection with `ftm run`. Nothing is left open between two events. If ftm is not there any
 * more, or the process may not connect, it goes on as if it had been started without.
 *
 * A child of vfork() shares the memory of its parent until it executes another program, and no fork
 * handler runs in it. So the number of the process is kept, and a process with another number than
 * that says nothing.
 */
#include "connect.h"
#include "checked.h"
#include "signals.h"

#include "run_protocol.h"

#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

CHECKED_API void checked__exit(int) CHECKED_NAME(_exit) __attribute__((noreturn));
CHECKED_API void checked__Exit(int) CHECKED_NAME(_Exit) __attribute__((noreturn));

#pragma weak ft_malloc_dump

static struct sockaddr_un address;
static socklen_t address_length; /* 0: the process was not started by ftm */
/* The number of the process that has to tell its end, or 0. Relaxed: there is nothing behind it. */
static _Atomic pid_t teller;

static _Atomic uint64_t noted_chunk; /* relaxed: whoever tells it has reported it himself */

static int open_connection(void)
{
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

    if (fd >= 0 && connect(fd, (const struct sockaddr *)&address, address_length) == 0)
        return fd;
    if (fd >= 0)
        (void)close(fd);
    return -1;
}

/* Where the kernel lets only ancestors read a process, this lets ftm do it, too. */
static void permit_reader(int fd)
{
    struct ucred reader;
    socklen_t size = sizeof reader;

    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &reader, &size) == 0)
        (void)prctl(PR_SET_PTRACER, reader.pid, 0, 0, 0);
}

static bool send_event(int fd, enum run_event event)
{
    const struct run_message message = {
        .version = RUN_VERSION,
        .event = event,
        .pid = getpid(),
        .parent = getppid(),
        .chunk = atomic_load_explicit(&noted_chunk, memory_order_relaxed)};

    return send(fd, &message, sizeof message, MSG_NOSIGNAL) == (ssize_t)sizeof message;
}

/* Stores the descriptor that came with the reply, or -1. */
static bool receive_reply(int fd, struct run_reply *reply, int *file)
{
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control;
    struct iovec part = {reply, sizeof *reply};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = &control,
                             .msg_controllen = sizeof control};
    const struct cmsghdr *header;
    ssize_t got;

    *file = -1;
    do
        got = recvmsg(fd, &message, MSG_CMSG_CLOEXEC);
    while (got < 0 && errno == EINTR);
    header = CMSG_FIRSTHDR(&message);
    if (got == (ssize_t)sizeof *reply && header != NULL && header->cmsg_type == SCM_RIGHTS)
        memcpy(file, CMSG_DATA(header), sizeof *file);
    return got == (ssize_t)sizeof *reply;
}

static void do_action(int fd, enum run_event event, enum run_action action, int file)
{
    struct run_reply reply;
    int none;

    if (action == RUN_GO_ON || file < 0)
        return;
    if (ft_malloc_dump != NULL)
        (void)ft_malloc_dump(file, action == RUN_WRITE_CONTENTS ? FT_MALLOC_DUMP_CONTENTS : 0);
    (void)close(file);
    if (send_event(fd, event))
        (void)receive_reply(fd, &reply, &none);
}

static void tell(enum run_event event)
{
    int saved_errno = errno, fd = open_connection(), file;
    struct run_reply reply;

    if (fd >= 0) {
        permit_reader(fd);
        if (send_event(fd, event) && receive_reply(fd, &reply, &file))
            do_action(fd, event, (enum run_action)reply.action, file);
        (void)close(fd);
    }
    errno = saved_errno;
}

static void in_child(void)
{
    atomic_store_explicit(&teller, getpid(), memory_order_relaxed);
    tell(RUN_STARTED);
}

/* Only taken under ftm: the process is read before it ends. */
static void abort_later(int number, siginfo_t *info, void *context)
{
    if (!signals_are_handled(number))
        connect_crash();
    signals_pass_on(number, info, context);
}

void connect_begin(void)
{
    const char *name = getenv(RUN_VARIABLE);
    size_t length = name == NULL ? 0 : strlen(name);

    if (length == 0 || length + 1 > sizeof address.sun_path)
        return;
    address.sun_family = AF_UNIX;
    memcpy(address.sun_path + 1, name, length); /* the zero in front says that it is abstract */
    address_length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + length);
    atomic_store_explicit(&teller, getpid(), memory_order_relaxed);
    (void)pthread_atfork(NULL, NULL, in_child);
    tell(RUN_STARTED);
    signals_take(SIGABRT, abort_later);
}

/*
 * What functions that have returned left on the stack would seem to be pointers, and hide leaks.
 * Nothing of it is used any more.
 */
static void __attribute__((noinline)) clear_stack(void)
{
    enum { DEPTH = 32 << 10 };
    char below[DEPTH];

    explicit_bzero(below, sizeof below);
}

/* Once: exit handlers may call _exit(). */
static bool is_first_end(void)
{
    pid_t pid = getpid();

    return address_length != 0 && atomic_compare_exchange_strong_explicit(
                                      &teller, &pid, 0, memory_order_relaxed, memory_order_relaxed);
}

void connect_end(void)
{
    if (!is_first_end())
        return;
    clear_stack();
    tell(RUN_ENDING);
}

void connect_crash(void)
{
    if (is_first_end())
        tell(RUN_CRASHING);
}

void connect_note_chunk(uintptr_t chunk)
{
    atomic_store_explicit(&noted_chunk, chunk, memory_order_relaxed);
}

void checked__exit(int status)
{
    void (*real_exit)(int) __attribute__((noreturn));

    connect_end();
    *(void **)&real_exit = dlsym(RTLD_NEXT, "_exit");
    real_exit(status);
}

void checked__Exit(int status)
{
    checked__exit(status);
}
