/*
 * The text that the word counter reads: the files named, and those below the directories named, one after
 * the other in one buffer that grows by realloc.
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

/* Adds what is at `path`, as long as the corpus is shorter than `limit` bytes. False: cannot be read. */
int corpus_add(struct corpus *corpus, char *path, size_t limit);

#endif
