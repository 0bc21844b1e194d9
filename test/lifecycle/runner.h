/*
 * What the life-cycle tests do with each program: run it, require that it succeeded, and that the
 * library under test served it.
 */
#ifndef FT_TEST_LIFECYCLE_RUNNER_H
#define FT_TEST_LIFECYCLE_RUNNER_H

#include "support/child.h"

struct life {
    const char *program;      /* the name of a program of this folder */
    const char *arguments[3]; /* up to three */
    const char *environment;  /* one "NAME=VALUE" line, or NULL */
    size_t address_space;     /* RLIMIT_AS, 0: none */
    unsigned timeout_s;       /* 0: a minute */
};

/* The caller frees the result. */
void life_run(const struct life *life, const char *preload, struct child_result *result);

/*
 * Under LD_PRELOAD; fails the test unless it exits with 0, stderr holds the statistics line alone,
 * and malloc served.
 */
void life_require(const struct life *life, struct child_stats *stats);

#endif
