/*
 * measure: runs one program, with an allocator preloaded into it alone, and reports what it cost.
 *
 *   measure [--preload LIBRARY] [--report FILE] -- PROGRAM [ARGUMENTS...]
 *
 * The report is one line on standard error or in FILE: wall_ns user_ns sys_ns peak_rss_kib
 * minor_faults major_faults status. Wall time and status are those of the program. The rest
 * includes all processes that it started; the peak is that of the largest. The exit status is the
 * program's; 128 + the signal's number if a signal ended it; 127 if it could not be started.
 *
 * The launcher is written in C because ru_maxrss survives execve(): a child of a big process would
 * show the size of its parent. Two environment variables reach through a script to the program that
 * the script measures:
 *   BENCH_REPORT=FILE
 *       Appends the line to FILE as well.
 *   BENCH_TRACE=DIRECTORY
 *       Runs the program under strace, which leaves its counts in DIRECTORY/PID. So the system
 *       calls of the program are counted, and not those of the script. The times of such a run are
 *       useless.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { NOT_STARTED = 127, SIGNAL_BASE = 128, USAGE_ERROR = 2 };

struct request {
    const char *preload; /* nothing is preloaded if it is NULL or empty */
    const char *report;  /* a file, or NULL for standard error */
    char **program;      /* its name and arguments, ends with NULL */
    int arguments;       /* the number of arguments, including the program's name */
};

struct cost {
    int64_t wall_ns;
    struct rusage usage;
    int status;
};

static _Noreturn void measure_fail(const char *what, const char *detail)
{
    fprintf(stderr, "measure: %s%s\n", what, detail);
    exit(USAGE_ERROR);
}

static struct request measure_parse(int argc, char **argv)
{
    struct request request = {NULL, NULL, NULL, 0};
    int i = 1;
    for (; i < argc && strcmp(argv[i], "--") != 0; i += 2) {
        if (i + 1 == argc) {
            measure_fail("a value is missing after ", argv[i]);
        }
        if (strcmp(argv[i], "--preload") == 0) {
            request.preload = argv[i + 1];
        } else if (strcmp(argv[i], "--report") == 0) {
            request.report = argv[i + 1];
        } else {
            measure_fail("unknown option ", argv[i]);
        }
    }
    if (i + 1 >= argc) {
        measure_fail(
            "no program: measure [--preload LIBRARY] [--report FILE] -- PROGRAM [ARGUMENTS...]",
            "");
    }
    request.program = argv + i + 1;
    request.arguments = argc - i - 1;
    return request;
}

/* Executes strace, which preloads the allocator into the program and not into itself. */
static void measure_exec_traced(const struct request *request, const char *directory)
{
    char counts[PATH_MAX];
    char preload[PATH_MAX + sizeof "LD_PRELOAD="];
    snprintf(counts, sizeof counts, "%s/%ld", directory, (long)getpid());
    snprintf(preload, sizeof preload, "LD_PRELOAD=%s", request->preload ? request->preload : "");
    char *const prefix[] = {"strace", "-f", "-c", "-o", counts, "-E", preload, "--"};
    const size_t prefix_count = sizeof prefix / sizeof *prefix;
    char **command = malloc((prefix_count + (size_t)request->arguments + 1) * sizeof *command);
    if (!command) {
        return;
    }
    memcpy(command, prefix, sizeof prefix);
    memcpy(command + prefix_count, request->program,
           ((size_t)request->arguments + 1) * sizeof *command);
    execvp(command[0], command);
    free(command);
}

/* If the runner gives up on this process, the program must not live on and disturb the next one. */
static void measure_die_with_parent(void)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
}

static _Noreturn void measure_exec(const struct request *request)
{
    measure_die_with_parent();
    unsetenv("LD_PRELOAD");
    const char *trace = getenv("BENCH_TRACE");
    if (trace && *trace) {
        measure_exec_traced(request, trace);
    } else {
        if (request->preload && *request->preload) {
            setenv("LD_PRELOAD", request->preload, 1);
        }
        execvp(request->program[0], request->program);
    }
    /* _exit() leaves the buffers of stdio to the parent. Standard error has no buffer. */
    fprintf(stderr, "measure: cannot start %s: %s\n", request->program[0], strerror(errno));
    _exit(NOT_STARTED);
}

static int64_t measure_now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/*
 * Waits for processes that the program left behind, which are children of this one now. Those of a
 * browser end a moment after it.
 */
static void measure_await_others(void)
{
    while (wait(NULL) > 0 || errno == EINTR) {
    }
}

static struct cost measure_run(const struct request *request)
{
    struct cost cost;
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    const int64_t start = measure_now_ns();
    const pid_t child = fork();
    if (child < 0) {
        measure_fail("cannot fork: ", strerror(errno));
    }
    if (child == 0) {
        measure_exec(request);
    }
    int status = 0;
    while (waitpid(child, &status, 0) < 0) {
        if (errno != EINTR) {
            measure_fail("cannot wait: ", strerror(errno));
        }
    }
    cost.wall_ns = measure_now_ns() - start;
    cost.status = WIFSIGNALED(status) ? SIGNAL_BASE + WTERMSIG(status) : WEXITSTATUS(status);
    measure_await_others();
    getrusage(RUSAGE_CHILDREN, &cost.usage);
    return cost;
}

static int64_t measure_ns(struct timeval time)
{
    return (int64_t)time.tv_sec * 1000000000 + (int64_t)time.tv_usec * 1000;
}

static void measure_print(FILE *file, const struct cost *cost)
{
    const struct rusage *usage = &cost->usage;
    fprintf(file, "%lld %lld %lld %ld %ld %ld %d\n", (long long)cost->wall_ns,
            (long long)measure_ns(usage->ru_utime), (long long)measure_ns(usage->ru_stime),
            usage->ru_maxrss, usage->ru_minflt, usage->ru_majflt, cost->status);
}

static void measure_write(const char *path, const char *mode, const struct cost *cost)
{
    FILE *file = fopen(path, mode);
    if (!file) {
        measure_fail("cannot write ", path);
    }
    measure_print(file, cost);
    if (fclose(file) != 0) {
        measure_fail("cannot write ", path);
    }
}

int main(int argc, char **argv)
{
    const struct request request = measure_parse(argc, argv);
    measure_die_with_parent();
    const struct cost cost = measure_run(&request);
    const char *collected = getenv("BENCH_REPORT");
    if (request.report) {
        measure_write(request.report, "w", &cost);
    } else {
        measure_print(stderr, &cost);
    }
    if (collected && *collected) {
        measure_write(collected, "a", &cost);
    }
    return cost.status;
}
