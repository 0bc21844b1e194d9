/*
 * One misuse with FT_MALLOC_HISTORY: `history_case NAME`. It first writes to stdout who does what:
 * lines "WORD THREAD FIRST LAST", with the kernel's number of the thread, and the addresses between
 * which the function is that calls the allocator. Then it makes the wrong call.
 */
#include "ft_malloc.h"
#include "support/require.h"

#include <malloc.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// NOLINTNEXTLINE: weak here
extern ft_malloc_error_handler ft_malloc_on_error(ft_malloc_error_handler handler)
    __attribute__((weak));

static char *chunk;

static void say(const char *word, void (*from)(void))
{
    /* No function here is longer than that. */
    printf("%s %d %lx %lx\n", word, gettid(), (unsigned long)(uintptr_t)from,
           (unsigned long)(uintptr_t)from + 200);
    fflush(stdout);
}

static void allocate(void)
{
    say("allocated", allocate);
    chunk = malloc(42);
}

static void reallocate(void)
{
    say("allocated", reallocate);
    chunk = realloc(malloc(10), 42);
}

static void free_once(void)
{
    say("freed", free_once);
    free(chunk);
}

static void free_by_realloc(void)
{
    say("freed", free_by_realloc);
    (void)!realloc(chunk, 100000);
}

static void free_again(void)
{
    say("called", free_again);
    free(chunk);
}

static void free_inside(void)
{
    say("called", free_inside);
    free(chunk + 8);
}

static void resize_again(void)
{
    say("called", resize_again);
    (void)!realloc(chunk, 100);
}

static void ask_for_size(void)
{
    size_t (*volatile usable)(void *) = malloc_usable_size;

    (void)!usable(chunk);
}

static void overflow(void)
{
    say("called", overflow);
    chunk[42] = 'x';
    free(chunk);
}

static void *in_thread(void *function)
{
    void (*call)(void);

    memcpy(&call, &function, sizeof call);
    call();
    return NULL;
}

static void by_other_thread(void (*call)(void))
{
    pthread_t thread;
    void *argument;

    memcpy(&argument, &call, sizeof call);
    REQUIRE(pthread_create(&thread, NULL, in_thread, argument) == 0, "no thread");
    pthread_join(thread, NULL);
}

/* What the handler gets is the first line of the report, without those about the history. */
static void print_message(const struct ft_malloc_error *error)
{
    printf("message %s\n", error->message);
    fflush(stdout);
}

/* Other calls of the same thread, so many that they overwrite what the ring of 100 holds. */
static void make_other_calls(unsigned count)
{
    for (unsigned n = 0; n < count; n++)
        free(malloc(1000));
}

static void run(const char *name)
{
    if (strcmp(name, "double-free") == 0) {
        by_other_thread(allocate);
        by_other_thread(free_once);
        free_again();
    } else if (strcmp(name, "third-free") == 0) {
        allocate();
        by_other_thread(free_once);
        free(chunk);
        free_again();
    } else if (strcmp(name, "moved") == 0) {
        reallocate();
        free_by_realloc();
        free_again();
    } else if (strcmp(name, "realloc") == 0) {
        allocate();
        free_once();
        by_other_thread(resize_again);
    } else if (strcmp(name, "inside") == 0) {
        by_other_thread(allocate);
        free_inside();
    } else if (strcmp(name, "usable-size") == 0) {
        allocate();
        free_once();
        ask_for_size();
    } else if (strcmp(name, "overflow") == 0) {
        by_other_thread(allocate);
        overflow();
    } else if (strcmp(name, "forgotten") == 0) {
        allocate();
        make_other_calls(100);
        free_once();
        free_again();
    } else {
        REQUIRE(false, "no case named %s", name);
    }
}

int main(int argc, char **argv)
{
    REQUIRE(argc == 2, "usage: history_case NAME");
    if (ft_malloc_on_error != NULL)
        ft_malloc_on_error(print_message);
    run(argv[1]);
    return 0;
}
