/*
 * A word counter with threads. Each thread counts the words of pieces of a text in a hash table of
 * its own, with an allocation for each line and each word. The main thread then merges the tables,
 * and so frees what the others allocated. The program works with any allocator, and calls
 * show_alloc_mem() if there is one.
 */
#include "corpus.h"
#include "word_table.h"

#include <ctype.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum {
    CORPUS_LIMIT = 16 << 20,
    WORK = 192 << 20,
    PIECE = 256 << 10,
    THREADS_MIN = 2,
    THREADS_MAX = 16,
    TOP = 10,
};

extern void show_alloc_mem(void) __attribute__((weak));

struct job {
    const struct corpus *corpus;
    size_t pieces;
    _Atomic size_t next_piece;
};

struct worker {
    pthread_t thread;
    struct job *job;
    struct word_table table;
};

static _Noreturn void fail(const char *what)
{
    perror(what);
    exit(EXIT_FAILURE);
}

static void count_word(struct word_table *table, const char *word, size_t length)
{
    char *copy = malloc(length + 1);

    if (copy == NULL)
        fail("wordcount");
    for (size_t i = 0; i < length; i++)
        copy[i] = (char)tolower((unsigned char)word[i]);
    copy[length] = '\0';
    word_table_add(table, copy, 1);
}

static void count_line(struct word_table *table, const char *line)
{
    while (*line != '\0') {
        size_t length = 0;

        while (isalpha((unsigned char)line[length]))
            length++;
        if (length > 0)
            count_word(table, line, length);
        line += length > 0 ? length : 1;
    }
}

static void count_piece(struct word_table *table, const char *text, size_t length)
{
    const char *end = text + length;

    while (text < end) {
        const char *newline = memchr(text, '\n', (size_t)(end - text));
        size_t line_length = newline != NULL ? (size_t)(newline - text) : (size_t)(end - text);
        char *line = strndup(text, line_length);

        if (line == NULL)
            fail("wordcount");
        count_line(table, line);
        free(line);
        text += line_length + 1;
    }
}

static void *work(void *argument)
{
    struct worker *worker = argument;
    const struct corpus *corpus = worker->job->corpus;
    size_t piece;

    word_table_init(&worker->table);
    while ((piece = atomic_fetch_add(&worker->job->next_piece, 1)) < worker->job->pieces) {
        size_t start = piece * PIECE % corpus->length;
        size_t left = corpus->length - start;

        count_piece(&worker->table, corpus->text + start, left < PIECE ? left : PIECE);
    }
    return NULL;
}

/*
 * Counts the corpus again and again until WORK bytes are done, because a single pass over
 * /usr/include would take no time.
 */
static void count_words(const struct corpus *corpus, size_t threads, struct word_table *result)
{
    struct worker workers[THREADS_MAX];
    struct job job = {.corpus = corpus, .pieces = WORK / PIECE};

    for (size_t i = 0; i < threads; i++) {
        workers[i].job = &job;
        if (pthread_create(&workers[i].thread, NULL, work, &workers[i]) != 0)
            fail("pthread_create");
    }
    word_table_init(result);
    for (size_t i = 0; i < threads; i++) {
        pthread_join(workers[i].thread, NULL);
        word_table_merge(result, &workers[i].table);
    }
}

static double seconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static size_t thread_count(void)
{
    long processors = sysconf(_SC_NPROCESSORS_ONLN);

    if (processors < THREADS_MIN)
        return THREADS_MIN;
    return processors > THREADS_MAX ? THREADS_MAX : (size_t)processors;
}

static void print_words(struct word **top, size_t count)
{
    printf("The %zu most frequent:\n", count);
    for (size_t i = 0; i < count; i++)
        printf("%10lu  %s\n", top[i]->count, top[i]->text);
}

/*
 * Only the text, the printed words and the C library's own memory are left, so the list fits on a
 * screen.
 */
static void show_memory(void)
{
    fflush(stdout);
    if (show_alloc_mem == NULL) {
        printf("\nshow_alloc_mem: not with this allocator\n");
        return;
    }
    printf("\nshow_alloc_mem of this process, now:\n");
    fflush(stdout);
    show_alloc_mem();
}

static void free_words(struct word **top, size_t found)
{
    for (size_t i = 0; i < found; i++) {
        free(top[i]->text);
        free(top[i]);
    }
}

int main(int argc, char **argv)
{
    int summary = argc > 1 && strcmp(argv[1], "--summary") == 0;
    int show = argc > 1 && strcmp(argv[1], "--show-alloc-mem") == 0;
    struct corpus corpus = {0};
    struct word_table words;
    struct word *top[TOP];
    struct rusage usage;
    double start, elapsed;
    size_t found, distinct;

    for (int i = summary || show ? 2 : 1; i < argc; i++)
        if (!corpus_add(&corpus, argv[i], CORPUS_LIMIT))
            fail(argv[i]);
    if (corpus.length == 0) {
        fprintf(stderr, "usage: wordcount [--summary | --show-alloc-mem] FILE-OR-DIRECTORY...\n");
        return EXIT_FAILURE;
    }
    start = seconds();
    count_words(&corpus, thread_count(), &words);
    distinct = words.words;
    if (!summary)
        printf(
            "%lu words, %zu different ones, in %d MiB of text (%zu files, repeated), %zu threads\n",
            words.total, distinct, WORK >> 20, corpus.files, thread_count());
    found = word_table_top(&words, top, TOP);
    elapsed = seconds() - start;
    getrusage(RUSAGE_SELF, &usage);
    if (summary)
        printf("%.3f %ld\n", elapsed, usage.ru_maxrss);
    else
        print_words(top, found);
    if (show)
        show_memory();
    free_words(top, found);
    free(corpus.text);
    return EXIT_SUCCESS;
}
