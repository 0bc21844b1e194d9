/*
 * Why a process cannot be read. The kernel only says EPERM or EACCES, so this looks at what may
 * have been the reason, in the order in which the kernel asks.
 */
#include "source_private.h"

#include "command.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A line of /proc/PID/status: the text behind "Name:", to be freed; or NULL. */
static char *status_line(const char *pid, const char *name)
{
    char path[64];
    size_t size, length = strlen(name);
    char *text, *line, *found = NULL;

    (void)snprintf(path, sizeof path, "/proc/%s/status", pid);
    text = source_slurp(path, &size);
    for (line = text == NULL ? NULL : strtok(text, "\n"); line != NULL; line = strtok(NULL, "\n"))
        if (strncmp(line, name, length) == 0 && line[length] == ':') {
            found = strdup(line + length + 1 + strspn(line + length + 1, " \t"));
            break;
        }
    free(text);
    return found;
}

/* A number of that line, or `missing`. */
static uint64_t status_number(const char *pid, const char *name, int base, uint64_t missing)
{
    char *line = status_line(pid, name);
    uint64_t number = line == NULL ? missing : strtoull(line, NULL, base);

    free(line);
    return number;
}

static bool may_trace_all(void)
{
    enum { CAPABILITY_SYS_PTRACE = 19 };

    return (status_number("self", "CapEff", 16, 0) >> CAPABILITY_SYS_PTRACE & 1) != 0;
}

/* The setting of Yama, or 0 where there is none. */
static long yama_scope(void)
{
    size_t size;
    char *text = source_slurp("/proc/sys/kernel/yama/ptrace_scope", &size);
    long scope = text == NULL ? 0 : strtol(text, NULL, 10);

    free(text);
    return scope;
}

/*
 * The kernel gives the files of a process that may not be dumped to root, whoever the process
 * belongs to.
 */
static bool may_not_be_dumped(pid_t pid, uint64_t user)
{
    char path[64];
    struct stat status;

    (void)snprintf(path, sizeof path, "/proc/%d/maps", (int)pid);
    return user != 0 && stat(path, &status) == 0 && status.st_uid == 0;
}

static void say_no_memory(pid_t pid, const char *number)
{
    char *state = status_line(number, "State");

    if (state != NULL && *state == 'Z')
        say("process %d has ended, and only waits for its parent to notice", (int)pid);
    else
        say("process %d has no memory of its own: it is a thread of the kernel", (int)pid);
    free(state);
}

static void say_yama(pid_t pid, long scope)
{
    const char *how = scope >= 3   ? "nobody may read another process until the machine restarts"
                      : scope == 2 ? "only root may read another process: run ftm as root"
                                   : "only a parent may read its child: run ftm as root, or, as "
                                     "root, `sysctl kernel.yama.ptrace_scope=0`";

    say("cannot read process %d: kernel.yama.ptrace_scope is %ld, so %s", (int)pid, scope, how);
}

static void say_why(pid_t pid, const char *number)
{
    uint64_t theirs = status_number(number, "Uid", 10, 0), ours = geteuid();
    bool tracer = may_trace_all(), undumpable = may_not_be_dumped(pid, theirs);
    long scope = yama_scope();

    if (scope >= 3 || (scope > 0 && !tracer && ours != 0 && theirs == ours && !undumpable))
        say_yama(pid, scope);
    else if (tracer)
        say("cannot read process %d although ftm has the capability SYS_PTRACE: it is in another "
            "user namespace, or seccomp or a security module (SELinux, AppArmor) forbids it; run "
            "ftm outside of the container",
            (int)pid);
    else if (ours == 0)
        say("cannot read process %d: root lacks the capability SYS_PTRACE here; start the "
            "container with --cap-add=SYS_PTRACE, or run ftm outside of it",
            (int)pid);
    else if (theirs != ours)
        say("cannot read process %d: it belongs to user %" PRIu64 " and ftm runs as user %" PRIu64
            "; run ftm as that user or as root",
            (int)pid, theirs, ours);
    else if (undumpable)
        say("cannot read process %d: it may not be dumped (it is set-user-ID, or called "
            "prctl(PR_SET_DUMPABLE)); run ftm as root",
            (int)pid);
    else
        say("cannot read process %d: seccomp or a security module (SELinux, AppArmor) forbids it; "
            "run ftm as root outside of the container",
            (int)pid);
}

void source_say_refused(pid_t pid, int error)
{
    char number[16];

    (void)snprintf(number, sizeof number, "%d", (int)pid);
    if (error == ESRCH || error == ENOENT)
        say("there is no process %d", (int)pid);
    else if (error == ENODATA)
        say_no_memory(pid, number);
    else if (error == EPERM || error == EACCES)
        say_why(pid, number);
    else
        say_error(error, "cannot read process %d", (int)pid);
}
