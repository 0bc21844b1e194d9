/*
 * The side of `ftm run` that processes talk to: run_protocol.h.
 */
#ifndef FTM_RUN_SERVER_H
#define FTM_RUN_SERVER_H

#include "run_options.h"

#include <signal.h>
#include <sys/types.h>

struct run_stream;

struct run_server {
    const struct run_options *options;
    pid_t program;
    int listening;
    int children;  /* readable when a child has ended */
    sigset_t mask; /* what was blocked before, for the program */
    struct run_stream *streams;
    size_t count, room;
    bool leaked; /* some process has leaks */
};

/*
 * Called before the program is started: makes the socket, and puts its name into the environment.
 * Returns false after a line on stderr.
 */
bool run_server_begin(struct run_server *server, const struct run_options *options);

/* Serves processes until the program has ended. Returns what wait() says of it. */
int run_server_work(struct run_server *server);

/* Says what became of processes that started and did not end in an orderly way. */
void run_server_end(struct run_server *server);

#endif
