/*
 * What calls of the library under test do while other threads go on: whether they take locks, give
 * up the processor or ask the kernel for memory, and how much processor time they take. Elapsed
 * time says little where more threads want to run than there are processors. The linker's --wrap
 * option puts these functions in between.
 */
#ifndef FT_TEST_FAULTS_LOCKS_H
#define FT_TEST_FAULTS_LOCKS_H

#include <stddef.h>
#include <stdint.h>

/* Counts of the calling thread so far. */
struct locks_use {
    size_t mutexes;         /* mutexes locked or waited for */
    size_t visited;         /* waits for a thread that works for this thread's arena */
    size_t reads;           /* attempts to take the structure lock for reading */
    size_t writes;          /* and for writing */
    size_t kernel;          /* calls of mmap and munmap */
    size_t kernel_in_mutex; /* those of them that were made with a mutex locked */
    uint64_t longest_ns;    /* the longest processor time with a mutex locked; see locks_time() */
};

struct locks_use locks_use(void);

/* Starts measuring how long the calling thread keeps mutexes locked, which slows it down. */
void locks_time(void);

/* To be called before a call of the library. */
struct locks_moment {
    struct locks_use use;
    long waits, faults;
    uint64_t cpu;
};

struct locks_moment locks_moment(void);

/* The number of calls, and how many of them ... */
struct locks_tally {
    size_t calls;
    size_t mapped;          /* asked the kernel for memory, or gave some back */
    size_t locked;          /* took a lock, or waited for one */
    size_t waited;          /* gave up the processor, and did not ask the kernel for memory */
    size_t waited_for_none; /* those of them without a lock, visitor, or page fault */
    size_t slow; /* took more than a millisecond of processor time, and did not ask the kernel */
    uint64_t longest_ns; /* the longest processor time of those that did not ask the kernel */
};

/* Adds the call that began at locks_before() and ends now. */
void locks_count(struct locks_tally *tally, const struct locks_moment *before);
void locks_add(struct locks_tally *sum, const struct locks_tally *tally);
void locks_print(const char *when, const struct locks_tally *tally);

#endif
