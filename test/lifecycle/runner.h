/*
 * What the life-cycle tests do with each program: run it, require that it succeeded, and that the
 * library under test served it.
 */
#ifndef FT_TEST_LIFECYCLE_RUNNER_H
#define FT_TEST_LIFECYCLE_RUNNER_H

#include "support/child.h"

struct life {
    const char *program;      /* the name of a program of this folder */
    const char *arguments[3]; /* up to three arguments */
    const char *environment;  /* one "NAME=VALUE" line, or NULL */
    size_t address_space;     /* RLIMIT_AS, or 0 for none */
    unsigned timeout_s;       /* 0 means a minute */
};

/* Returns the program's output, which the caller frees. */
void life_run(const struct life *life, const char *preload, struct child_result *result);

/*
 * Runs it under LD_PRELOAD. Fails the test unless the program exits with 0, stderr holds only the
 * statistics line, and that line shows that the library served.
 */
void life_require(const struct life *life, struct child_stats *stats);

#endif
