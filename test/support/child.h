/*
 * Runs a child program, optionally under LD_PRELOAD, and keeps how it ended and what it wrote. A
 * child that hangs is killed and reported as timed out.
 */
#ifndef FT_TEST_SUPPORT_CHILD_H
#define FT_TEST_SUPPORT_CHILD_H

#include <stdbool.h>
#include <stddef.h>

struct child_spec {
    const char *const *argv; /* argv[0] is the program's path; ends with NULL */
    const char *const
        /* "NAME=VALUE" lines that are added to our environment; ends with NULL; may be NULL */
        *environment;
    const char *preload;  /* LD_PRELOAD, or NULL */
    size_t address_space; /* RLIMIT_AS in bytes, or 0 for none */
    unsigned timeout_s;   /* 0 means a minute */
};

struct child_result {
    bool timed_out;
    int exit_code; /* -1 if a signal ended it */
    int signal;    /* 0 if it exited */
    char *out;     /* what it wrote to stdout and to stderr, each followed by a '\0' */
    char *err;
    size_t out_length;
    size_t err_length;
};

/* The statistics line that the library writes at exit with FT_MALLOC_STATS=1. */
struct child_stats {
    unsigned long long malloc_calls;
    unsigned long long free_calls;
    unsigned long long realloc_calls;
    unsigned long long calloc_calls;
    unsigned long long aligned_calls;
    unsigned long long failed_calls;
    unsigned long long bytes;
    unsigned long long arenas;
    unsigned long long heaps;
    unsigned long long large;
};

void child_run(const struct child_spec *spec, struct child_result *result);
void child_free(struct child_result *result);

/* Prints the child's end and output if it did not exit with 0. Returns whether it did. */
bool child_succeeded(const struct child_result *result);

/* Returns false if stderr does not hold exactly one well-formed statistics line. */
bool child_read_stats(const struct child_result *result, struct child_stats *stats);

/*
 * The shared library under test: FT_TEST_LIBRARY in the environment, else the one that the build
 * made.
 */
const char *child_library(void);

#endif
