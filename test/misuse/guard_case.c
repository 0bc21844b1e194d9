/*
 * One small program that goes wrong in each round of a loop: `guard_case NAME ROUNDS`. Without a
 * guard it goes on; when it is stopped, by a signal at the wrong access or by a report, it prints
 * the number of the round and exits with 0. If it was not stopped, it exits with 1.
 *
 * In each round it allocates the chunk that it misuses, and nothing else.
 */
#include "support/require.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static volatile sig_atomic_t rounds;
static volatile char sink;

static void overflow_by_one(void)
{
    char *text = malloc(48);

    text[48] = 'x';
    free(text);
}

static void overflow_within_alignment(void)
{
    char *text = malloc(42);

    text[42] = '\0';
    free(text);
}

static void overflow_by_many(void)
{
    char *text = malloc(100);

    memset(text, 'x', 140);
    free(text);
}

static void overflow_of_array(void)
{
    int *numbers = malloc(10 * sizeof *numbers);

    for (int i = 0; i <= 10; i++)
        numbers[i] = i;
    free(numbers);
}

static void overflow_of_string(void)
{
    static const char word[] = "0123456789abcdef";
    char *copy = malloc(strlen(word));

    // NOLINTNEXTLINE: writes behind a chunk
    strcpy(copy, word);
    free(copy);
}

static void overflow_of_calloc(void)
{
    long *numbers = calloc(8, sizeof *numbers);

    numbers[8]++;
    free(numbers);
}

static void overflow_of_large(void)
{
    char *page = malloc(300000);

    page[300000] = 1;
    free(page);
}

static void overflow_of_aligned(void)
{
    char *block = aligned_alloc(64, 192);

    block[192] = 1;
    free(block);
}

static void overflow_of_realloc(void)
{
    char *text = realloc(NULL, 64);

    text[64] = 1;
    free(text);
}

static void overread(void)
{
    char *text = malloc(64);

    // NOLINTNEXTLINE: reads behind a chunk
    sink = text[64];
    free(text);
}

static void overread_of_string(void)
{
    char *text = malloc(32);

    memset(text, 'x', 32);
    sink = (char)strlen(text);
    free(text);
}

static void overread_of_copy(void)
{
    char copy[128], *text = malloc(96);

    memcpy(copy, text, sizeof copy);
    sink = copy[0];
    free(text);
}

static void underflow(void)
{
    char *text = malloc(100);

    text[-1] = 'x';
    free(text);
}

static void underread(void)
{
    char *text = malloc(100);

    // NOLINTNEXTLINE: reads in front of a chunk
    sink = text[-1];
    free(text);
}

static void write_after_free(void)
{
    char *text = malloc(42);

    free(text);
    text[0] = 'x';
}

static void read_after_free(void)
{
    char *text = malloc(42);

    free(text);
    sink = text[41];
}

struct node {
    struct node *next;
    int value;
};

static void walk_after_free(void)
{
    struct node *node = malloc(sizeof *node);

    *node = (struct node){NULL, 1};
    free(node);
    for (const struct node *at = node; at != NULL && sink < 100; at = at->next)
        sink = (char)at->value;
}

static void *free_in_thread(void *chunk)
{
    free(chunk);
    return NULL;
}

static void use_after_thread_freed(void)
{
    char *text = malloc(42);
    pthread_t thread;

    REQUIRE(pthread_create(&thread, NULL, free_in_thread, text) == 0, "no thread");
    pthread_join(thread, NULL);
    text[1] = 'x';
}

static void use_after_realloc(void)
{
    char *text = malloc(42);

    if (realloc(text, 0) == NULL)
        text[1] = 'x';
}

static void use_of_freed_array(void)
{
    long *numbers = calloc(9000, sizeof *numbers);
    long sum = 0;

    free(numbers);
    for (int i = 0; i < 10; i++)
        sum += numbers[i];
    sink = (char)sum;
}

static const struct {
    const char *name;
    void (*once)(void);
} cases[] = {
    {"overflow_by_one", overflow_by_one},
    {"overflow_within_alignment", overflow_within_alignment},
    {"overflow_by_many", overflow_by_many},
    {"overflow_of_array", overflow_of_array},
    {"overflow_of_string", overflow_of_string},
    {"overflow_of_calloc", overflow_of_calloc},
    {"overflow_of_large", overflow_of_large},
    {"overflow_of_aligned", overflow_of_aligned},
    {"overflow_of_realloc", overflow_of_realloc},
    {"overread", overread},
    {"overread_of_string", overread_of_string},
    {"overread_of_copy", overread_of_copy},
    {"underflow", underflow},
    {"underread", underread},
    {"write_after_free", write_after_free},
    {"read_after_free", read_after_free},
    {"walk_after_free", walk_after_free},
    {"use_after_thread_freed", use_after_thread_freed},
    {"use_after_realloc", use_after_realloc},
    {"use_of_freed_array", use_of_freed_array},
};

static void say_caught(int signal)
{
    char line[] = "          \n", *at = line + sizeof line - 2;
    int number = (int)rounds;

    (void)signal;
    do
        *--at = (char)('0' + number % 10);
    while ((number /= 10) > 0);
    _exit(write(STDOUT_FILENO, line, sizeof line - 1) == sizeof line - 1 ? 0 : 2);
}

int main(int argc, char **argv)
{
    void (*once)(void) = NULL;

    REQUIRE(argc == 3, "usage: guard_case NAME ROUNDS");
    for (size_t n = 0; n < sizeof cases / sizeof cases[0]; n++)
        if (strcmp(cases[n].name, argv[1]) == 0)
            once = cases[n].once;
    REQUIRE(once != NULL, "no case named %s", argv[1]);
    signal(SIGSEGV, say_caught);
    signal(SIGBUS, say_caught);
    signal(SIGABRT, say_caught);
    for (long last = strtol(argv[2], NULL, 10); rounds < last;) {
        rounds++;
        once();
    }
    return 1;
}
