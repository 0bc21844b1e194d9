/*
 * Serves the processes of `ftm run`, one message after the other. A process that ends waits for its
 * reply, so it can be read as if it went on.
 */
#include "run_server.h"

#include "command.h"
#include "memory.h"
#include "run_protocol.h"
#include "run_stream.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

/*
 * A child that ends wakes poll() through a descriptor. The signal is blocked before there is a
 * child, so that none is missed.
 */
static void watch_children(struct run_server *server)
{
    sigset_t set;

    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGCHLD);
    (void)sigprocmask(SIG_BLOCK, &set, &server->mask);
    server->children = signalfd(-1, &set, SFD_CLOEXEC);
}

bool run_server_begin(struct run_server *server, const struct run_options *options)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    uint64_t random = 0;
    int length;

    *server = (struct run_server){.options = options, .listening = -1};
    watch_children(server);
    (void)getrandom(&random, sizeof random, 0);
    length = snprintf(address.sun_path + 1, sizeof address.sun_path - 1, "ftm-run-%d-%016llx",
                      (int)getpid(), (unsigned long long)random);
    server->listening = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (server->listening < 0 ||
        bind(server->listening, (const struct sockaddr *)&address,
             (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)length)) != 0 ||
        listen(server->listening, SOMAXCONN) != 0 ||
        setenv(RUN_VARIABLE, address.sun_path + 1, 1) != 0) {
        say_error(errno, "cannot make a socket");
        return false;
    }
    return true;
}

/* The latest image of the process, or NULL. */
static struct run_stream *stream_of(struct run_server *server, pid_t pid)
{
    for (size_t i = server->count; i-- > 0;)
        if (server->streams[i].pid == pid)
            return &server->streams[i];
    return NULL;
}

static struct run_stream *add_stream(struct run_server *server, pid_t pid)
{
    const struct run_stream *last = stream_of(server, pid);
    unsigned sequence = last == NULL ? 1 : last->sequence + 1;

    server->streams =
        memory_grow(server->streams, &server->room, server->count, sizeof server->streams[0]);
    server->streams[server->count] = (struct run_stream){.pid = pid, .sequence = sequence};
    return &server->streams[server->count++];
}

static void reply(int fd, enum run_action action, int file)
{
    struct run_reply answer = {.action = action};
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control;
    struct iovec part = {&answer, sizeof answer};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};

    if (file >= 0) {
        message.msg_control = &control;
        message.msg_controllen = sizeof control;
        control.header = (struct cmsghdr){
            .cmsg_len = CMSG_LEN(sizeof file), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
        memcpy(CMSG_DATA(&control.header), &file, sizeof file);
    }
    (void)sendmsg(fd, &message, MSG_NOSIGNAL);
}

static bool receive(int fd, struct run_message *message)
{
    return recv(fd, message, sizeof *message, 0) == (ssize_t)sizeof *message &&
           message->version == RUN_VERSION;
}

/* The process writes its snapshot itself, and says when it is complete. */
static void let_it_write(struct run_server *server, struct run_stream *stream, int fd)
{
    bool contents = server->options->contents || server->options->leaks;
    int file = run_stream_create(server, stream);
    struct run_message message;

    if (file < 0)
        return;
    reply(fd, contents ? RUN_WRITE_CONTENTS : RUN_WRITE, file);
    (void)close(file);
    if (receive(fd, &message))
        run_stream_written(server, stream);
}

/*
 * A process cannot be trusted to name itself: it may be in a namespace of its own. The kernel tells
 * its number.
 */
static pid_t peer_of(int fd)
{
    struct ucred peer;
    socklen_t size = sizeof peer;

    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 ? peer.pid : 0;
}

static void serve(struct run_server *server, int fd)
{
    struct run_message message;
    pid_t pid = peer_of(fd);
    struct run_stream *stream;

    if (!receive(fd, &message) || pid == 0)
        return;
    if (message.event == RUN_STARTED) {
        (void)add_stream(server, pid);
    } else {
        stream = stream_of(server, pid);
        if (stream == NULL || stream->ended)
            stream = add_stream(server, pid);
        stream->ended = true;
        if (!run_stream_read(server, stream, &message) && message.event == RUN_ENDING)
            let_it_write(server, stream, fd);
    }
    reply(fd, RUN_GO_ON, -1);
}

static void accept_one(struct run_server *server)
{
    /* A process that connects and says nothing must not keep the others waiting. */
    const struct timeval patience = {.tv_sec = 5};
    int fd = accept4(server->listening, NULL, NULL, SOCK_CLOEXEC);

    if (fd < 0)
        return;
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    serve(server, fd);
    (void)close(fd);
}

int run_server_work(struct run_server *server)
{
    struct pollfd wanted[2] = {{.fd = server->listening, .events = POLLIN},
                               {.fd = server->children, .events = POLLIN}};
    struct signalfd_siginfo ignored;
    int status = 0;

    while (poll(wanted, 2, -1) >= 0 || errno == EINTR) {
        if (wanted[0].revents & POLLIN)
            accept_one(server);
        if ((wanted[1].revents & POLLIN) == 0 ||
            read(wanted[1].fd, &ignored, sizeof ignored) != (ssize_t)sizeof ignored)
            continue;
        if (waitpid(server->program, &status, WNOHANG) == server->program)
            break;
    }
    return status;
}

void run_server_end(struct run_server *server)
{
    for (size_t i = 0; i < server->count; i++)
        if (!server->streams[i].ended)
            run_stream_lost(server, &server->streams[i],
                            stream_of(server, server->streams[i].pid) != &server->streams[i]);
    free(server->streams);
    (void)close(server->listening);
    (void)close(server->children);
}
