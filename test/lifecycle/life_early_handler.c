/*
 * A library whose constructor registers fork handlers before anything was allocated. The handler of
 * the child allocates, frees its own chunks and those of other threads, asks for figures, and forks
 * again.
 */
#include "lifecycle/life_early_handler.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CHUNKS = 3000, GIVE_UP_S = 60 };

struct early early = {.malloc = malloc, .free = free, .mallinfo2 = mallinfo2};

static void require(int condition)
{
    if (!condition)
        _exit(77);
}

/* More than a heap of each zone holds, so that new heaps are mapped; and LARGE chunks. */
static void allocate(void)
{
    static const size_t sizes[] = {1, 100, 900, 3000, 30000, 300000};
    static char *chunks[CHUNKS];

    for (size_t n = 0; n < CHUNKS; n++) {
        size_t size = sizes[n % (n % 30 == 0 ? 6 : 5)];

        chunks[n] = early.malloc(size);
        require(chunks[n] != NULL);
        memset(chunks[n], (int)n, size < 64 ? size : 64);
    }
    for (size_t n = 0; n < CHUNKS; n++) {
        require(chunks[n][0] == (char)n);
        early.free(chunks[n]);
    }
}

static void fork_again(void)
{
    int status = -1;
    pid_t pid = fork();

    require(pid >= 0);
    if (pid == 0)
        _exit(0);
    require(waitpid(pid, &status, 0) == pid && status == 0);
}

static void in_child(void)
{
    /* A child that waits for ever is killed. */
    alarm(GIVE_UP_S);
    early.children++;
    allocate();
    for (size_t n = 0; n < EARLY_SLOTS; n++)
        early.free(atomic_exchange(&early.slots[n], NULL));
    require(early.mallinfo2().arena > 0);
    if (early.forks_again > 0) {
        early.forks_again--;
        fork_again();
    }
    allocate();
}

__attribute__((constructor)) static void at_load(void)
{
    pthread_atfork(NULL, NULL, in_child);
}
