/*
 * A live process. Its memory is read by process_vm_readv(); where only that is forbidden, through
 * /proc/PID/mem. Neither stops it.
 */
#include "source_private.h"

#include "command.h"
#include "os/os.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

struct live {
    struct source source;
    int memory; /* /proc/PID/mem, or -1 while process_vm_readv() does it */
};

static ssize_t read_once(const struct live *live, uint64_t address, void *out, size_t size)
{
    struct iovec here = {.iov_base = out, .iov_len = size};
    struct iovec there = {.iov_base = pointer_to(address), .iov_len = size};

    if (live->memory >= 0)
        return pread(live->memory, out, size, (off_t)address);
    return process_vm_readv(live->source.pid, &here, 1, &there, 1, 0);
}

static size_t read_live(struct source *source, uint64_t address, void *out, size_t size)
{
    const struct live *live = (const struct live *)source;
    size_t done = 0;

    while (done < size) {
        ssize_t got = read_once(live, address + done, (char *)out + done, size - done);

        if (got <= 0 && !(got < 0 && errno == EINTR))
            break;
        done += got > 0 ? (size_t)got : 0;
    }
    return done;
}

/* Returns the text of a file in /proc/PID, or NULL with errno set. */
static char *slurp(pid_t pid, const char *file, size_t *size)
{
    char path[128];

    (void)snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, file);
    return source_slurp(path, size);
}

static void load_maps(struct source *source)
{
    size_t size;
    char *text = slurp(source->pid, "maps", &size);

    if (text != NULL)
        source_parse_maps(source, text, size);
    free(text);
}

/* Where the thread is, if it waits in a system call; the kernel tells no more of one that runs. */
static void read_place(pid_t pid, struct source_thread *thread)
{
    char file[64];
    size_t size;
    char *text, *at;
    uint64_t words[2] = {0, 0};

    (void)snprintf(file, sizeof file, "task/%d/syscall", (int)thread->tid);
    text = slurp(pid, file, &size);
    if (text == NULL || strncmp(text, "running", 7) == 0) {
        free(text);
        return;
    }
    /* The last two of its numbers are the stack pointer and the program counter. */
    at = strtok(text, " \n");
    while (at != NULL) {
        words[0] = words[1];
        words[1] = strtoull(at, NULL, 0);
        at = strtok(NULL, " \n");
    }
    thread->sp = words[0];
    thread->pc = words[1];
    free(text);
}

static void read_thread_name(pid_t pid, struct source_thread *thread)
{
    char file[64];
    size_t size;
    char *text;

    (void)snprintf(file, sizeof file, "task/%d/comm", (int)thread->tid);
    text = slurp(pid, file, &size);
    if (text == NULL)
        return;
    text[strcspn(text, "\n")] = '\0';
    (void)snprintf(thread->name, sizeof thread->name, "%s", text);
    free(text);
}

static int each_thread(struct source *source,
                       int (*visit)(void *context, const struct source_thread *thread),
                       void *context)
{
    char path[64];
    const struct dirent *entry;
    DIR *directory;
    int result = 0;

    (void)snprintf(path, sizeof path, "/proc/%d/task", (int)source->pid);
    directory = opendir(path);
    while (directory != NULL && result == 0 && (entry = readdir(directory)) != NULL) {
        struct source_thread thread = {.tid = (pid_t)strtol(entry->d_name, NULL, 10)};

        if (thread.tid <= 0)
            continue;
        read_thread_name(source->pid, &thread);
        read_place(source->pid, &thread);
        result = visit(context, &thread);
    }
    if (directory != NULL)
        (void)closedir(directory);
    return result;
}

static void close_live(struct source *source)
{
    const struct live *live = (const struct live *)source;

    if (live->memory >= 0)
        (void)close(live->memory);
}

static const struct source_kind_functions functions = {
    .kind = SOURCE_LIVE,
    .read_some = read_live,
    .load_maps = load_maps,
    .each_thread = each_thread,
    .close = close_live,
};

/* Finds a way to read memory. Returns 0 or an error number. */
static int try_reading(struct live *live)
{
    size_t count;
    const struct source_map *maps = source_maps(&live->source, &count);
    char path[64], byte;
    int error;

    while (count > 0 && (maps->flags & MAP_READ) == 0) {
        maps++;
        count--;
    }
    if (count == 0)
        return ENODATA;
    if (read_once(live, maps->start, &byte, 1) == 1)
        return 0;
    error = errno;
    (void)snprintf(path, sizeof path, "/proc/%d/mem", (int)live->source.pid);
    live->memory = open(path, O_RDONLY | O_CLOEXEC);
    if (live->memory >= 0 && read_once(live, maps->start, &byte, 1) == 1)
        return 0;
    return error;
}

struct source *source_open_live(pid_t pid, int *error)
{
    struct live *live = calloc(1, sizeof *live);
    size_t size;
    char *text = slurp(pid, "maps", &size);

    *error = text == NULL ? errno : live == NULL ? ENOMEM : 0;
    free(text);
    if (*error != 0) {
        free(live);
        return NULL;
    }
    live->source = (struct source){.functions = &functions, .pid = pid};
    live->memory = -1;
    text = slurp(pid, "cmdline", &size);
    live->source.command = text == NULL ? NULL : source_command_of(text, size);
    free(text);
    *error = try_reading(live);
    if (*error == 0)
        return &live->source;
    source_close(&live->source);
    return NULL;
}
