/*
 * What calls of the library under test do while others go on: whether they take locks, give up the
 * processor, ask the kernel for memory, and how much processor time they take. How long they take
 * says little, where more threads want to run than there are processors. The linker's --wrap gives
 * us the functions in between.
 */
#ifndef FT_TEST_FAULTS_LOCKS_H
#define FT_TEST_FAULTS_LOCKS_H

#include <stddef.h>
#include <stdint.h>

/* So far, by the calling thread. */
struct locks_use {
    size_t mutexes;         /* locked, or waited for */
    size_t reads;           /* attempts to have the structure lock for reading */
    size_t writes;          /* and for writing */
    size_t kernel;          /* mmap and munmap */
    size_t kernel_in_mutex; /* of these, those with a mutex locked */
    uint64_t longest_ns;    /* processor time with a mutex locked, at most; see locks_time() */
};

struct locks_use locks_use(void);

/*
 * From now on it is measured how long the calling thread has mutexes locked, which takes longer for
 * it.
 */
void locks_time(void);

/* Before a call. */
struct locks_moment {
    struct locks_use use;
    long waits, faults;
    uint64_t cpu;
};

struct locks_moment locks_moment(void);

/* Calls, and how many of them ... */
struct locks_tally {
    size_t calls;
    size_t mapped;          /* asked the kernel for memory, or gave some back */
    size_t locked;          /* took a lock, or waited for one */
    size_t waited;          /* gave up the processor, and did not ask the kernel for memory */
    size_t waited_for_none; /* of these, those without a lock and without a page fault */
    size_t slow; /* took more than a millisecond of processor time, and did not ask the kernel */
    uint64_t longest_ns; /* the most processor time of those that did not ask the kernel */
};

/* Adds the call that began then and ends now. */
void locks_count(struct locks_tally *tally, const struct locks_moment *before);
void locks_add(struct locks_tally *sum, const struct locks_tally *tally);
void locks_print(const char *when, const struct locks_tally *tally);

#endif
