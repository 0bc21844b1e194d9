/*
 * The text that the word counter reads: the named files, and the files below the named directories,
 * one after the other in one buffer that grows by realloc().
 */
#ifndef EXAMPLES_CORPUS_H
#define EXAMPLES_CORPUS_H

#include <stddef.h>

struct corpus {
    char *text;
    size_t length;
    size_t capacity;
    size_t files;
};

/*
 * Adds the file or directory at `path`, until the corpus has `limit` bytes. Returns 0 if it cannot
 * be read.
 */
int corpus_add(struct corpus *corpus, char *path, size_t limit);

#endif
