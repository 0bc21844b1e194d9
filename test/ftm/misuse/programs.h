/*
 * Small programs that misuse memory, each in one way. One program, misuse_program, has all of them;
 * test_misuse_programs.py runs each in a process of its own, hardened, with libft_malloc_debug.so.
 */
#ifndef FT_MISUSE_PROGRAMS_H
#define FT_MISUSE_PROGRAMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* What must happen. */
enum outcome {
    REPORTED, /* SIGABRT, and a line with the text */
    STOPPED,  /* SIGSEGV, and a line with the text */
    HARMLESS, /* the program goes on and comes to no harm: it reads zeros, or gets NULL */
    UNSEEN    /* the mistake is not noticed; the documents say why */
};

struct program {
    const char *name;
    /* Returns whether the mistake was made harmless. */
    bool (*run)(void);
    enum outcome outcome;
    const char *text; /* a regular expression; NULL if there is no line */
};

struct programs {
    const char *kind;
    const struct program *program;
    size_t count;
};

extern const struct programs programs_direct, programs_frees, programs_copies, programs_texts,
    programs_streams, programs_scans, programs_sizes, programs_threads, programs_new,
    programs_remembered, programs_converts, programs_lines, programs_names, programs_arrays,
    programs_fine, programs_fine_calls;

#define PROGRAMS(name, kind)                                                                       \
    const struct programs programs_##name = {kind, table, sizeof table / sizeof table[0]}

/* Returns its argument, which the compiler does not know. */
void *opaque(void *pointer);
size_t opaque_size(size_t size);

/* Returns a chunk whose bytes were all written to. */
char *chunk_of(size_t size);

/* Returns a temporary file that holds the text, and is read from its beginning. */
FILE *file_of(const char *text);

/*
 * Returns the first of two chunks that lie side by side, or NULL if there are none.
 */
char *two_side_by_side(size_t size);

/* scanf() as it was before C99, which programs without a standard, or with an old one, call. */
int old_sscanf(const char *text, const char *format, ...) __asm__("sscanf");

/* Allocates and frees so much that every quarantine has been emptied. */
void churn(size_t size);

#endif
