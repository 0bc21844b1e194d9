/*
 * What processes that `ftm run` started tell it, through libft_malloc_debug.so. The environment
 * variable FTM_RUN holds the name of an abstract socket (unix(7), SOCK_SEQPACKET). For each event a
 * process connects, sends one message, and reads one reply.
 */
#ifndef FTM_RUN_PROTOCOL_H
#define FTM_RUN_PROTOCOL_H

#include <stdint.h>

#define RUN_VARIABLE "FTM_RUN"
enum { RUN_VERSION = 1 };

enum run_event {
    RUN_STARTED, /* a program was loaded, or a child was forked; the reply is RUN_GO_ON */
    RUN_ENDING,  /* exit handlers have run; the process waits, so that it can be read */
    RUN_CRASHING /* the process waits in the handler of a signal; it can write nothing by itself */
};

struct run_message {
    uint32_t version;
    uint32_t event;
    int32_t pid, parent;
    uint64_t chunk; /* of the last report that was made, or 0 */
};

enum run_action {
    RUN_GO_ON,
    /*
     * Nobody may read the process. A descriptor comes with the reply; the process writes a snapshot
     * to it by itself, and then sends a second message, the same as the first.
     */
    RUN_WRITE,
    RUN_WRITE_CONTENTS
};

struct run_reply {
    uint32_t action;
};

#endif
