/*
 * `fault_cancel_output show|free`: what a thread leaves behind that is cancelled while the library
 * writes for it.
 * show: the thread is in show_alloc_mem, on a pipe that is read slowly. The call is no cancellation
 * point, so the thread ends when the call returns. The other threads go on meanwhile, and no memory
 * is lost.
 * free: the thread reports misuse, with FT_MALLOC_ON_ERROR=report. free is no cancellation point,
 * so it returns.
 */
#include "faults/status.h"
#include "support/require.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <malloc.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ROUNDS = 50, CHUNKS = 3000, LOST_KIB = 4096 };

static void (*show)(void);
static atomic_bool came_back;

static void *keep_showing(void *unused)
{
    for (;;) {
        show();
        pthread_testcancel();
    }
    return unused;
}

static void *keep_reading(void *end)
{
    char text[512];
    const int *fd = end;
    while (read(*fd, text, sizeof text) > 0)
        usleep(1);
    return end;
}

static void allocate_all_sizes(void)
{
    void *chunks[100];
    for (size_t n = 0; n < 100; n++) {
        chunks[n] = malloc(n * n * 60);
        REQUIRE(chunks[n] != NULL, "no memory");
        memset(chunks[n], 'x', n * n * 60);
    }
    for (size_t n = 0; n < 100; n++)
        free(chunks[n]);
}

/* The thread soon waits in write(), because a pipe holds less than a list. */
static void cancel_a_show(void)
{
    pthread_t thread;
    REQUIRE(pthread_create(&thread, NULL, keep_showing, NULL) == 0, "no thread");
    usleep(1000);
    allocate_all_sizes();
    REQUIRE(pthread_cancel(thread) == 0 && pthread_join(thread, NULL) == 0, "cannot cancel");
    allocate_all_sizes();
}

/*
 * Counts without the freed chunks that the allocator keeps for later requests, since these are not
 * lost.
 */
static size_t mapped_kib(void)
{
    malloc_trim(0);
    return status_kib("VmSize:");
}

static void cancel_shows(void)
{
    static void *chunks[CHUNKS];
    int ends[2];
    pthread_t reader;
    int saved = dup(STDOUT_FILENO);
    void *address = dlsym(RTLD_DEFAULT, "show_alloc_mem");
    REQUIRE(address != NULL, "the process does not run on the library");
    memcpy(&show, &address, sizeof address);
    for (size_t n = 0; n < CHUNKS; n++)
        chunks[n] = malloc(n);
    REQUIRE(pipe2(ends, O_CLOEXEC) == 0 && saved >= 0 && dup2(ends[1], STDOUT_FILENO) >= 0,
            "no pipe");
    REQUIRE(pthread_create(&reader, NULL, keep_reading, &ends[0]) == 0, "no thread");
    cancel_a_show();
    size_t before = mapped_kib();
    for (unsigned n = 0; n < ROUNDS; n++)
        cancel_a_show();
    size_t after = mapped_kib();
    REQUIRE(dup2(saved, STDOUT_FILENO) >= 0 && close(ends[1]) == 0, "dup2 failed");
    pthread_join(reader, NULL);
    printf("%d threads cancelled in show_alloc_mem, mapped %zu to %zu KiB\n", (int)ROUNDS, before,
           after);
    REQUIRE(after < before + LOST_KIB, "%zu KiB are lost", after - before);
    for (size_t n = 0; n < CHUNKS; n++)
        free(chunks[n]);
}

static void *free_what_is_not_ours(void *unused)
{
    static char foreign[64];
    void *volatile pointer = foreign + 16;
    pthread_cancel(pthread_self());
    free(pointer);
    atomic_store(&came_back, true);
    pthread_testcancel();
    return unused;
}

static void cancel_a_report(void)
{
    pthread_t thread;
    void *result = NULL;
    REQUIRE(pthread_create(&thread, NULL, free_what_is_not_ours, NULL) == 0, "no thread");
    REQUIRE(pthread_join(thread, &result) == 0 && result == PTHREAD_CANCELED, "not cancelled");
    REQUIRE(atomic_load(&came_back), "free was a cancellation point");
    printf("free returned before its thread was cancelled\n");
}

int main(int argc, char **argv)
{
    REQUIRE(argc >= 2, "usage: fault_cancel_output show|free");
    if (strcmp(argv[1], "show") == 0)
        cancel_shows();
    else
        cancel_a_report();
    return 0;
}
