/*
 * Files that name leaks to be left out, in LeakSanitizer's syntax:
 *
 *   # a comment
 *   leak:PATTERN
 *
 * A pattern is looked for anywhere in the name of a function, of its source file, or of its module,
 * in each frame of the stack that allocated the chunk. `*` stands for any text, `^` at the
 * beginning and `$` at the end for the ends of the name.
 */
#ifndef FTM_SUPPRESS_H
#define FTM_SUPPRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct suppression {
    char *pattern;
    /* What it left out, for the report. */
    uint64_t blocks, bytes;
};

struct suppressions {
    struct suppression *list;
    size_t count;
};

/*
 * Adds the lines of a file. Returns false, and writes a line to `errors` that names the file and
 * the line, if it cannot be read or has a line that is no suppression.
 */
bool suppressions_read(struct suppressions *suppressions, const char *path, FILE *errors);
void suppressions_free(struct suppressions *suppressions);

/* Returns the first one that matches the name, or NULL. `name` may be NULL. */
struct suppression *suppressions_match(const struct suppressions *suppressions, const char *name);

bool suppression_matches(const char *pattern, const char *name);

#endif
