/*
 * `life_early N [LIBRARY]`: N forks of a process whose threads are in the middle of malloc, with a
 * handler that was registered before the allocator's and that allocates in the child. With a
 * library, dlopen loads the allocator long after that handler was registered.
 */
#include "lifecycle/life_early_handler.h"
#include "support/require.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { THREADS = 3, BATCH = 1000 };

static atomic_bool stop;

static void *symbol(void *handle, const char *name)
{
    void *address = dlsym(handle, name);
    REQUIRE(address != NULL, "the library has no %s", name);
    return address;
}

static void use_library(const char *path)
{
    void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    REQUIRE(handle != NULL, "%s", dlerror());
    void *addresses[] = {symbol(handle, "malloc"), symbol(handle, "free"),
                         symbol(handle, "mallinfo2")};
    memcpy(&early.malloc, &addresses[0], sizeof addresses[0]);
    memcpy(&early.free, &addresses[1], sizeof addresses[1]);
    memcpy(&early.mallinfo2, &addresses[2], sizeof addresses[2]);
    REQUIRE(early.malloc != malloc, "the process runs on the library already");
}

/*
 * Heaps and LARGE chunks are mapped and unmapped all the time, so that some thread holds every lock
 * most of the time.
 */
static void *work(void *argument)
{
    static void *chunks[THREADS][BATCH];
    void **mine = chunks[(size_t)argument];
    while (!atomic_load(&stop)) {
        for (size_t n = 0; n < BATCH; n++)
            mine[n] = early.malloc(n % 2 == 0 ? 30000 : 600);
        for (size_t n = 0; n < BATCH; n++)
            early.free(mine[n]);
        for (size_t n = 0; n < EARLY_SLOTS; n++) {
            early.free(early.malloc(300000 + n * 5000));
            early.free(atomic_exchange(&early.slots[n], early.malloc(n * 100)));
        }
    }
    return NULL;
}

static void fork_once(void)
{
    int status = 0;
    pid_t pid = fork();
    REQUIRE(pid >= 0, "fork failed");
    if (pid == 0)
        _exit(early.children > 0 ? 0 : 1);
    REQUIRE(waitpid(pid, &status, 0) == pid && status == 0, "a child ended with status 0x%x",
            (unsigned)status);
}

int main(int argc, char **argv)
{
    REQUIRE(argc == 2 || argc == 3, "usage: life_early N [LIBRARY]");
    long count = strtol(argv[1], NULL, 10);
    pthread_t threads[THREADS];
    if (argc == 3)
        use_library(argv[2]);
    for (size_t t = 0; t < THREADS; t++)
        REQUIRE(pthread_create(&threads[t], NULL, work, (void *)t) == 0, "pthread_create failed");
    for (long n = 0; n < count; n++) {
        early.forks_again = n % 3 == 0 ? 2 : 0;
        fork_once();
    }
    atomic_store(&stop, true);
    for (size_t t = 0; t < THREADS; t++)
        pthread_join(threads[t], NULL);
    printf("%ld forks with an early handler\n", count);
    return 0;
}
