/*
 * A table of words and of how often each was seen. It has chained buckets, with one allocation for
 * each word and one for each node, as plain C programs do it. Only one thread may use a table at a
 * time.
 */
#ifndef EXAMPLES_WORD_TABLE_H
#define EXAMPLES_WORD_TABLE_H

#include <stddef.h>

struct word {
    struct word *next;
    char *text;
    unsigned long count;
};

struct word_table {
    struct word **buckets;
    size_t size;
    size_t words;
    unsigned long total;
};

void word_table_init(struct word_table *table);

/*
 * Counts the word. The table takes over `text`, which malloc() returned, and frees it if it already
 * has the word.
 */
void word_table_add(struct word_table *table, char *text, unsigned long count);

/* Moves all words of `from` to `to`. `from` is empty afterwards and holds no memory. */
void word_table_merge(struct word_table *to, struct word_table *from);

/*
 * Takes the `wanted` most frequent words out of the table, best first, and frees all others and the
 * table.
 */
size_t word_table_top(struct word_table *table, struct word **top, size_t wanted);

#endif
