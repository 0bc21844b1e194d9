/*
 * Stopping by PTRACE_SEIZE and PTRACE_INTERRUPT, which send no signal that the process or its
 * parent could see.
 */
#include "stop.h"

#include "command.h"
#include "memory.h"
#include "source.h"

#include <dirent.h>
#include <elf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>

#if defined(__x86_64__)
typedef struct user_regs_struct registers;
#define REGISTERS_SP(r) ((r)->rsp)
#define REGISTERS_PC(r) ((r)->rip)
#elif defined(__aarch64__)
typedef struct user_regs_struct registers;
#define REGISTERS_SP(r) ((r)->sp)
#define REGISTERS_PC(r) ((r)->pc)
#endif

struct stopped {
    pid_t tid;
    int signal; /* that was on its way to the thread, or 0; it is delivered afterwards */
    registers registers;
};

struct stop {
    pid_t pid;
    struct stopped *threads;
    size_t count, room;
};

static bool is_stopped(const struct stop *stop, pid_t tid)
{
    for (size_t i = 0; i < stop->count; i++)
        if (stop->threads[i].tid == tid)
            return true;
    return false;
}

/* Stops one thread. Returns 0, or an error number; ESRCH means that it has ended. */
static int stop_thread(struct stop *stop, pid_t tid)
{
    struct stopped *thread;
    struct iovec vector;
    int status;

    if (ptrace(PTRACE_SEIZE, tid, NULL, NULL) != 0)
        return errno;
    stop->threads = memory_grow(stop->threads, &stop->room, stop->count, sizeof *stop->threads);
    thread = &stop->threads[stop->count];
    *thread = (struct stopped){.tid = tid};
    if (ptrace(PTRACE_INTERRUPT, tid, NULL, NULL) != 0 || waitpid(tid, &status, __WALL) != tid)
        return errno;
    if (!WIFSTOPPED(status))
        return ESRCH;
    stop->count++;
    if (status >> 16 == 0)
        thread->signal = WSTOPSIG(status);
    vector = (struct iovec){&thread->registers, sizeof thread->registers};
    return ptrace(PTRACE_GETREGSET, tid, (void *)NT_PRSTATUS, &vector) == 0 ? 0 : errno;
}

/* Stops the threads that are not stopped yet. Stores how many there were. */
static int stop_others(struct stop *stop, size_t *found)
{
    char path[64];
    const struct dirent *entry;
    DIR *directory;
    int error = 0;

    *found = 0;
    (void)snprintf(path, sizeof path, "/proc/%d/task", (int)stop->pid);
    directory = opendir(path);
    if (directory == NULL)
        return errno;
    while (error == 0 && (entry = readdir(directory)) != NULL) {
        pid_t tid = (pid_t)strtol(entry->d_name, NULL, 10);

        if (tid <= 0 || is_stopped(stop, tid))
            continue;
        ++*found;
        error = stop_thread(stop, tid);
        if (error == ESRCH)
            error = 0;
    }
    (void)closedir(directory);
    return error;
}

static void explain(pid_t pid, int error)
{
    if (error == EPERM)
        say("process %d may not be stopped: a debugger has it, or ptrace is forbidden (see "
            "kernel.yama.ptrace_scope); without --stop it is not stopped",
            (int)pid);
    else
        say_error(error, "process %d cannot be stopped", (int)pid);
}

struct stop *stop_process(pid_t pid)
{
    struct stop *stop = memory_new(1, sizeof *stop);
    size_t found;
    int error;

    stop->pid = pid;
    /* Threads that still ran may have started others. */
    do
        error = stop_others(stop, &found);
    while (error == 0 && found > 0);
    if (error == 0 && stop->count > 0)
        return stop;
    explain(pid, error == 0 ? ESRCH : error);
    stop_release(stop);
    return NULL;
}

void stop_release(struct stop *stop)
{
    if (stop == NULL)
        return;
    for (size_t i = 0; i < stop->count; i++)
        (void)ptrace(PTRACE_DETACH, stop->threads[i].tid, 0L, (long)stop->threads[i].signal);
    free(stop->threads);
    free(stop);
}

int stop_each(void *stopped_process,
              int (*visit)(void *context, const struct source_thread *thread), void *context)
{
    const struct stop *stop = stopped_process;
    int result = 0;

    for (size_t i = 0; i < stop->count && result == 0; i++) {
        const struct stopped *stopped = &stop->threads[i];
        uint64_t words[sizeof stopped->registers / sizeof(uint64_t)];
        struct source_thread thread = {
            .tid = stopped->tid,
            .sp = REGISTERS_SP(&stopped->registers),
            .pc = REGISTERS_PC(&stopped->registers),
            .registers = words,
            .register_count = sizeof words / sizeof *words,
        };

        memcpy(words, &stopped->registers, sizeof words);
        result = visit(context, &thread);
    }
    return result;
}
