/*
 * The word counter's hash table. The number of buckets doubles when there is one word for each. If
 * there is no memory, the program ends.
 */
#include "word_table.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST_SIZE = 1024 };

static void *must(void *memory)
{
    if (memory == NULL) {
        perror("wordcount");
        exit(EXIT_FAILURE);
    }
    return memory;
}

static uint64_t hash(const char *text)
{
    uint64_t value = 0xcbf29ce484222325;

    while (*text != '\0')
        value = (value ^ (unsigned char)*text++) * 0x100000001b3;
    return value;
}

void word_table_init(struct word_table *table)
{
    *table = (struct word_table){.size = FIRST_SIZE};
    table->buckets = must(calloc(FIRST_SIZE, sizeof(struct word *)));
}

static struct word **bucket_of(const struct word_table *table, const char *text)
{
    return &table->buckets[hash(text) & (table->size - 1)];
}

static void grow(struct word_table *table)
{
    struct word_table bigger = {.size = table->size * 2};

    bigger.buckets = must(calloc(bigger.size, sizeof(struct word *)));
    for (size_t i = 0; i < table->size; i++) {
        struct word *word = table->buckets[i];

        while (word != NULL) {
            struct word *next = word->next;
            struct word **bucket = bucket_of(&bigger, word->text);

            word->next = *bucket;
            *bucket = word;
            word = next;
        }
    }
    free(table->buckets);
    table->buckets = bigger.buckets;
    table->size = bigger.size;
}

void word_table_add(struct word_table *table, char *text, unsigned long count)
{
    struct word **bucket = bucket_of(table, text);
    struct word *word = *bucket;

    table->total += count;
    while (word != NULL && strcmp(word->text, text) != 0)
        word = word->next;
    if (word != NULL) {
        word->count += count;
        free(text);
        return;
    }
    word = must(malloc(sizeof *word));
    *word = (struct word){.next = *bucket, .text = text, .count = count};
    *bucket = word;
    if (++table->words == table->size)
        grow(table);
}

void word_table_merge(struct word_table *to, struct word_table *from)
{
    for (size_t i = 0; i < from->size; i++) {
        struct word *word = from->buckets[i];

        while (word != NULL) {
            struct word *next = word->next;

            word_table_add(to, word->text, word->count);
            free(word);
            word = next;
        }
    }
    free(from->buckets);
    *from = (struct word_table){0};
}

static int by_count(const void *left, const void *right)
{
    const struct word *a = *(struct word *const *)left, *b = *(struct word *const *)right;

    if (a->count != b->count)
        return a->count < b->count ? 1 : -1;
    return strcmp(a->text, b->text);
}

size_t word_table_top(struct word_table *table, struct word **top, size_t wanted)
{
    struct word **all = must(malloc((table->words + 1) * sizeof *all));
    size_t words = 0;

    for (size_t i = 0; i < table->size; i++)
        for (struct word *word = table->buckets[i]; word != NULL; word = word->next)
            all[words++] = word;
    qsort(all, words, sizeof(struct word *), by_count);
    for (size_t i = 0; i < words; i++) {
        if (i < wanted) {
            top[i] = all[i];
            continue;
        }
        free(all[i]->text);
        free(all[i]);
    }
    free(all);
    free(table->buckets);
    *table = (struct word_table){0};
    return words < wanted ? words : wanted;
}
