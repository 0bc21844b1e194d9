/*
 * fork and exec with stdout and stderr in memory files, so that no pipe can fill up and no reader
 * is needed.
 */
#include "support/child.h"

#include "support/require.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

const char *child_library(void)
{
    const char *given = getenv("FT_TEST_LIBRARY");
    return given != NULL ? given : FT_TEST_LIBRARY_PATH;
}

static void limit(int resource, size_t value)
{
    struct rlimit both = {value, value};
    if (setrlimit(resource, &both) != 0)
        _exit(126);
}

static void become_child(const struct child_spec *spec, int out, int err)
{
    int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (null < 0 || dup2(null, 0) < 0 || dup2(out, 1) < 0 || dup2(err, 2) < 0)
        _exit(126);
    /*
     * The child gets a process group of its own, so that a hanging child is killed with all its
     * children and none outlives the test.
     */
    if (setpgid(0, 0) != 0 || prctl(PR_SET_PDEATHSIG, SIGKILL) != 0)
        _exit(126);
    limit(RLIMIT_CORE, 0);
    for (const char *const *line = spec->environment; line != NULL && *line != NULL; line++)
        putenv((char *)(uintptr_t)*line);
    if (spec->preload != NULL)
        setenv("LD_PRELOAD", spec->preload, 1);
    if (spec->address_space != 0)
        limit(RLIMIT_AS, spec->address_space);
    execv(spec->argv[0], (char *const *)(uintptr_t)spec->argv);
    _exit(127);
}

static char *read_all(int file, size_t *length)
{
    off_t end = lseek(file, 0, SEEK_END);
    REQUIRE(end >= 0, "lseek failed");
    *length = (size_t)end;
    char *text = malloc(*length + 1);
    REQUIRE(text != NULL, "no memory for the output of a child");
    for (size_t at = 0; at < *length;) {
        ssize_t got = pread(file, text + at, *length - at, (off_t)at);
        REQUIRE(got > 0, "cannot read the output of a child");
        at += (size_t)got;
    }
    text[*length] = '\0';
    close(file);
    return text;
}

static bool wait_for_end(pid_t pid, unsigned timeout_s)
{
    int descriptor = (int)syscall(SYS_pidfd_open, pid, 0);
    REQUIRE(descriptor >= 0, "pidfd_open failed");
    struct pollfd end = {.fd = descriptor, .events = POLLIN};
    int ready = poll(&end, 1, (int)(timeout_s == 0 ? 60 : timeout_s) * 1000);
    if (ready == 0)
        kill(-pid, SIGKILL);
    close(descriptor);
    return ready != 0;
}

void child_run(const struct child_spec *spec, struct child_result *result)
{
    memset(result, 0, sizeof *result);
    int out = memfd_create("stdout", MFD_CLOEXEC);
    int err = memfd_create("stderr", MFD_CLOEXEC);
    REQUIRE(out >= 0 && err >= 0, "memfd_create failed");
    (void)fflush(NULL);
    pid_t pid = fork();
    REQUIRE(pid >= 0, "fork failed");
    if (pid == 0)
        become_child(spec, out, err);
    result->timed_out = !wait_for_end(pid, spec->timeout_s);
    int status = 0;
    REQUIRE(waitpid(pid, &status, 0) == pid, "waitpid failed");
    result->exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    result->signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    result->out = read_all(out, &result->out_length);
    result->err = read_all(err, &result->err_length);
}

void child_free(struct child_result *result)
{
    free(result->out);
    free(result->err);
    memset(result, 0, sizeof *result);
}

bool child_succeeded(const struct child_result *result)
{
    if (!result->timed_out && result->exit_code == 0)
        return true;
    printf("child: %sexit code %d, signal %d\n--- its stdout:\n%.2000s\n--- its "
           "stderr:\n%.2000s\n---\n",
           result->timed_out ? "timed out, " : "", result->exit_code, result->signal, result->out,
           result->err);
    return false;
}

static const char stats_prefix[] = "ft_malloc: stats:";

static const char *find_stats_line(const char *text)
{
    const char *line = strstr(text, stats_prefix);
    if (line == NULL || (line != text && line[-1] != '\n') ||
        strstr(line + 1, stats_prefix) != NULL)
        return NULL;
    return line;
}

static void store_figure(struct child_stats *stats, const char *name, unsigned long long value,
                         unsigned *found)
{
    const struct {
        const char *name;
        unsigned long long *place;
    } figures[] = {
        {"malloc", &stats->malloc_calls},   {"free", &stats->free_calls},
        {"realloc", &stats->realloc_calls}, {"calloc", &stats->calloc_calls},
        {"aligned", &stats->aligned_calls}, {"failed", &stats->failed_calls},
        {"bytes", &stats->bytes},           {"arenas", &stats->arenas},
        {"heaps", &stats->heaps},           {"large", &stats->large},
    };
    for (size_t i = 0; i < sizeof figures / sizeof *figures; i++) {
        if (strcmp(name, figures[i].name) == 0) {
            *figures[i].place = value;
            *found |= 1U << i;
        }
    }
}

/* Reads " name number" pairs up to the end of the line, among them all that we need. */
bool child_read_stats(const struct child_result *result, struct child_stats *stats)
{
    const char *at = find_stats_line(result->err);
    unsigned found = 0;
    if (at == NULL)
        return false;
    for (at += strlen(stats_prefix); *at != '\n';) {
        char name[32];
        unsigned long long value = 0;
        int length = 0;
        if (sscanf(at, " %31[a-z_] %llu%n", name, &value, &length) != 2 || *at != ' ')
            return false;
        store_figure(stats, name, value, &found);
        at += length;
    }
    return found == 0x3FF;
}
