/*
 * The command line of `ftm run`.
 */
#ifndef FTM_RUN_OPTIONS_H
#define FTM_RUN_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

struct run_options {
    const char *output; /* NULL: no snapshots */
    bool contents;
    bool leaks;
    const char *suppressions; /* NULL: none */
    bool plain;               /* without libft_malloc_debug.so */
    bool quiet;
    char **program; /* its arguments, up to a NULL */
};

/*
 * Parses the arguments, and puts the modes into the environment. Returns false after a line on
 * stderr.
 */
bool run_options_parse(int argc, char **argv, struct run_options *options);

/*
 * Puts the libraries in front of LD_PRELOAD. They are those beside ftm, built or installed. Returns
 * false after a line on stderr if there are none.
 */
bool run_libraries_preload(bool plain);

#endif
