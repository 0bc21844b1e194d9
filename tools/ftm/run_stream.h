/*
 * What is written of one process of `ftm run`, from the start of a program in it to its end: its
 * snapshot, its summary, its leaks.
 */
#ifndef FTM_RUN_STREAM_H
#define FTM_RUN_STREAM_H

#include "run_server.h"

struct run_stream {
    pid_t pid;
    /* Counts the programs that were executed in the process, from 1. */
    unsigned sequence;
    bool ended;
};

/*
 * Reads the process, which waits. If it crashes, says what is known of the chunk that its last
 * report was about. Returns false if the kernel does not let us; nothing is written
 * then.
 */
struct run_message;
bool run_stream_read(struct run_server *server, struct run_stream *stream,
                     const struct run_message *message);

/* Makes the file for a snapshot that the process writes by itself. Returns -1 after a line. */
int run_stream_create(struct run_server *server, struct run_stream *stream);

/* Called when that is complete. */
void run_stream_written(struct run_server *server, struct run_stream *stream);

/* Says that the process did not end in an orderly way, or executed another program. */
void run_stream_lost(struct run_server *server, struct run_stream *stream, bool executed);

#endif
