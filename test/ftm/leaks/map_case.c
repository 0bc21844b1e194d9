/*
 * A program whose memory ftm map looks at: it prints what it holds, as lines "NAME BYTES", then
 * "ready", and waits until its input is closed.
 */
#include "support/resident.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#ifdef __clang__
#define APART __attribute__((noinline, optnone))
#else
#define APART __attribute__((noipa))
#endif

enum { CHUNKS = 40000, SIZE = 500, EACH = 40, LARGE_SIZE = 24 << 20, ZEROS = 64 << 20 };

static char *volatile chunks[CHUNKS];
static char *volatile large;

APART char *make_pinned(size_t size);
APART char *make_others(size_t size);

char *make_pinned(size_t size)
{
    char *made = malloc(size);

    if (made == NULL)
        exit(3);
    return memset(made, 1, size);
}

char *make_others(size_t size)
{
    char *made = malloc(size);

    if (made == NULL)
        exit(3);
    return memset(made, 1, size);
}

static void tell(const char *name, size_t bytes)
{
    printf("%s %zu\n", name, bytes);
}

/* Most of a slab is freed, and one chunk in 40 stays. */
static void scatter(void)
{
    for (unsigned i = 0; i < CHUNKS; i++)
        chunks[i] = i % EACH == 0 ? make_pinned(SIZE) : make_others(SIZE);
    for (unsigned i = 0; i < CHUNKS; i++)
        if (i % EACH != 0)
            free(chunks[i]);
    tell("live", (size_t)CHUNKS / EACH * SIZE);
    tell("freed", (size_t)(CHUNKS - CHUNKS / EACH) * SIZE);
}

/* Few enough for the pool of guarded chunks. */
static void hold_few(void)
{
    enum { FEW = 300, FEW_SIZE = 4000 };

    for (unsigned i = 0; i < FEW; i++)
        chunks[i] = make_others(FEW_SIZE);
    tell("live", (size_t)FEW * FEW_SIZE);
}

static void hold(void)
{
    for (unsigned i = 0; i < CHUNKS; i++)
        chunks[i] = make_others(SIZE);
    large = malloc(LARGE_SIZE);
    if (large == NULL)
        exit(3);
    /* Only half of it is touched, so only that is in memory. */
    memset(large, 1, LARGE_SIZE / 2);
    tell("live", (size_t)CHUNKS * SIZE + LARGE_SIZE / 2);
    tell("slack", (size_t)CHUNKS * 12);
}

/* A program that asks for such a chunk again and again keeps its mapping. */
static void cache(void)
{
    for (unsigned i = 0; i < 20; i++)
        free(make_others(LARGE_SIZE));
    tell("cached", LARGE_SIZE);
}

/*
 * Pages of zeros that were only read, which some kernels count; and 16 MiB that are not the
 * allocator's.
 */
static void map_zeros(void)
{
    const volatile char *zeros = mmap(NULL, ZEROS, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    char *mine = mmap(NULL, ZEROS / 4, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (zeros == MAP_FAILED || mine == MAP_FAILED)
        exit(3);
    for (size_t i = 0; i < ZEROS; i += 4096)
        (void)zeros[i];
    memset(mine, 1, ZEROS / 4);
    tell("other", ZEROS / 4 + (reading_takes_memory() ? ZEROS : 0));
}

int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "";
    char byte;

    if (strcmp(what, "scatter") == 0)
        scatter();
    else if (strcmp(what, "guarded") == 0)
        hold_few();
    else if (strcmp(what, "hold") == 0)
        hold();
    else if (strcmp(what, "cache") == 0)
        cache();
    else if (strcmp(what, "zeros") == 0)
        map_zeros();
    printf("ready\n");
    fflush(stdout);
    while (read(0, &byte, 1) > 0)
        ;
    _exit(0);
}
