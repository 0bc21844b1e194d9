/*
 * A table of words and how often each was seen: chained buckets, an allocation for each word and
 * one for each node, as plain C programs do it. A table belongs to one thread at a time.
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
 * Counts the word. The table takes `text`, which came from malloc, and frees it if it knows the
 * word.
 */
void word_table_add(struct word_table *table, char *text, unsigned long count);

/* Moves all of `from` into `to`; `from` is empty afterwards and holds no memory. */
void word_table_merge(struct word_table *to, struct word_table *from);

/*
 * Takes the `wanted` most frequent words out of the table, best first, and frees all others and the
 * table.
 */
size_t word_table_top(struct word_table *table, struct word **top, size_t wanted);

#endif
