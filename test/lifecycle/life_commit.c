/*
 * life_commit MODE THREADS: prints how much memory the process may write to (VmData), and how much
 * is resident, in KiB: after its first allocations, and while threads wait that have each used a
 * little of many sizes. With the mode "locked", all memory is locked first; prints "no permission"
 * if the kernel refuses that.
 */
#include "support/require.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { CHUNKS = 200, ROUNDS = 40, STACK = 64 << 10 };

static pthread_barrier_t barrier;

static long figure(const char *key)
{
    char line[256];
    long value = -1;
    FILE *file = fopen("/proc/self/status", "re");

    REQUIRE(file != NULL, "/proc/self/status");
    while (fgets(line, sizeof line, file) != NULL)
        if (strncmp(line, key, strlen(key)) == 0)
            value = strtol(line + strlen(key), NULL, 10);
    REQUIRE(fclose(file) == 0 && value >= 0, "no %s", key);
    return value;
}

static void print_figures(const char *when)
{
    printf("%s %ld %ld\n", when, figure("VmData:"), figure("VmRSS:"));
}

/* Allocates often enough to be given an arena of its own. */
static void *use_many_sizes(void *unused)
{
    void *chunks[CHUNKS];

    (void)unused;
    for (int round = 0; round < ROUNDS; round++) {
        for (int n = 0; n < CHUNKS; n++) {
            chunks[n] = malloc((size_t)n * 10 + 1);
            REQUIRE(chunks[n] != NULL, "no memory");
        }
        for (int n = 0; n < CHUNKS; n++)
            free(chunks[n]);
    }
    pthread_barrier_wait(&barrier);
    pthread_barrier_wait(&barrier);
    return NULL;
}

static void run_threads(unsigned count)
{
    pthread_t threads[64];
    pthread_attr_t attributes;

    REQUIRE(count <= 64 && pthread_barrier_init(&barrier, NULL, count + 1) == 0, "barrier");
    REQUIRE(pthread_attr_init(&attributes) == 0 &&
                pthread_attr_setstacksize(&attributes, STACK) == 0,
            "stack");
    for (unsigned n = 0; n < count; n++)
        REQUIRE(pthread_create(&threads[n], &attributes, use_many_sizes, NULL) == 0, "no thread");
    pthread_barrier_wait(&barrier);
    print_figures("threads");
    pthread_barrier_wait(&barrier);
    for (unsigned n = 0; n < count; n++)
        REQUIRE(pthread_join(threads[n], NULL) == 0, "cannot join");
}

int main(int argc, char **argv)
{
    static char buffer[BUFSIZ];

    REQUIRE(argc == 3, "usage: life_commit plain|locked THREADS");
    setvbuf(stdout, buffer, _IOFBF, sizeof buffer);
    if (strcmp(argv[1], "locked") == 0 && mlockall(MCL_CURRENT | MCL_FUTURE) != 0) {
        puts("no permission");
        return 0;
    }
    free(malloc(100));
    free(malloc(2000));
    print_figures("first");
    run_threads((unsigned)strtoul(argv[2], NULL, 10));
    return 0;
}
