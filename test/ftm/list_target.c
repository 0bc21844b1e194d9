/*
 * A process for ftm to look at: list_target KIND FOLDER. It allocates, writes what the library says
 * of itself to files in the folder, prints "ready", and waits until its standard input ends.
 *
 *   small   a few chunks of each zone; then nothing
 *   quiet   all zones, some freed, some by another thread, empty and grown chunks; then nothing
 *   forked  the same, in the child of a fork; prints the child's number before "ready"
 *   busy    threads allocate and free all the while; the file "kept" has chunks that stay live
 *   dumping like busy; and writes three snapshots while the threads go on
 *   errors  tries descriptors that ft_malloc_dump() cannot write to; ends by itself
 *   many    a million live chunks of all sizes, in several threads that go on
 */
#include "ft_malloc.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { QUIET_CHUNKS = 20000, KEPT = 4000, THREADS = 3, SLOTS = 3000, MANY = 1000000 };

static atomic_bool stopping;
static const char *folder;

static void require(bool fine, const char *what)
{
    if (fine)
        return;
    perror(what);
    exit(1);
}

static int open_file(const char *name)
{
    char path[4096];
    int fd;

    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    fd = open(path, O_CREAT | O_TRUNC | O_WRONLY, 0600);
    require(fd >= 0, path);
    return fd;
}

/* Mostly small sizes, as programs have them. */
static size_t random_size(unsigned *seed)
{
    unsigned kind = (unsigned)rand_r(seed) % 1000;

    return kind < 900   ? (size_t)rand_r(seed) % 300
           : kind < 990 ? (size_t)rand_r(seed) % 9000
           : kind < 999 ? (size_t)rand_r(seed) % 200000
                        : (size_t)rand_r(seed) % 3000000;
}

static void *free_each(void *context)
{
    void **chunks = context;

    for (size_t i = 0; i < QUIET_CHUNKS; i += 5)
        free(chunks[i]);
    return NULL;
}

static void allocate_little(void)
{
    static void *chunks[300];
    unsigned seed = 5;

    for (size_t i = 0; i < sizeof chunks / sizeof chunks[0]; i++)
        chunks[i] = malloc(i % 10 == 0 ? 0 : random_size(&seed));
    for (size_t i = 0; i < sizeof chunks / sizeof chunks[0]; i += 4)
        free(chunks[i]);
}

static void allocate_quietly(void)
{
    static void *chunks[QUIET_CHUNKS];
    unsigned seed = 1;
    pthread_t thread;

    for (size_t i = 0; i < QUIET_CHUNKS; i++) {
        chunks[i] = malloc(i % 100 == 0 ? 0 : random_size(&seed));
        require(chunks[i] != NULL, "malloc");
    }
    for (size_t i = 1; i < QUIET_CHUNKS; i += 3)
        free(chunks[i]);
    for (size_t i = 2; i < QUIET_CHUNKS; i += 60) {
        chunks[i] = realloc(chunks[i], random_size(&seed) + 1);
        require(chunks[i] != NULL, "realloc");
    }
    for (size_t i = 0; i < QUIET_CHUNKS; i += 15)
        chunks[i] = i % 3 == 1 ? NULL : chunks[i];
    for (size_t i = 0; i < QUIET_CHUNKS; i += 5)
        if (i % 3 == 1)
            chunks[i] = NULL;
    require(pthread_create(&thread, NULL, free_each, chunks) == 0, "pthread_create");
    pthread_join(thread, NULL);
}

/* Nothing is allocated any more when this begins. */
static void tell(void)
{
    int shown = open_file("shown"), dumped = open_file("dumped"), contents = open_file("contents");

    require(ft_malloc_dump(dumped, 0) == 0, "ft_malloc_dump");
    require(ft_malloc_dump(contents, FT_MALLOC_DUMP_CONTENTS) == 0, "ft_malloc_dump");
    require(ft_malloc_show(shown) == 0, "ft_malloc_show");
    close(shown);
    close(dumped);
    close(contents);
}

static void wait_for_end(void)
{
    char byte;

    require(write(STDOUT_FILENO, "ready\n", 6) == 6, "write");
    while (read(STDIN_FILENO, &byte, 1) > 0)
        ;
}

static void *churn(void *context)
{
    void **slots = calloc(SLOTS, sizeof *slots);
    unsigned seed = *(unsigned *)context;

    while (!atomic_load(&stopping)) {
        size_t slot = (size_t)rand_r(&seed) % SLOTS;

        free(slots[slot]);
        slots[slot] = malloc(random_size(&seed));
    }
    return NULL;
}

static void note_kept(void)
{
    FILE *file = fdopen(open_file("kept"), "w");
    unsigned seed = 7;

    require(file != NULL, "fdopen");
    for (unsigned i = 0; i < KEPT; i++) {
        size_t size = random_size(&seed) + 1;

        unsigned char *chunk = malloc(size);

        require(chunk != NULL, "malloc");
        memset(chunk, (int)(size % 251), size);
        (void)fprintf(file, "%p %zu\n", (void *)chunk, size);
    }
    (void)fclose(file);
}

static void *allocate_many(void *context)
{
    unsigned seed = *(unsigned *)context;

    for (unsigned i = 0; i < MANY / THREADS; i++)
        require(malloc((size_t)rand_r(&seed) % 200 + 1) != NULL, "malloc");
    return churn(context);
}

static void dump_to(const char *name, unsigned flags)
{
    int fd = open_file(name);

    require(ft_malloc_dump(fd, flags) == 0, "ft_malloc_dump");
    close(fd);
}

/* The last one goes through a pipe, which takes a little at a time. */
static void dump_while_busy(void)
{
    char command[5000];
    FILE *pipe;

    dump_to("busy0", 0);
    dump_to("busy1", FT_MALLOC_DUMP_CONTENTS);
    (void)snprintf(command, sizeof command, "cat >'%s/busy2'", folder);
    pipe = popen(command, "w");
    require(pipe != NULL, "popen");
    require(ft_malloc_dump(fileno(pipe), FT_MALLOC_DUMP_CONTENTS) == 0, "ft_malloc_dump");
    require(pclose(pipe) == 0, "pclose");
}

/* Both ends of the pipe are open, and nobody reads. */
static int full_pipe(int ends[2])
{
    require(pipe2(ends, O_NONBLOCK) == 0, "pipe2");
    return ends[1];
}

static void expect(int fd, unsigned flags, int error, const char *what)
{
    errno = 0;
    if (ft_malloc_dump(fd, flags) == -1 && errno == error)
        return;
    (void)fprintf(stderr, "%s: errno is %d and should be %d\n", what, errno, error);
    exit(1);
}

static void try_errors(void)
{
    int ends[2], full = open("/dev/full", O_WRONLY), zero = open("/dev/zero", O_RDONLY);

    (void)signal(SIGPIPE, SIG_IGN);
    expect(-1, 0, EBADF, "no descriptor");
    expect(zero, 0, EBADF, "a descriptor for reading");
    expect(full, 0, ENOSPC, "a full device");
    expect(full, 8, EINVAL, "an unknown flag");
    expect(full_pipe(ends), 0, EAGAIN, "a full pipe");
    close(ends[0]);
    expect(ends[1], 0, EPIPE, "a closed pipe");
}

static void be_busy(void *(*work)(void *), bool dump)
{
    static unsigned seeds[THREADS] = {11, 12, 13};
    pthread_t threads[THREADS];

    for (unsigned i = 0; i < THREADS; i++)
        require(pthread_create(&threads[i], NULL, work, &seeds[i]) == 0, "pthread_create");
    usleep(300000);
    note_kept();
    if (dump)
        dump_while_busy();
    wait_for_end();
    atomic_store(&stopping, true);
    for (unsigned i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
}

static void be_forked(void)
{
    pid_t child = fork();

    require(child >= 0, "fork");
    if (child > 0) {
        waitpid(child, NULL, 0);
        return;
    }
    free(malloc(100));
    tell();
    (void)dprintf(STDOUT_FILENO, "%d\n", (int)getpid());
    wait_for_end();
    _exit(0);
}

int main(int argc, char **argv)
{
    if (argc != 3)
        return 2;
    folder = argv[2];
    if (strcmp(argv[1], "errors") == 0) {
        try_errors();
        return 0;
    }
    if (strcmp(argv[1], "busy") == 0 || strcmp(argv[1], "many") == 0 ||
        strcmp(argv[1], "dumping") == 0) {
        be_busy(argv[1][0] == 'm' ? allocate_many : churn, argv[1][0] == 'd');
        return 0;
    }
    if (strcmp(argv[1], "small") == 0)
        allocate_little();
    else
        allocate_quietly();
    if (strcmp(argv[1], "forked") == 0) {
        be_forked();
        return 0;
    }
    tell();
    wait_for_end();
    return 0;
}
