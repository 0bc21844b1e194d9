/*
 * Stops all threads of a process for a moment by ptrace, as a debugger does, so that what is read
 * is of one moment and the registers are known. Their system calls go on afterwards; a few, such as
 * epoll_wait(), return EINTR as they do after SIGSTOP and SIGCONT.
 */
#ifndef FTM_STOP_H
#define FTM_STOP_H

#include <stdbool.h>
#include <sys/types.h>

struct source_thread;
struct stop;

/* Returns NULL after a line on stderr, with all threads running. */
struct stop *stop_process(pid_t pid);

/* Lets all threads go on. May be given NULL. */
void stop_release(struct stop *stop);

/* Visits the threads of a struct stop as source_each_thread() does those of a source. */
int stop_each(void *stopped_process,
              int (*visit)(void *context, const struct source_thread *thread), void *context);

#endif
