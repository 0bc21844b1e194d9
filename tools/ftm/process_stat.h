/*
 * What the kernel says about a process and its threads.
 */
#ifndef FTM_PROCESS_STAT_H
#define FTM_PROCESS_STAT_H

#include <stdbool.h>
#include <stdint.h>

struct process_stat {
    uint64_t resident, swapped; /* bytes */
    uint64_t cpu_ns;            /* processor time used so far, by all threads */
    unsigned threads;
};

/* Returns false if there is no such process. */
bool process_stat_read(int pid, struct process_stat *stat);

/* The numbers of the process's threads, to be freed, and how many there are. */
int *process_threads(int pid, unsigned *count);

/* A thread's name and processor time. Returns false if it has ended. */
bool process_thread_read(int pid, int tid, char name[16], uint64_t *cpu_ns);

/*
 * Returns whether no thread runs, or is about to. *switches tells how often they ran so far: if it
 * is the same later, none did in between.
 */
bool process_rests(int pid, uint64_t *switches);

#endif
