/*
 * `life_fork_stdio N S`: N forks, or as many as start in S seconds (100 or more), while threads are
 * in getline (which holds a stream's lock and allocates) and in fflush(NULL) (which holds the list
 * of streams and waits for a stream). libc's fork takes the list's lock after the pthread_atfork
 * handlers, so an allocator that takes a lock in such a handler deadlocks here.
 */
#include "support/deadline.h"
#include "support/require.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { READERS = 2, LINES = 60 };

static atomic_bool stop;

static FILE *write_lines(void)
{
    FILE *file = tmpfile();
    REQUIRE(file != NULL, "tmpfile failed");
    for (int n = 0; n < LINES; n++) {
        for (int i = 0; i < n * n; i++)
            (void)fputc('a' + n % 26, file);
        (void)fputc('\n', file);
    }
    return file;
}

static void read_lines(FILE *file)
{
    char *line = NULL;
    size_t capacity = 0;
    rewind(file);
    for (int n = 0; n < LINES; n++) {
        ssize_t length = getline(&line, &capacity, file);
        REQUIRE(length == n * n + 1, "line %d has %zd bytes", n, length);
        REQUIRE(length == 1 || line[length - 2] == 'a' + n % 26, "line %d was changed", n);
    }
    free(line);
}

static void *keep_reading(void *unused)
{
    (void)unused;
    FILE *file = write_lines();
    while (!atomic_load(&stop))
        read_lines(file);
    (void)fclose(file);
    return NULL;
}

static void *keep_flushing(void *unused)
{
    (void)unused;
    while (!atomic_load(&stop))
        (void)fflush(NULL);
    return NULL;
}

/*
 * fflush(NULL) must not be called here, because it would move the file offsets that the parent's
 * readers share.
 */
static void live_as_child(void)
{
    FILE *file = write_lines();
    read_lines(file);
    (void)fclose(file);
    _exit(0);
}

int main(int argc, char **argv)
{
    REQUIRE(argc == 3, "usage: life_fork_stdio N S");
    size_t count = strtoul(argv[1], NULL, 10);
    time_t deadline = deadline_in(strtol(argv[2], NULL, 10));
    pthread_t threads[READERS + 1];
    for (size_t t = 0; t <= READERS; t++)
        REQUIRE(pthread_create(&threads[t], NULL, t < READERS ? keep_reading : keep_flushing,
                               NULL) == 0,
                "pthread_create failed");
    size_t n = 0;
    for (; !deadline_enough(n, count, deadline); n++) {
        int status = 0;
        pid_t pid = fork();
        REQUIRE(pid >= 0, "fork failed");
        if (pid == 0)
            live_as_child();
        REQUIRE(waitpid(pid, &status, 0) == pid && status == 0, "a child ended with status 0x%x",
                (unsigned)status);
    }
    atomic_store(&stop, 1);
    for (size_t t = 0; t <= READERS; t++)
        pthread_join(threads[t], NULL);
    printf("%zu forks beside stdio\n", n);
    return 0;
}
